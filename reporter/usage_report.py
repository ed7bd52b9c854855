"""Sessions to who used what in a month: by institution, PI, project, user, flavor and day, and in the tree."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from operator import add
from typing import Any, NamedTuple, TypeVar

import duckdb

from hierarchy.owners import Owner
from hierarchy.projects import Projects
from ledger.ownership import ProjectKey
from ledger.times import EPOCH
from reporter.attribution import PIECES, Cut, Member, Who, apportioned, cut_up, write_members
from reporter.periods import Period
from reporter.records import UNKNOWN, Branch, Daily, Group, Line, Only, Portion, UsageReport, Used
from reporter.restriction import Chosen, chosen_of, narrow
from reporter.sessions import bounds, queried
from usage import Engine

__all__ = ["usage_report"]

#: What each server used, cut by cut: the quantities of Used in its order, and its sessions that are in one cut only.
_SEEN = f"""
CREATE OR REPLACE TEMP TABLE seen AS
WITH {PIECES}
SELECT
    cut, who, project, username, flavor, instance,
    coalesce(sum(seconds) FILTER (state = 'active'), 0) AS active,
    coalesce(sum(seconds * cores) FILTER (state = 'active'), 0) AS core,
    coalesce(sum(seconds) FILTER (state = 'inactive'), 0) AS inactive,
    coalesce(sum(seconds) FILTER (state = 'shelved'), 0) AS shelved,
    coalesce(sum(seconds) FILTER (state = 'other'), 0) AS other,
    coalesce(sum(seconds) FILTER (state = 'active' AND cores IS NULL), 0) AS unsized,
    count(*) FILTER (whole) AS sessions,
    list(session) FILTER (NOT whole) AS cut_sessions
FROM pieces
GROUP BY ALL
"""

_SUMMED = """
SELECT cut, project, username, flavor, sum(active), sum(core), sum(inactive), sum(shelved), sum(other), sum(unsized)
FROM seen
GROUP BY cut, project, username, flavor ORDER BY ALL NULLS LAST
"""

#: Each grouping by what GROUPING() says of it: a bit for each of who, project, username and flavor that is summed over.
_LINES, _PIS, _PROJECTS, _USERS, _FLAVORS, _TOTAL = 0b0000, 0b0111, 0b1011, 0b1101, 0b1110, 0b1111
_BITS = (0b1000, 0b0100, 0b0010, 0b0001)

#: Servers and sessions; each counts once in a group, however it was cut.
_COUNT = """
    count(DISTINCT instance),
    coalesce(sum(sessions), 0)
    + coalesce(len(list_distinct(flatten(list(cut_sessions) FILTER (cut_sessions IS NOT NULL)))), 0)
"""

_COUNTED = f"""
SELECT GROUPING(who, project, username, flavor), who, project, username, flavor, {_COUNT}
FROM seen
GROUP BY GROUPING SETS ((who, project, username, flavor), (who), (project), (username), (flavor), ())
"""

_MEMBERS = f"SELECT member, {_COUNT} FROM seen JOIN members USING (cut) GROUP BY member"

_DAILY = f"""
WITH {PIECES},
shares AS (
    SELECT *, unnest(range(since // 86400, (until - 1) // 86400 + 1)) AS day
    FROM pieces WHERE state = 'active' AND seconds * cores > 0
)
SELECT cut, day, project, sum((least(until, (day + 1) * 86400) - greatest(since, day * 86400)) * cores)
FROM shares GROUP BY ALL ORDER BY ALL NULLS LAST
"""

_REACH = "SELECT min(start_time_ts), max(end_time_ts) FROM sessions"

_EVERYTHING = Only()
_INSTITUTION, _OWN, _WITHIN = "institution", "own", "within"

#: The times of Used, from active on.
_Times = tuple[int, ...]
_NONE: _Times = (0,) * 6
#: Servers and sessions.
_Counts = Mapping[Hashable, tuple[int, int]]
_K = TypeVar("_K", bound=Hashable)


class _Part(NamedTuple):
    """What one institution has of what one user used in one project with one flavor."""

    cut: Cut
    institution: str | None
    share: str | None
    project: str | None
    user: str | None
    flavor: str | None
    times: _Times


def usage_report(
    engine: Engine,
    period: Period,
    owners: Sequence[Owner] = (),
    projects: Projects | None = None,
    only: Only = _EVERYTHING,
) -> UsageReport:
    """Sum up what the engine's sessions used within a period; by owners and in the tree, too, if there are any.

    A session counts with the seconds it has in `[start, end)`. XDMoD counts one second more where a session goes on
    after the end of a month or day, so that its sums are larger by at most that. Core hours are of active time only.
    With `only`, no other sessions stay in the engine. Raises ConfigurationError for what is in `only` but not there.
    """
    projects = projects or Projects()
    with queried(), engine.connection.cursor() as cursor:
        reach = cursor.execute(_REACH).fetchall()[0]
        chosen = chosen_of(only, cursor, owners, projects) if only else Chosen()
        cuts, whos = cut_up(cursor, period, owners, projects, chosen)
        if only:
            narrow(cursor, period, chosen)
        cursor.execute(_SEEN, bounds(period))
        parts = list(_parts(cursor.execute(_SUMMED).fetchall(), cuts, chosen))
        counts = _counts(cursor, whos) | _member_counts(cursor, cuts)
        daily = cursor.execute(_DAILY, bounds(period)).fetchall()
    known = bool(owners) or any(cut.stated for cut in cuts)
    total = _summed(parts, lambda _: (_TOTAL,))
    return UsageReport(
        period=period,
        total=_used(counts, (_TOTAL,), total.get((_TOTAL,), _NONE)),
        lines=_lines(parts, counts),
        institutions=_groups(parts, counts, lambda part: (_INSTITUTION, part.institution)) if known else (),
        pis=_groups(parts, counts, lambda part: (_PIS, part.cut.who), _pi) if known else (),
        projects=_groups(parts, counts, lambda part: (_PROJECTS, part.project)),
        users=_groups(parts, counts, lambda part: (_USERS, part.user)),
        flavors=_groups(parts, counts, lambda part: (_FLAVORS, part.flavor)),
        daily=_days(daily, cuts, chosen),
        first=_time(reach[0]),
        last=_time(reach[1]),
        tree=_tree(parts, counts, projects) if known else (),
        portions=_portions(parts, projects) if any(cut.stated for cut in cuts) else (),
        only=only,
    )


def _parts(rows: Iterable[tuple[Any, ...]], cuts: Sequence[Cut], chosen: Chosen) -> Iterator[_Part]:
    """Each sum of the finest division, divided between those who fund it: all else is made by adding these up."""
    for number, project, user, flavor, *times in rows:
        cut = cuts[number]
        shares = [part for _, part in cut.parts]
        for (institution, share), *own in zip(cut.parts, *(apportioned(one, shares) for one in times), strict=True):
            if chosen.institution in (None, (institution,)):
                stated = str(share) if cut.stated else None
                yield _Part(cut, institution, stated, project, user, flavor, tuple(own))


def _counts(cursor: duckdb.DuckDBPyConnection, whos: Sequence[Who]) -> dict[Hashable, tuple[int, int]]:
    """Servers and sessions of each grouping, by it and the names that it is by."""
    counts = dict[Hashable, tuple[int, int]]()
    for grouping, who, *names, servers, sessions in cursor.execute(_COUNTED).fetchall():
        values = (None if who is None else whos[who], *names)
        by = (value for bit, value in zip(_BITS, values, strict=True) if not grouping & bit)
        counts[grouping, *by] = (servers, sessions)
    return counts


def _member_counts(cursor: duckdb.DuckDBPyConnection, cuts: Sequence[Cut]) -> dict[Hashable, tuple[int, int]]:
    members: list[Member] = write_members(cursor, map(_members, cuts))
    return {members[number]: (servers, sessions) for number, servers, sessions in cursor.execute(_MEMBERS).fetchall()}


def _members(cut: Cut) -> Iterator[Member]:
    """All that the usage of a cut counts for, beside what sessions tell themselves."""
    yield from ((_INSTITUTION, name) for name, _ in cut.parts)
    yield _OWN, cut.path[-1]
    yield from ((_WITHIN, key) for key in cut.path)


def _summed(parts: Iterable[_Part], key: Callable[[_Part], _K]) -> dict[_K, _Times]:
    sums: dict[_K, _Times] = {}
    for part in parts:
        name = key(part)
        sums[name] = _plus(sums.get(name, _NONE), part.times)
    return sums


def _plus(one: _Times, other: _Times) -> _Times:
    return tuple(map(add, one, other))


def _used(counts: _Counts, key: Hashable, times: _Times) -> Used:
    return Used(*counts.get(key, (0, 0)), *times)


def _lines(parts: Iterable[_Part], counts: _Counts) -> tuple[Line, ...]:
    sums = _summed(parts, lambda part: (_LINES, part.cut.who, part.project, part.user, part.flavor))

    def named(key: tuple[int, Who, str | None, str | None, str | None]) -> tuple[tuple[bool, str], ...]:
        _, who, *rest = key
        return tuple((name is None, name or "") for name in (who.institution, who.pi, *rest, who.identity))

    ordered = sorted(sums, key=named)
    return tuple(Line(key[1].institution, key[1].pi, *key[2:], _used(counts, key, sums[key])) for key in ordered)


def _groups(
    parts: Iterable[_Part],
    counts: _Counts,
    key: Callable[[_Part], tuple[Hashable, Any]],
    name: Callable[[Any], str | None] = lambda name: name,
) -> tuple[Group, ...]:
    groups = [Group(name(one[1]), _used(counts, one, times)) for one, times in _summed(parts, key).items()]
    return tuple(sorted(groups, key=_most_first))


def _pi(who: Who) -> str | None:
    """A PI's name with the institution, for two may have one name."""
    return None if who.pi is None else f"{who.pi}, {who.institution or UNKNOWN}"


def _most_first(group: Group) -> tuple[int, int, bool, str]:
    return -group.used.core, -group.used.active, group.name is None, group.name or ""


def _tree(parts: Sequence[_Part], counts: _Counts, projects: Projects) -> tuple[Branch, ...]:
    """The projects of all paths, each with what it used itself and what all below it did."""
    own = _summed(parts, lambda part: part.cut.path)
    within: dict[tuple[ProjectKey, ...], _Times] = defaultdict(lambda: _NONE)
    for path, times in own.items():
        for depth in range(1, len(path) + 1):
            within[path[:depth]] = _plus(within[path[:depth]], times)
    ordered = sorted(within, key=lambda path: [(projects.title(key), key) for key in path])
    return tuple(
        Branch(
            path[-1],
            tuple(projects.title(key) for key in path[1:]),
            _used(counts, (_OWN, path[-1]), own.get(path, _NONE)),
            _used(counts, (_WITHIN, path[-1]), within[path]),
        )
        for path in ordered
    )


def _portions(parts: Iterable[_Part], projects: Projects) -> tuple[Portion, ...]:
    sums = _summed(parts, lambda part: (part.institution, part.cut.path[-1], part.share))
    ordered = sorted(sums, key=lambda key: (key[0] is None, key[0] or "", key[1], key[2] or ""))
    return tuple(Portion(*key[:2], projects.title(key[1]), key[2], *sums[key]) for key in ordered)


def _days(rows: Iterable[tuple[Any, ...]], cuts: Sequence[Cut], chosen: Chosen) -> tuple[Daily, ...]:
    """The core seconds of days, each divided by itself where only one institution's part is asked for."""
    sums: dict[tuple[int, str | None], int] = defaultdict(int)
    for number, day, project, core in rows:
        institutions, shares = zip(*cuts[number].parts, strict=True)
        for institution, own in zip(institutions, apportioned(core, shares), strict=True):
            if chosen.institution in (None, (institution,)):
                sums[day, project] += own
    ordered = sorted(sums, key=lambda key: (key[0], key[1] is None, key[1] or ""))
    return tuple(Daily(_day(day), project, sums[day, project]) for day, project in ordered)


def _day(number: int) -> date:
    return (EPOCH + timedelta(days=number)).date()


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
