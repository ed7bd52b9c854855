"""The period of a report: a calendar month in UTC."""

import re
from datetime import UTC, datetime
from typing import Self

from msgspec import Struct

from ledger import ConfigurationError
from ledger.times import EPOCH

__all__ = ["Period"]

_MONTH = re.compile(r"(\d{4})-(\d\d)", re.ASCII)


class Period(Struct, frozen=True):
    """`[start, end)` in UTC, and what it is called: `2026-10`."""

    name: str
    start: datetime
    end: datetime

    @classmethod
    def month(cls, text: str) -> Self:
        """Return the month written as YYYY-MM. Raises ConfigurationError for anything else."""
        written = _MONTH.fullmatch(text)
        if written is None:
            raise _no_month(text)
        year, month = int(written[1]), int(written[2])
        if 0 < year < EPOCH.year:
            raise ConfigurationError(f'"{text}" lies before 1970, where time begins for XDMoD. Name a later month.')
        try:
            return cls(text, _first(year, month), _first(year + month // 12, month % 12 + 1))
        except ValueError:
            raise _no_month(text) from None

    @property
    def seconds(self) -> tuple[int, int]:
        """Start and end as whole seconds since 1970."""
        return int(self.start.timestamp()), int(self.end.timestamp())


def _first(year: int, month: int) -> datetime:
    return datetime(year, month, 1, tzinfo=UTC)


def _no_month(text: str) -> ConfigurationError:
    return ConfigurationError(f'"{text}" is no month. Write it as YYYY-MM, for example 2026-10.')
