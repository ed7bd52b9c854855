"""The period of a report: a calendar month, or some days, in a time zone."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from ledger import ConfigurationError
from ledger.times import EPOCH

__all__ = ["Period", "zone_named"]

_MONTH = re.compile(r"(\d{4})-(\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Period(Struct, frozen=True):
    """`[start, end)` in UTC, what it is called, as `2026-10`, and the time zone whose months and days it is made of."""

    name: str
    start: datetime
    end: datetime
    zone: str = "UTC"

    @classmethod
    def month(cls, text: str, zone: tzinfo = UTC) -> Self:
        """Return the month of a time zone written as YYYY-MM. Raises ConfigurationError for anything else."""
        written = _MONTH.fullmatch(text)
        if written is None:
            raise _no_month(text)
        year, month = int(written[1]), int(written[2])
        if 0 < year < EPOCH.year:
            raise _too_early(text)
        try:
            first, limit = date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
            return cls._of(text, text, first, limit, zone)
        except (ValueError, OverflowError):
            raise _no_month(text) from None

    @classmethod
    def days(cls, first: str, last: str, zone: tzinfo = UTC) -> Self:
        """Return the days of a time zone from the first to the last, which is included, both as YYYY-MM-DD.

        Raises ConfigurationError for what is no day, and where the last comes before the first.
        """
        since, until = _day(first), _day(last)
        if until < since:
            raise ConfigurationError(f"{last} comes before {first}. Name the first day first.")
        try:
            return cls._of(f"{first} to {last}", first, since, until + timedelta(days=1), zone)
        except (ValueError, OverflowError):
            raise _no_day(last) from None

    @classmethod
    def last_month(cls, zone: tzinfo = UTC, now: datetime | None = None) -> Self:
        """Return the last month that is over in a time zone."""
        today = (now or datetime.now(UTC)).astimezone(zone).date()
        return cls.month(f"{today.replace(day=1) - timedelta(days=1):%Y-%m}", zone)

    @classmethod
    def _of(cls, name: str, text: str, first: date, limit: date, zone: tzinfo) -> Self:
        # Where a day has no midnight, the offset from before the change makes it the moment of the change.
        start, end = (_begin(one, zone) for one in (first, limit))
        if start < EPOCH:
            raise _too_early(text)
        return cls(name, start, end, getattr(zone, "key", "UTC"))

    @property
    def seconds(self) -> tuple[int, int]:
        """Start and end as whole seconds since 1970."""
        return int(self.start.timestamp()), int(self.end.timestamp())

    @property
    def file_name(self) -> str:
        """What it is called in the name of a file: `2026-10-12_2026-10-18`."""
        return self.name.replace(" to ", "_")

    def each_day(self) -> Iterator[tuple[date, int, int]]:
        """Yield its days in its time zone, each with its `[since, until)` in seconds since 1970.

        Where the clocks change, a day has 23 or 25 hours; one that a zone left out is not there.
        """
        zone, limit = zone_named(self.zone), self.seconds[1]
        day, since = self.start.astimezone(zone).date(), self.seconds[0]
        while since < limit:
            following = day + timedelta(days=1)
            until = min(limit, int(_begin(following, zone).timestamp()))
            if since < until:
                yield day, since, until
            day, since = following, until


def zone_named(name: str) -> tzinfo:
    """Return the time zone of that name, as `Europe/Berlin`. Raises ConfigurationError where there is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            f'"{name}" is no time zone that this machine knows. Name one as Europe/Berlin, or UTC.'
        ) from error


def _begin(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError:
        raise _no_day(text) from None


def _no_day(text: str) -> ConfigurationError:
    return ConfigurationError(f'"{text}" is no day. Write it as YYYY-MM-DD, for example 2026-10-01.')


def _too_early(text: str) -> ConfigurationError:
    return ConfigurationError(f'"{text}" lies before 1970, where time begins for XDMoD. Name a later one.')


def _no_month(text: str) -> ConfigurationError:
    return ConfigurationError(f'"{text}" is no month. Write it as YYYY-MM, for example 2026-10.')
