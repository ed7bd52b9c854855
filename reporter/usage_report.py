"""Sessions to who used what in a month: by project, by user, by flavor and by day."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hierarchy.owners import Owner
from ledger.times import EPOCH
from reporter.periods import Period
from reporter.records import UNKNOWN, Daily, Group, Line, UsageReport, Used
from reporter.sessions import CLIPPED, OWNED, bounds, owned_by, queried
from usage import Engine

__all__ = ["usage_report"]

_USED = """
    count(DISTINCT instance),
    count(*),
    coalesce(sum(seconds) FILTER (state = 'active'), 0),
    coalesce(sum(core_seconds), 0),
    coalesce(sum(seconds) FILTER (state = 'inactive'), 0),
    coalesce(sum(seconds) FILTER (state = 'shelved'), 0),
    coalesce(sum(seconds) FILTER (state = 'other'), 0),
    coalesce(sum(seconds) FILTER (state = 'active' AND cores IS NULL), 0)
"""

#: Each grouping by what GROUPING() says of it: a bit for each of project, username and flavor that is summed over.
_PROJECTS, _USERS, _FLAVORS, _TOTAL = 0b011, 0b101, 0b110, 0b111

_GROUPED = f"""
WITH clipped AS ({CLIPPED}),
known AS (SELECT *, CASE WHEN cores IS NOT NULL THEN instance_type END AS flavor FROM clipped)
SELECT GROUPING(project, username, flavor), project, username, flavor, {_USED}
FROM known
GROUP BY GROUPING SETS ((project), (username), (flavor), ())
ORDER BY ALL NULLS LAST
"""

#: The same for institution, PI, and a line of the finest division.
_LINES, _PIS, _INSTITUTIONS = 0b00, 0b01, 0b11

_OWNED = f"""
WITH owned AS ({OWNED}),
known AS (
    SELECT
        * REPLACE (nullif(institution, '{UNKNOWN}') AS institution, nullif(pi, '{UNKNOWN}') AS pi),
        CASE WHEN cores IS NOT NULL THEN instance_type END AS flavor
    FROM owned
)
SELECT GROUPING(pi_identity, project), institution, pi, project, username, flavor, {_USED}
FROM known
GROUP BY GROUPING SETS (
    (institution, pi, pi_identity, project, username, flavor), (institution, pi, pi_identity), (institution)
)
ORDER BY ALL NULLS LAST
"""

_DAILY = f"""
WITH clipped AS ({CLIPPED}),
shares AS (
    SELECT *, unnest(range(since // 86400, (until - 1) // 86400 + 1)) AS day
    FROM clipped WHERE core_seconds > 0
)
SELECT day, project, sum((least(until, (day + 1) * 86400) - greatest(since, day * 86400)) * cores)
FROM shares GROUP BY ALL ORDER BY ALL NULLS LAST
"""

_REACH = "SELECT min(start_time_ts), max(end_time_ts) FROM sessions"

_Row = tuple[Any, ...]


def usage_report(engine: Engine, period: Period, owners: Sequence[Owner] = ()) -> UsageReport:
    """Sum up what the engine's sessions used within a period; by institution and PI, too, if there are owners.

    A session counts with the seconds it has in `[start, end)`. XDMoD counts one second more where a session goes on
    after the end of a month or day, so that its sums are larger by at most that. Core hours are of active time only.
    """
    with queried(), engine.connection.cursor() as cursor:
        owned_by(engine.connection, owners)
        grouped = cursor.execute(_GROUPED, bounds(period)).fetchall()
        owned = cursor.execute(_OWNED, bounds(period)).fetchall()
        daily = cursor.execute(_DAILY, bounds(period)).fetchall()
        ((first, last),) = cursor.execute(_REACH).fetchall()
    totals = [Used(*row[4:]) for row in grouped if row[0] == _TOTAL]
    return UsageReport(
        period=period,
        total=totals[0] if totals else Used(*(0,) * len(Used.__struct_fields__)),
        lines=tuple(Line(row[1], row[2], row[3], row[4], row[5], Used(*row[6:])) for row in owned if row[0] == _LINES),
        institutions=_groups(owned, _INSTITUTIONS, lambda row: row[1], 6) if owners else (),
        pis=_groups(owned, _PIS, _pi, 6) if owners else (),
        projects=_groups(grouped, _PROJECTS, lambda row: row[1]),
        users=_groups(grouped, _USERS, lambda row: row[2]),
        flavors=_groups(grouped, _FLAVORS, lambda row: row[3]),
        daily=tuple(Daily(_day(day), project, core) for day, project, core in daily),
        first=_time(first),
        last=_time(last),
    )


def _pi(row: _Row) -> str | None:
    """A PI's name with the institution, for two may have one name."""
    institution, pi = row[1:3]
    return None if pi is None else f"{pi}, {institution or UNKNOWN}"


def _groups(rows: list[_Row], grouping: int, name: Callable[[_Row], str | None], used_at: int = 4) -> tuple[Group, ...]:
    groups = [Group(name(row), Used(*row[used_at:])) for row in rows if row[0] == grouping]
    return tuple(sorted(groups, key=_most_first))


def _most_first(group: Group) -> tuple[int, int, bool, str]:
    return -group.used.core, -group.used.active, group.name is None, group.name or ""


def _day(number: int) -> date:
    return (EPOCH + timedelta(days=number)).date()


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
