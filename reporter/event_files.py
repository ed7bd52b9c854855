"""Event files as a source of statistics: their sessions in the engine, and the hypervisor facts beside them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from reporter.capacities import observed
from reporter.sessions import queried
from usage import Engine
from usage.statistics import DIMENSIONS, Dimension, Period, Span, Unit, periods_of, query

__all__ = ["EventFiles"]

#: All event files of one reading are of one resource.
_RESOURCE = 1

_PERIODS = "SELECT * FROM periods"


class EventFiles:
    """Answers from the sessions of an engine that has read event files. Days are those of UTC.

    `resource` is what resources.json calls the one resource that they are of, Unknown where nobody says.
    """

    def __init__(self, engine: Engine, directories: Sequence[Path], resource: str | None = None) -> None:
        self._engine = engine
        self._directories = directories
        self._resource = resource

    @property
    def dimensions(self) -> Mapping[str, Dimension]:
        """The dimensions that events tell."""
        return {name: it for name, it in DIMENSIONS.items() if it.recorded}

    def periods(self, unit: Unit, first: date, last: date) -> list[Period]:
        """Return the periods, in order, that touch the days, both included, and lie where there are sessions."""
        asked = "SELECT min(start_time_ts), max(end_time_ts) FROM sessions"
        ((since, until),) = self._engine.connection.execute(asked).fetchall()
        if since is None:
            return []
        days = [date(1970, 1, 1) + timedelta(seconds=moment) for moment in (since, until)]
        return list(periods_of(unit, max(first, days[0]), min(last, days[1])))

    def sums(self, dimension: str, unit: Unit, first: date, last: date, *, series: bool) -> Sequence[Sequence[Any]]:
        """Return what `query` says of the sessions. Raises SourceUnavailable for a lack of memory or disk."""
        with queried(), self._engine.connection.cursor() as cursor:
            # A column at a time, for the engine takes rows one by one at a thousandth of the speed.
            columns = list(zip(*map(_fields, self.periods(unit, first, last)), strict=True)) or [()] * 5
            names = ("period_id", "first_day", "last_day", "first_second", "last_second")
            unnested = ", ".join(f"unnest(?::BIGINT[]) AS {name}" for name in names)
            cursor.execute(f"CREATE OR REPLACE TEMP TABLE periods AS SELECT {unnested}", [list(it) for it in columns])
            asked = query(_sessions(dimension), _PERIODS, unit, series=series)
            return cursor.execute(asked, self._bound(dimension)).fetchall()

    def resources(self) -> dict[str, int]:
        """Return the id of the one resource by its name, if it has one."""
        return {self._resource: _RESOURCE} if self._resource else {}

    def capacities(self) -> tuple[list[Span], list[Span]]:
        """Return the spans of cores, and of percent, that hypervisor facts beside the events say; none without."""
        return observed(self._directories, _RESOURCE)

    def _bound(self, dimension: str) -> dict[str, str]:
        return {"resource": (self._resource or "Unknown").replace("-", " ")} if dimension == "resource" else {}


def _fields(period: Period) -> tuple[int, int, int, int, int]:
    return (period.id, period.first_day, period.last_day, period.first_second, period.last_second)


def _sessions(dimension: str) -> str:
    it = DIMENSIONS[dimension]
    return f"""
SELECT {it.recorded_id or it.recorded} AS dimension_id, {it.recorded} AS label, {_RESOURCE} AS resource_id,
    start_time_ts AS start_second, end_time_ts AS end_second, start_day_id AS start_day, end_day_id AS end_day,
    start_event_type_id AS start_event, end_event_type_id AS end_event, instance_state_id AS state,
    num_cores AS cores, memory_mb, disk_gb
FROM sessions
"""
