"""The sessions of servers, as a warehouse sends them, into lines of the list of sessions: fast, and with little memory.

All that a session shares with others, names and sizes, is looked up, made safe and checked once for each server.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import jsonschema_rs

import schemas
from hierarchy.owners import Owner
from ledger import DataError
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

#: The columns of a session behind its own times and event types, in their order: numbers, or ids of names.
_SHARED = (
    *("flavor", "num_cores", "memory_mb", "disk_gb", "host"),
    *("account", "domain", "pi", "organization", "systemaccount", "state"),
)


class _Stretch(NamedTuple):
    """For whom the sessions of a project count within `[since, until)`, in seconds since 1970; `cells` names them."""

    since: int
    until: int
    institution: str | None
    cells: str


class _Shared(NamedTuple):
    """What sessions have in common that differ in their times and event types alone.

    `parts` are `[since, until)` of those for whom they count, each with the cells between the server and the times;
    `after` are the cells between the times and the types. `cores` is what seconds are multiplied with: 0 where they are
    not active, None where the size is not known.
    """

    parts: Sequence[tuple[int, int, str]]
    after: str
    cores: int | None
    keep: Sequence[tuple[int, int]] | None


#: When, in seconds since 1970, the sessions of such ids are listed, whatever else is asked for; the user's is the last.
Keep = Callable[[Mapping[str, int], str | None], Sequence[tuple[int, int]] | None]


class _Days(dict[int, str]):
    """The dates of days since 1970."""

    def __missing__(self, day: int) -> str:
        self[day] = date = str((EPOCH.date()).fromordinal(EPOCH.toordinal() + day))
        return date


_DATES = _Days()
_CLOCK = [f"T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z" for second in range(_DAY)]


def _time(second: int) -> str:
    day, rest = divmod(second, _DAY)
    return _DATES[day] + _CLOCK[rest]


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
        self._cells: dict[str | None, str] = {}
        self._shared: dict[str, _Shared | None] = {}
        self._owned: dict[tuple[str, str | None], list[_Stretch]] = defaultdict(list)
        for one in owners:
            domain = fitted(one.label.domain, DOMAIN_WIDTH) if one.label.domain else None
            since, until = int(one.since.timestamp()), int(one.until.timestamp())
            stretch = _Stretch(since, until, one.institution, self._cells_of(one.institution, one.pi))
            self._owned[fitted(one.label.name, PROJECT_WIDTH), domain].append(stretch)
        for stretches in self._owned.values():
            stretches.sort(key=lambda stretch: stretch.since)

    def block(self, servers: Iterable[str]) -> str:
        """Return the lines of some servers, by start, start event and owner. Raises DataError for what is unfit."""
        lines: list[str] = []
        for said in servers:
            _, name, sessions = parted(said)
            # As good as always they are in order, which takes less to see than to bring about.
            starts = [one[:10] for one in sessions]
            if starts != sorted(set(starts)):
                sessions.sort(key=_place)
            self._add(_checked(cell(name), _INSTANCE), sessions, lines)
        return "".join(lines)

    def _add(self, instance: str, sessions: Iterable[str], lines: list[str]) -> None:
        """Add the lines of one server, several for a session whose project got another owner meanwhile."""
        first, limit, shared = self._first, self._limit, self._shared
        for session in sessions:
            began, ended, start_type, end_type, _, rest = session.split(",", 5)
            known = shared[rest] if rest in shared else self._remembered(rest)
            if known is None:
                continue
            parts, after, cores, keep = known
            start, end = int(began), int(ended)
            since, until = start if start > first else first, end if end < limit else limit
            if keep is not None and not _overlap(keep, since, until):
                continue
            begin, finish = _time(start), _time(end)
            if end < start:
                raise _backwards(instance, begin, finish)
            for low, high, before in parts:
                if low > since or high < until:
                    if low >= max(until, since + 1) or high <= since:
                        continue
                    counted = max(since, low), min(until, high)
                else:
                    counted = since, until
                seconds = counted[1] - counted[0]
                counted_from = begin if counted[0] == start else _time(counted[0])
                counted_to = finish if counted[1] == end else _time(counted[1])
                core = UNKNOWN if cores is None else seconds * cores
                lines.append(
                    f"{instance},{before},{begin},{finish},{end - start},{counted_from},{counted_to},{seconds},{core},"
                    f"{after},{start_type},{end_type}\r\n"
                )

    def _remembered(self, rest: str) -> _Shared | None:
        """What the ids and sizes of sessions stand for; none where these are not asked for."""
        if len(self._shared) >= _REMEMBERED:
            self._shared.clear()
        self._shared[rest] = found = self._found(dict(zip(_SHARED, map(int, rest.split(",")), strict=True)))
        return found

    def _found(self, ids: Mapping[str, int]) -> _Shared | None:
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
        named = ",".join(self._cell(name) for name in (project, user, domain, self._resource))
        return _Shared(
            parts=[
                (one.since, one.until, f"{named},{one.cells},{state}") for one in self._stretches(ids, project, domain)
            ],
            after=",".join((self._cell(flavor), *map(str, sizes), self._cell(host))),
            cores=cores if state == "active" else 0,
            keep=keep,
        )

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
            found = [_Stretch(self._first, self._limit, who.institution, self._cells_of(who.institution, who.pi))]
        else:
            called = [] if project is None else [*self._owned[project, None], *self._domains(project, domain)]
            found = called or [_Stretch(self._first, self._limit, None, self._cells_of(None, None))]
        wanted = self._chosen.institution
        return [one for one in found if wanted is None or (one.institution or UNKNOWN) == wanted]

    def _domains(self, project: str, domain: str | None) -> Sequence[_Stretch]:
        return () if domain is None else self._owned[project, domain]

    def _cells_of(self, institution: str | None, pi: str | None) -> str:
        return f"{self._cell(institution)},{self._cell(pi)}"

    def _cell(self, name: str | None) -> str:
        """A name as it stands in a line, guarded and quoted."""
        if name not in self._cells:
            self._cells[name] = _checked(cell(name), _TEXT)
        return self._cells[name]


def parted(said: str) -> tuple[int, str, list[str]]:
    """The id of a server, its name, its sessions. Raises DataError where the database has cut off what was too long."""
    count, key, length, rest = said.split(",", 3)
    name, sessions = rest[: int(length)], rest[int(length) :].split("\n")
    if len(sessions) < int(count):
        raise DataError(
            f"The server {name} has {int(count):,} sessions in the period, more than the database sends at once."
            " Set its max_allowed_packet higher, or name a shorter period."
        )
    return int(key), name, sessions


def _place(session: str) -> tuple[int, int]:
    start, _, start_type, _ = session.split(",", 3)
    return int(start), int(start_type)


def _overlap(keep: Sequence[tuple[int, int]], first: int, limit: int) -> bool:
    return any(since < max(limit, first + 1) and until > first for since, until in keep)


def _checked(text: str, validator: jsonschema_rs.Validator) -> str:
    """Quote a cell where it has to be. Raises DataError for a text that the schema forbids."""
    if not validator.is_valid(text):
        raise unfit({"cell": text}, FORM.schema, "the text is not as it has to be")
    return '"' + text.replace('"', '""') + '"' if _ODD.search(text) else text


_TEXT = jsonschema_rs.validator_for(schemas.load(FORM.schema)["definitions"]["text"])
_INSTANCE = jsonschema_rs.validator_for(schemas.load(FORM.schema)["properties"]["instance"])


def _backwards(instance: str, begun: str, ended: str) -> DataError:
    return DataError(
        f"XDMoD has a session of the server {instance} that ends at {ended}, before it begins at {begun}."
        " Nothing was written: have XDMoD ingest the events of this server again."
    )
