"""The periods that XDMoD adds up by: days, months, quarters and years, with the ids and labels it gives them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct

__all__ = ["UNITS", "Period", "Unit", "periods_of"]

_YEAR = 100_000


class Period(Struct, frozen=True):
    """One day, month, quarter or year. Seconds count from 1970 in UTC; the first and the last both belong to it.

    Ids are XDMoD's: `year * 100000` and the number of the day, month or quarter in the year, 0 for the year itself.
    `first_day` and `last_day` are ids of days.
    """

    id: int
    first_day: int
    last_day: int
    first_second: int
    last_second: int


class Unit(Struct, frozen=True):
    """What periods are called, how many months one has (0 for a day), and how XDMoD writes one, for its id's parts."""

    name: str
    months: int
    written: str

    def label(self, period_id: int) -> str:
        """Return a period as XDMoD shows it: `2018-04-18`, `2018-04`, `2018 Q2`, `2018`."""
        year, number = divmod(period_id, _YEAR)
        if not self.months:
            return (date(year, 1, 1) + timedelta(days=number - 1)).isoformat()
        return self.written.format(year, number)


#: Source: XDMoD's group-by-time-period.json.
UNITS = {
    unit.name: unit
    for unit in (Unit("day", 0, ""), Unit("month", 1, "{}-{:02}"), Unit("quarter", 3, "{} Q{}"), Unit("year", 12, "{}"))
}


def periods_of(unit: Unit, first: date, last: date) -> Iterator[Period]:
    """Yield, in order, the whole periods in UTC that have a day from `first` to `last`, both included."""
    start = first.replace(month=(first.month - 1) // unit.months * unit.months + 1, day=1) if unit.months else first
    while start <= last:
        following = _following(unit, start)
        yield Period(
            id=start.year * _YEAR + _number(unit, start),
            first_day=_day_id(start),
            last_day=_day_id(following - timedelta(days=1)),
            first_second=_second(start),
            last_second=_second(following) - 1,
        )
        start = following


def _following(unit: Unit, start: date) -> date:
    if not unit.months:
        return start + timedelta(days=1)
    years, months = divmod(start.month - 1 + unit.months, 12)
    return date(start.year + years, months + 1, 1)


def _number(unit: Unit, start: date) -> int:
    if not unit.months:
        return start.timetuple().tm_yday
    return (start.month - 1) // unit.months + 1 if unit.months < 12 else 0


def _day_id(day: date) -> int:
    return day.year * _YEAR + day.timetuple().tm_yday


def _second(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
