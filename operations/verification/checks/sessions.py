"""Checks of sessions: none overlaps another, days have all of them, each has a size."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from operations.verification.checks.books import Books
from operations.verification.checks.records import Checked, Finding, checked, error
from reporter.records import UNKNOWN
from reporter.sessions import CLIPPED, bounds, days_of, queried

__all__ = ["divided", "overlapping", "sized"]

_COUNT = f"SELECT count(*), count(DISTINCT instance) FROM ({CLIPPED})"

_OVERLAPPING = f"""
WITH clipped AS ({CLIPPED}),
placed AS (
    SELECT instance, start_time_ts, end_time_ts,
        max(end_time_ts) OVER (
            PARTITION BY instance ORDER BY start_time_ts, end_time_ts ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS before
    FROM clipped
)
SELECT instance, start_time_ts, before, least(before, end_time_ts) - start_time_ts FROM placed
WHERE before > start_time_ts AND end_time_ts > start_time_ts ORDER BY ALL
"""

#: Each server's seconds, whole and by day, and both for its active core seconds.
_DIVIDED = f"""
WITH clipped AS ({CLIPPED}),
whole AS (SELECT instance, sum(seconds) AS seconds, coalesce(sum(core_seconds), 0) AS core FROM clipped GROUP BY ALL),
parts AS (
    SELECT instance,
        sum(least(clipped.until, days.until) - greatest(clipped.since, days.since)) AS seconds,
        coalesce(sum(
            (least(clipped.until, days.until) - greatest(clipped.since, days.since)) * cores
        ) FILTER (state = 'active'), 0) AS core
    FROM clipped JOIN days ON clipped.since < days.until AND clipped.until > days.since
    GROUP BY ALL
)
SELECT instance, whole.seconds, coalesce(parts.seconds, 0), whole.core, coalesce(parts.core, 0)
FROM whole LEFT JOIN parts USING (instance)
WHERE whole.seconds <> coalesce(parts.seconds, 0) OR whole.core <> coalesce(parts.core, 0)
ORDER BY ALL
"""

_UNSIZED = f"""
SELECT instance, min(instance_type), sum(seconds) FROM ({CLIPPED})
WHERE cores IS NULL OR memory_mb <= 0 OR instance_type IS NULL OR lower(instance_type) = '{UNKNOWN}'
GROUP BY instance ORDER BY ALL
"""


def overlapping(books: Books) -> Checked:
    """No second of a server is in two of its sessions."""
    found = (
        error(
            instance,
            f"a session from {_shown(start)} that begins when the one before has ended",
            f"the one before ends at {_shown(before)}",
            f"{seconds:,} s counted twice",
        )
        for instance, start, before, seconds in _rows(books, _OVERLAPPING)
    )
    return checked("sessions of a server do not overlap", _count(books)[0], "sessions", found)


def divided(books: Books) -> Checked:
    """What a server used is what it used on all days, to the second; so it is for the days in the report."""
    with books.engine.connection.cursor() as cursor:
        days_of(cursor, books.period)
    found = [*_servers(books), *_projects(books)]
    return checked("days add up to the sessions clipped to the period", _count(books)[1], "servers", found)


def sized(books: Books) -> Checked:
    """Every session has a size that is known: without cores, what it used is in no sum of core hours."""
    found = (
        error(instance, "a flavor with cores and memory", flavor or UNKNOWN, f"{seconds:,} s without a size")
        for instance, flavor, seconds in _rows(books, _UNSIZED)
    )
    return checked("each session has a flavor and a size", _count(books)[0], "sessions", found)


def _servers(books: Books) -> Iterator[Finding]:
    for instance, seconds, by_day, core, core_by_day in _rows(books, _DIVIDED):
        if seconds != by_day:
            yield error(instance, f"{seconds:,} s", f"{by_day:,} s by day", f"{by_day - seconds:+,} s")
        if core != core_by_day:
            yield error(
                instance, f"{core:,} core s", f"{core_by_day:,} core s by day", f"{core_by_day - core:+,} core s"
            )


def _projects(books: Books) -> Iterator[Finding]:
    """The days that the report shows, and its projects."""
    shown: dict[str | None, int] = {}
    for day in books.report.daily:
        shown[day.project] = shown.get(day.project, 0) + day.core
    for group in books.report.projects:
        by_day = shown.pop(group.name, 0)
        if by_day != group.used.core:
            yield _unlike(group.name, group.used.core, by_day)
    yield from (_unlike(name, 0, by_day) for name, by_day in shown.items() if by_day)


def _unlike(name: str | None, core: int, by_day: int) -> Finding:
    return error(
        f"project {name or UNKNOWN}", f"{core:,} core s", f"{by_day:,} core s by day", f"{by_day - core:+,} core s"
    )


def _count(books: Books) -> tuple[int, int]:
    ((sessions, servers),) = _rows(books, _COUNT)
    return sessions, servers


def _rows(books: Books, statement: str) -> list[tuple[Any, ...]]:
    with queried(), books.engine.connection.cursor() as cursor:
        return cursor.execute(statement, bounds(books.period)).fetchall()


def _shown(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
