"""The sessions that an engine has rebuilt from events, as the source of a report."""

from collections.abc import Iterator, Sequence

import duckdb

from hierarchy.owners import Owner
from ledger import DataError
from ledger.counts import counted
from reporter.attribution import PIECES, cut_up
from reporter.naming import Labels
from reporter.quantities import SUMS, touching
from reporter.records import UsageReport
from reporter.restriction import Chosen, Names, names_of, narrow
from reporter.session_list import session_lines
from reporter.sessions import bounds, days_of, filled, queried
from reporter.source import Asked, Row
from usage import Engine

__all__ = ["EngineSessions"]

#: What each server used, cut by cut.
_SEEN = f"""
CREATE OR REPLACE TEMP TABLE seen AS
WITH {PIECES}
SELECT
    cut, who, label AS project, {{username}} AS username, {{flavor}} AS flavor, instance,
    {", ".join(f"{summed} AS {name}" for name, summed in SUMS.items())},
    count(*) FILTER (whole) AS sessions,
    list(session) FILTER (NOT whole) AS cut_sessions,
    0 AS servers
FROM pieces
GROUP BY ALL
"""

_DAILY = f"""
WITH {PIECES}
SELECT
    cut, day, label AS project,
    sum((least(pieces.until, days.until) - greatest(pieces.since, days.since)) * cores) AS core
FROM pieces JOIN days ON pieces.since < days.until AND pieces.until > days.since
WHERE state = 'active' AND cores > 0
GROUP BY ALL HAVING core > 0 ORDER BY ALL NULLS LAST
"""

_REACH = "SELECT min(start_time_ts), max(end_time_ts) FROM sessions"
_COUNT = f"SELECT count(*) FROM sessions WHERE {touching('$first', '$limit')}"
_NONE = "NULL::VARCHAR"


class EngineSessions:
    """What an engine has read. Summing up what was chosen leaves only that in it.

    `labels` say how projects are shown where the engine has not all sessions that tell it, and `more` are users and PIs
    that may be asked for though they have none.
    """

    owned = False

    def __init__(self, engine: Engine, labels: Labels | None = None, more: Names | None = None) -> None:
        self.engine = engine
        self.connection = engine.connection
        self.statements: list[str] = []
        self._labels, self._more = labels, more
        self._reach: tuple[int | None, int | None] = None, None

    def names(self) -> Names:
        """Return what the sessions are called by."""
        with self.connection.cursor() as cursor:
            found = names_of(cursor)
        return found.beside(self._more.users, self._more.pis) if self._more else found

    def see(self, cursor: duckdb.DuckDBPyConnection, asked: Asked) -> None:
        """Cut the sessions, leave what was chosen, and sum it up."""
        (self._reach,) = cursor.execute(_REACH).fetchall()
        cut_up(cursor, asked.whose, self._labels)
        if asked.chosen != Chosen():
            narrow(cursor, asked.period, asked.chosen)
        shared = asked.whose.shared
        statement = _SEEN.format(
            username="username" if asked.needs("user", shared=shared) else _NONE,
            flavor="flavor" if asked.needs("flavor", shared=shared) else _NONE,
        )
        self._ask(cursor, statement, asked)

    def reach(self, asked: Asked) -> tuple[int | None, int | None]:  # noqa: ARG002
        """Return when the first session begins and the last one ends."""
        return self._reach

    def daily(self, cursor: duckdb.DuckDBPyConnection, asked: Asked) -> Sequence[Row]:
        """Share out what was summed up between the days."""
        days_of(cursor, asked.period)
        self._ask(cursor, _DAILY, asked)
        return cursor.fetchall()

    def lines(self, resource: str, report: UsageReport, owners: Sequence[Owner]) -> Iterator[str]:
        """List the sessions that are in the engine now. Raises DataError where it has read others since the report."""
        ((count,),) = self.connection.execute(_COUNT, bounds(report.period)).fetchall()
        if count != report.total.sessions:
            raise DataError(
                f"The report of {report.period.name} is of {counted(report.total.sessions, 'sessions')}, but the engine"
                f" now has {count:,}. It read other files since; make the report again."
            )
        return session_lines(self.engine, resource, report.period, owners)

    def _ask(self, cursor: duckdb.DuckDBPyConnection, statement: str, asked: Asked) -> None:
        values = bounds(asked.period)
        with queried():
            cursor.execute(statement, values)
        self.statements.append(filled(statement, values))
