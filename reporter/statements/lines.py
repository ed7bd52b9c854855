"""The lines of statements, made in the engine of what was reckoned: each stretch of a server, by project and name."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import duckdb
from msgspec.structs import replace

from hierarchy.projects import Projects
from reporter.charges.priced import scoped
from reporter.charges.reckoning import Reckoned, added
from reporter.restriction import Chosen
from reporter.sessions import inserted, queried
from reporter.statements.records import StatementLine
from usage.rates import Term

__all__ = ["LINES", "ROUNDED", "make_lines", "name_projects", "name_servers", "read_lines"]

ROUNDED = "rounded up to whole unit hours"
_ROWS_AT_ONCE = 5_000
_HOUR = 3600

#: Sessions that follow each other at once with nothing changed are one line: XDMoD's begin anew with each event. A line
#: has the name that its server had at its end, and servers stand by their first names.
LINES = """
CREATE OR REPLACE TABLE lines AS
WITH chosen AS (SELECT charged.*, path FROM charged JOIN paths USING (cut) WHERE {scope}),
begun AS (
    SELECT *,
        (lag((until, size, tariff, state, label, path)) OVER history)
            IS DISTINCT FROM (since, size, tariff, state, label, path) AS begins
    FROM chosen WINDOW history AS (PARTITION BY instance ORDER BY since)
),
numbered AS (
    SELECT *, count(*) FILTER (begins) OVER (PARTITION BY instance ORDER BY since) AS number FROM begun
),
stretches AS (
    SELECT
        instance, number, any_value(label) AS project, any_value(path) AS path, any_value(size) AS size,
        any_value(state) AS state, any_value(tariff) AS tariff,
        min(since) AS since, max(until) AS until, sum(until - since) AS seconds, sum(extra) AS extra
    FROM numbered GROUP BY instance, number
)
SELECT stretches.*, sizes.flavor, called.name
FROM stretches
    JOIN sizes USING (size)
    ASOF LEFT JOIN called ON called.instance = stretches.instance AND called.since <= stretches.until
"""

_READ = """
SELECT project, path, name, instance, flavor, state, since, until, seconds, extra, tariff
FROM (SELECT *, first_value(name) OVER (PARTITION BY instance ORDER BY since) AS first_name FROM lines)
ORDER BY path NULLS LAST, project NULLS LAST, first_name NULLS LAST, instance, since
"""


def name_servers(cursor: duckdb.DuckDBPyConnection, names: Iterable[tuple[str, datetime, str]]) -> None:
    """Tell the engine what servers were called from when on (UTC): the instance, the time, and the name.

    Those of one instance come in the order of time; before the first it is called so, too.
    """
    cursor.execute("CREATE OR REPLACE TABLE called (instance VARCHAR, since BIGINT, name VARCHAR)")
    batch: list[tuple[str, int, str]] = []
    before = None
    for instance, since, name in names:
        batch.append((instance, int(since.timestamp()) if instance == before else 0, name))
        before = instance
        if len(batch) == _ROWS_AT_ONCE:
            inserted(cursor, "called", batch)
            batch.clear()
    inserted(cursor, "called", batch)


def name_projects(cursor: duckdb.DuckDBPyConnection, reckoned: Reckoned, projects: Projects) -> None:
    """Tell the engine the paths of projects in the site's tree, as they are shown; none where nobody owns anything."""
    cursor.execute("CREATE OR REPLACE TABLE paths (cut BIGINT, path VARCHAR)")
    shown = [projects.label(cut.path) if reckoned.owned else None for cut in reckoned.cuts]
    inserted(cursor, "paths", list(enumerate(shown)))


def make_lines(
    cursor: duckdb.DuckDBPyConnection, reckoned: Reckoned, chosen: Chosen, projects: Projects
) -> list[StatementLine]:
    """Make the table `lines` of what was chosen, and return the lines that rounding adds to it."""
    scope, values = scoped(cursor, reckoned.cuts, chosen)
    cursor.execute(LINES.format(scope=scope), values)
    return [
        StatementLine(
            project=one.project,
            path=projects.label(one.cut.path) if reckoned.owned else None,
            server=None,
            instance=None,
            flavor=None,
            state=None,
            start=None,
            end=None,
            seconds=0,
            unit=one.term.unit,
            units=one.units,
            price=one.term.price,
            note=ROUNDED,
        )
        for one in added(cursor, reckoned, chosen)
    ]


def read_lines(
    connection: duckdb.DuckDBPyConnection, reckoned: Reckoned, more: Sequence[StatementLine]
) -> Iterator[StatementLine]:
    """Yield the lines by path, project, server and time; `more` at the end."""
    with queried(), connection.cursor() as cursor:
        cursor.execute(_READ)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            for project, path, name, instance, flavor, state, since, until, seconds, extra, number in rows:
                tariff = reckoned.tariffs[number]
                line = StatementLine(
                    project=project,
                    path=path,
                    server=name,
                    instance=instance,
                    flavor=flavor,
                    state=state,
                    start=datetime.fromtimestamp(since, UTC),
                    end=datetime.fromtimestamp(until, UTC),
                    seconds=int(seconds),
                    note=tariff.free or "" if reckoned.rates else "",
                )
                yield line if tariff.term is None else _charged(line, tariff.term, int(seconds) + int(extra))
    yield from more


def _charged(line: StatementLine, term: Term, seconds: int) -> StatementLine:
    units = None if term.count is None else term.count * seconds / _HOUR
    return replace(
        line, charged=seconds, unit=term.unit, count=term.count, units=units, price=term.price, note=term.finding or ""
    )
