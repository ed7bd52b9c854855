"""Sessions to who used what in a period: by institution, PI, project, user, flavor and day, and in the tree."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import add
from typing import Any, NamedTuple, TypeVar

import duckdb

from hierarchy.owners import Owner
from hierarchy.projects import Projects
from ledger.ownership import ProjectKey
from reporter.attribution import Cut, Member, Who, Whose, apportioned, write_members
from reporter.engine_sessions import EngineSessions
from reporter.periods import Period
from reporter.records import UNKNOWN, Branch, By, Daily, Group, Line, Only, Portion, UsageReport, Used
from reporter.restriction import Chosen, chosen_of
from reporter.sessions import queried
from reporter.source import Asked, Row, Source
from usage import Engine

__all__ = ["asked_of", "usage_report"]

_SUMMED = """
SELECT cut, project, username, flavor, sum(active), sum(core), sum(inactive), sum(shelved), sum(other), sum(unsized)
FROM seen
GROUP BY cut, project, username, flavor ORDER BY ALL NULLS LAST
"""

#: What sums are by; each is told apart from the others by its name, and by the names of its groups.
_LINES, _PIS, _PROJECTS, _USERS, _FLAVORS, _TOTAL = "line", "PI", "project", "user", "flavor", "total"
_INSTITUTION, _OWN, _WITHIN = "institution", "own", "within"

#: Servers and sessions; each counts once in a group, however it was cut.
_COUNT = """
    count(DISTINCT instance) + coalesce(sum(servers), 0),
    coalesce(sum(sessions), 0)
    + coalesce(len(list_distinct(flatten(list(cut_sessions) FILTER (cut_sessions IS NOT NULL)))), 0)
"""

#: The columns that sessions tell themselves, or that one of their projects has at a time.
_COLUMNS = {
    _LINES: ("who", "project", "username", "flavor"),
    _PIS: ("who",),
    _PROJECTS: ("project",),
    _USERS: ("username",),
    _FLAVORS: ("flavor",),
    _TOTAL: (),
}

_MEMBERS = f"SELECT member, {_COUNT} FROM seen JOIN members USING (cut) GROUP BY member"

_EVERYTHING = Only()

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
    sessions: Engine | Source,
    period: Period,
    owners: Sequence[Owner] = (),
    projects: Projects | None = None,
    only: Only = _EVERYTHING,
    by: Sequence[By] = (),
) -> UsageReport:
    """Sum up what sessions used within a period; by owners and in the tree, too, if there are any.

    A session counts with the seconds it has in `[start, end)`. XDMoD counts one second more where a session goes on
    after the end of a month or day, so that its sums are larger by at most that. Core hours are of active time only.
    With `only`, no other sessions stay in an engine; with `by`, nothing but these divisions is made. Raises
    ConfigurationError for what is in `only` but not there.
    """
    source = EngineSessions(sessions) if isinstance(sessions, Engine) else sessions
    projects = projects or Projects()
    asked = asked_of(source, period, owners, projects, only, by)
    with queried(), source.connection.cursor() as cursor:
        source.see(cursor, asked)
        cuts = asked.whose.cuts
        parts = list(_parts(cursor.execute(_SUMMED).fetchall(), cuts, asked.chosen))
        counts = _counts(cursor, asked) | _member_counts(cursor, cuts)
        daily = () if by else _days(source.daily(cursor, asked), cuts, asked)
        first, last = source.reach(asked)
    counted = counts[_TOTAL,] != (0, 0)
    stated = any(part.cut.stated for part in parts)
    known = bool(owners) or source.owned or stated
    total = _summed(parts, lambda _: (_TOTAL,))

    def groups(what: By, *key: Any) -> tuple[Group, ...]:
        return _groups(parts, counts, *key) if not by or what in by else ()

    return UsageReport(
        period=period,
        total=_used(counts, (_TOTAL,), total.get((_TOTAL,), _NONE)),
        lines=() if by else _lines(parts, counts),
        institutions=groups("institution", lambda part: (_INSTITUTION, part.institution)) if known else (),
        pis=groups("PI", lambda part: (_PIS, part.cut.who), _pi) if known else (),
        projects=groups("project", lambda part: (_PROJECTS, part.project)),
        users=groups("user", lambda part: (_USERS, part.user)),
        flavors=groups("flavor", lambda part: (_FLAVORS, part.flavor)),
        daily=daily,
        first=None if counted else _time(first),
        last=_time(min(last, period.seconds[1]) if counted and last is not None else last),
        tree=_tree(parts, counts, projects) if known and (not by or "research project" in by) else (),
        portions=_portions(parts, projects) if stated and (not by or "institution" in by) else (),
        only=only,
        by=asked.by,
    )


def asked_of(
    source: Source,
    period: Period,
    owners: Sequence[Owner] = (),
    projects: Projects | None = None,
    only: Only = _EVERYTHING,
    by: Sequence[By] = (),
) -> Asked:
    """Return what a report asks of its sessions. Raises ConfigurationError for what is in `only` but not there."""
    projects = projects or Projects()
    chosen = chosen_of(only, source.names(), owners, projects) if only else Chosen()
    return Asked(period, Whose(period, owners, projects, chosen), chosen, tuple(by))


def _parts(rows: Iterable[tuple[Any, ...]], cuts: Sequence[Cut], chosen: Chosen) -> Iterator[_Part]:
    """Each sum of the finest division, divided between those who fund it: all else is made by adding these up."""
    for number, project, user, flavor, *times in rows:
        cut = cuts[number]
        shares = [part for _, part in cut.parts]
        for (institution, share), *own in zip(cut.parts, *(apportioned(one, shares) for one in times), strict=True):
            if chosen.institution in (None, (institution,)):
                stated = str(share) if cut.stated else None
                yield _Part(cut, institution, stated, project, user, flavor, tuple(own))


def _counts(cursor: duckdb.DuckDBPyConnection, asked: Asked) -> dict[Hashable, tuple[int, int]]:
    """Servers and sessions of each grouping, by it and the names that it is by."""
    counts, whos = dict[Hashable, tuple[int, int]](), asked.whose.whos
    for what, columns in _COLUMNS.items():
        if not asked.by or what == _TOTAL or what in asked.by:
            names = ", ".join(columns)
            counted = f"SELECT {_COUNT} {names and ', '}{names} FROM seen {names and 'GROUP BY '}{names}"
            for servers, sessions, *values in cursor.execute(counted).fetchall():
                if "who" in columns:
                    values[0] = whos[values[0]]
                counts[what, *values] = (servers, sessions)
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

    def named(key: tuple[str, Who, str | None, str | None, str | None]) -> tuple[tuple[bool, str], ...]:
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


def _days(rows: Iterable[Row], cuts: Sequence[Cut], asked: Asked) -> tuple[Daily, ...]:
    """The core seconds of days, each divided by itself where only one institution's part is asked for."""
    sums: dict[tuple[int, str | None], int] = defaultdict(int)
    for number, day, project, core in rows:
        institutions, shares = zip(*cuts[number].parts, strict=True)
        for institution, own in zip(institutions, apportioned(core, shares), strict=True):
            if asked.chosen.institution in (None, (institution,)):
                sums[day, project] += own
    days = [day for day, *_ in asked.period.each_day()]
    ordered = sorted(sums, key=lambda key: (key[0], key[1] is None, key[1] or ""))
    return tuple(Daily(days[day], project, sums[day, project]) for day, project in ordered)


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
