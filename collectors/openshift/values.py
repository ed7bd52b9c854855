"""Values as Prometheus sends them, as exact numbers: each is a text, and not every text can be meant."""

from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from functools import lru_cache

from ledger.times import EPOCH

__all__ = ["BadValue", "amount", "count", "cpu", "instant", "size"]


class BadValue(ValueError):
    """A value that cannot be meant: no number, not finite, negative."""


def amount(text: str) -> Decimal:
    """A number that is not negative. Raises BadValue."""
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise BadValue(f"{text!r} is no number") from error
    if not number.is_finite() or number < 0:
        raise BadValue(f"{text} is no amount")
    return number


@lru_cache(4096)
def cpu(text: str) -> str | None:
    """Cores as decimal text without exponent; none for 0. Raises BadValue."""
    number = amount(text)
    return f"{number.normalize():f}" if number else None


@lru_cache(4096)
def size(text: str) -> int | None:
    """Whole bytes, a fraction of one counting as one; none for 0. Raises BadValue."""
    return int(amount(text).to_integral_value(ROUND_CEILING)) or None


@lru_cache(256)
def count(text: str) -> int:
    """A number of devices. Raises BadValue."""
    number = amount(text)
    if number != number.to_integral_value():
        raise BadValue(f"{text} is no whole number")
    return int(number)


def instant(text: str) -> datetime:
    """The time (UTC) so many seconds after 1970. Raises BadValue."""
    seconds = amount(text)
    try:
        return EPOCH + timedelta(microseconds=int(seconds * 1_000_000))
    except OverflowError as error:
        raise BadValue(f"{text} is no time") from error
