"""The sessions of servers, as a warehouse sends them, into lines of the list of sessions: fast, and with little memory.

All that a session shares with others, names and sizes, is looked up, made safe and checked once for each server.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import jsonschema_rs

import schemas
from hierarchy.owners import Owner
from ledger import DataError
from ledger.counts import counted
from ledger.text import DOMAIN_WIDTH, PROJECT_WIDTH, fitted
from ledger.times import EPOCH
from reporter.csvs import cell, unfit
from reporter.periods import Period
from reporter.records import UNKNOWN
from reporter.session_list import FORM, Chosen
from reporter.xdmod.names import UNKNOWN_ID, XdmodNames, XdmodPeople
from usage import rules

__all__ = ["Keep", "Lister", "parted"]

_STATES = {rules.ACTIVE: "active", rules.INACTIVE: "inactive", rules.SHELVED: "shelved"}
_ODD = re.compile(r'[",\r\n]')
_DAY = 86_400
#: So many kinds of sessions are remembered with what they say.
_REMEMBERED = 50_000

#: The columns of a session behind its own times, in their order: numbers, or ids of names.
_SHARED = (
    *("start_event_type", "end_event_type", "flavor", "num_cores", "memory_mb", "disk_gb", "host"),
    *("account", "domain", "pi", "organization", "systemaccount", "state"),
)

#: The cells between the server and the times of a line, and those behind the times.
_BEFORE = ("project", "user", "domain", "resource", "institution", "pi", "state")
_AFTER = ("flavor", "cores", "memory_mb", "disk_gb", "host", "start_event_type_id", "end_event_type_id")
#: So many names and numbers are remembered as cells.
_CELLS = 100_000


class _Stretch(NamedTuple):
    """For whom the sessions of a project count within `[since, until)`, in seconds since 1970."""

    since: int
    until: int
    who: tuple[str | None, str | None]


class _Kind(NamedTuple):
    """What sessions have in common that differ in their times alone.

    `parts` are `[since, until)` of those for whom they count, each with the cells between server and times; `after`
    are those behind the times. `cores` is what seconds are multiplied with: 0 where they are not active, None where the
    size is not known. Only what overlaps `keep` is listed.
    """

    parts: Sequence[tuple[int, int, str]]
    after: str
    cores: int | None
    keep: Sequence[tuple[int, int]] | None


#: A kind, and before it what all of a line but its times comes from where a session lies within `[low, high]`, which
#: is one part: `low`, `high`, its cells, `after`, `cores`. A bare tuple, for that is taken apart fastest.
_Known = tuple[int, int, str, str, int | None, _Kind]


#: When, in seconds since 1970, the sessions of such ids are listed, whatever else is asked for; the user's is the last.
Keep = Callable[[Mapping[str, int], str | None], Sequence[tuple[int, int]] | None]


class _Days(dict[int, str]):
    """The dates of days since 1970."""

    def __missing__(self, day: int) -> str:
        self[day] = said = str(date.fromordinal(_EPOCH + day))
        return said


_EPOCH = EPOCH.toordinal()
_DATES = _Days()
_SIXTY = [f"{number:02}" for number in range(60)]
_CLOCK = [f"T{hour}:{minute}:{second}Z" for hour in _SIXTY[:24] for minute in _SIXTY for second in _SIXTY]


def _time(second: int) -> str:
    return _DATES[second // _DAY] + _CLOCK[second % _DAY]


class Lister:
    """Makes the lines of one resource and period; `people` are there where the sessions belong to whom XDMoD says."""

    def __init__(
        self,
        names: XdmodNames,
        people: XdmodPeople | None,
        owners: Iterable[Owner],
        resource: str,
        period: Period,
        chosen: Chosen,
        keep: Keep | None = None,
    ) -> None:
        self._names, self._people, self._resource, self._chosen, self._keep = names, people, resource, chosen, keep
        self._first, self._limit = period.seconds
        self._kinds: dict[str, _Known | None] = {}
        self._owned: dict[tuple[str, str | None], list[_Stretch]] = defaultdict(list)
        for one in owners:
            domain = fitted(one.label.domain, DOMAIN_WIDTH) if one.label.domain else None
            since, until = int(one.since.timestamp()), int(one.until.timestamp())
            self._owned[fitted(one.label.name, PROJECT_WIDTH), domain].append(
                _Stretch(since, until, (one.institution, one.pi))
            )
        for stretches in self._owned.values():
            stretches.sort(key=lambda stretch: stretch.since)

    def block(self, servers: Iterable[str]) -> str:
        """Return the lines of some servers, by start, start event and owner. Raises DataError for what is unfit."""
        lines: list[str] = []
        for said in servers:
            _, name, sessions = parted(said)
            instance, above = _made("instance", name), len(lines)
            if not self._add(instance, sessions, lines):
                # As good as always they are in order, which takes less to see than to bring about.
                del lines[above:]
                self._add(instance, sorted(sessions, key=_place), lines)
        return "".join(lines)

    def _add(self, instance: str, sessions: Iterable[str], lines: list[str]) -> bool:
        """Add the lines of one server, and return whether each session began later than the one before."""
        kinds, dates, clock, in_order, earlier = self._kinds, _DATES, _CLOCK, True, -1
        for session in sessions:
            began, ended, rest = session.split(",", 2)
            try:
                known = kinds[rest]
            except KeyError:
                known = self._remembered(rest)
            start, end = int(began), int(ended)
            if start <= earlier:
                in_order = False
            earlier = start
            if known is None:
                continue
            low, high, before, after, cores, kind = known
            if low <= start <= end <= high:
                # This is what nearly all sessions are, and hence written out: a call more is felt.
                seconds = end - start
                span = f"{dates[start // _DAY]}{clock[start % _DAY]},{dates[end // _DAY]}{clock[end % _DAY]},{seconds},"
                lines.append(f"{instance}{before}{span}{span}{UNKNOWN if cores is None else seconds * cores}{after}")
            else:
                lines += self._parts(instance, start, end, kind)
        return in_order

    def _parts(self, instance: str, start: int, end: int, kind: _Kind) -> Iterator[str]:
        """Yield the lines of a session that reaches beyond the period, or belonged to several: one for each owner."""
        try:
            begin, finish = _time(start), _time(end)
        except (OverflowError, ValueError):
            raise _timeless(instance, start, end) from None
        since, until = max(start, self._first), min(end, self._limit)
        if kind.keep is not None and not _overlap(kind.keep, since, until):
            return
        if end < start:
            raise _backwards(instance, begin, finish)
        for low, high, before in kind.parts:
            if low < max(until, since + 1) and high > since:
                counted_from, counted_to = max(since, low), min(until, high)
                seconds = counted_to - counted_from
                core = UNKNOWN if kind.cores is None else seconds * kind.cores
                yield (
                    f"{instance}{before}{begin},{finish},{end - start},{_time(counted_from)},{_time(counted_to)},"
                    f"{seconds},{core}{kind.after}"
                )

    def _remembered(self, rest: str) -> _Known | None:
        """What the ids and sizes of sessions stand for; none where these are not asked for."""
        if len(self._kinds) >= _REMEMBERED:
            self._kinds.clear()
        kind, known = self._kind(dict(zip(_SHARED, map(int, rest.split(",")), strict=True))), None
        if kind is not None:
            # Where an owner follows, an instant at the very end is that one's.
            alone = len(kind.parts) == 1 and kind.keep is None and kind.parts[0][1] == self._limit
            low, high, before = kind.parts[0] if alone else (1, 0, "")
            known = (low, high, before, kind.after, kind.cores, kind)
        self._kinds[rest] = known
        return known

    def _kind(self, ids: Mapping[str, int]) -> _Kind | None:
        project = None if ids["account"] == UNKNOWN_ID else self._names["accounts"].get(ids["account"])
        domain = None if ids["domain"] == UNKNOWN_ID else self._names["domains"].get(ids["domain"])
        user = self._names["users"].get(ids["systemaccount"])
        host = None if ids["host"] == UNKNOWN_ID else self._names["hosts"].get(ids["host"])
        keep = None if self._keep is None else self._keep(ids, user)
        if not self._is_chosen(project, domain, user) or (self._keep is not None and not keep):
            return None
        cores = ids["num_cores"] if ids["num_cores"] > 0 else None
        flavor = self._names["flavors"].get(ids["flavor"]) if cores else None
        sizes = (UNKNOWN,) * 3 if cores is None else (cores, ids["memory_mb"], ids["disk_gb"])
        state = _STATES.get(ids["state"], "other")
        after = _cells(_AFTER, (flavor, *sizes, host, ids["start_event_type"], ids["end_event_type"]))
        parts = []
        for one in self._stretches(ids, project, domain):
            before = _cells(_BEFORE, (project, user, domain, self._resource, *one.who, state))
            parts.append((max(one.since, self._first), min(one.until, self._limit), f",{before},"))
        return _Kind(parts, f",{after}\r\n", cores if state == "active" else 0, keep)

    def _is_chosen(self, project: str | None, domain: str | None, user: str | None) -> bool:
        asked = self._chosen
        return (
            (asked.projects is None or project in asked.projects)
            and (asked.domains is None or domain is None or domain in asked.domains)
            and (asked.users is None or user in asked.users)
        )

    def _stretches(self, ids: Mapping[str, int], project: str | None, domain: str | None) -> Sequence[_Stretch]:
        if self._people is not None:
            who = self._people.who(ids["pi"], ids["organization"])
            found = [_Stretch(self._first, self._limit, (who.institution, who.pi))]
        else:
            called = [] if project is None else [*self._owned[project, None], *self._domains(project, domain)]
            found = called or [_Stretch(self._first, self._limit, (None, None))]
        wanted = self._chosen.institution
        return [one for one in found if wanted is None or (one.who[0] or UNKNOWN) == wanted]

    def _domains(self, project: str, domain: str | None) -> Sequence[_Stretch]:
        return () if domain is None else self._owned[project, domain]


def parted(said: str) -> tuple[int, str, list[str]]:
    """The id of a server, its name, its sessions. Raises DataError where the database leaves out what is too long."""
    count, key, length, rest = said.split(",", 3)
    name, sessions = rest[: int(length)], rest[int(length) :].split("\n")
    if len(sessions) < int(count):
        raise DataError(
            f"The server {name} has {counted(int(count), 'sessions')} in the period, more than the database sends at"
            " once. Set its max_allowed_packet higher, or name a shorter period."
        )
    return int(key), name, sessions


def _place(session: str) -> tuple[int, int]:
    start, _, start_type, _ = session.split(",", 3)
    return int(start), int(start_type)


def _overlap(keep: Sequence[tuple[int, int]], first: int, limit: int) -> bool:
    return any(since < max(limit, first + 1) and until > first for since, until in keep)


def _made(name: str, value: str | int | None) -> str:
    """The cell of a column, guarded and quoted. Raises DataError for what the schema forbids."""
    said = cell(value)
    try:
        _VALIDATORS[name].validate(said)
    except jsonschema_rs.ValidationError as error:
        raise unfit({name: said}, FORM.schema, error.message) from error
    return '"' + said.replace('"', '""') + '"' if _ODD.search(said) else said


_cell = lru_cache(_CELLS)(_made)


def _cells(names: Iterable[str], values: Iterable[str | int | None]) -> str:
    return ",".join(map(_cell, names, values))


def _validators() -> dict[str, jsonschema_rs.Validator]:
    whole = schemas.load(FORM.schema)
    return {
        name: jsonschema_rs.validator_for({"allOf": [one], "definitions": whole["definitions"]})
        for name, one in whole["properties"].items()
    }


_VALIDATORS = _validators()


def _backwards(instance: str, begun: str, ended: str) -> DataError:
    return DataError(
        f"XDMoD has a session of the server {instance} that ends at {ended}, before it begins at {begun}."
        " Nothing was written: have XDMoD ingest the events of this server again."
    )


def _timeless(instance: str, start: int, end: int) -> DataError:
    return DataError(
        f"XDMoD has a session of the server {instance} from {start} to {end}, in seconds since 1970, which no calendar"
        " has. Nothing was written: have XDMoD ingest the events of this server again."
    )
