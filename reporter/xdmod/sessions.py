"""The sessions of one resource in an XDMoD's `session_records`, as the source of a report.

They are summed up in MariaDB, in one pass and by ids; what is left, a row for each server of each sum, gets its names
in the engine.
"""

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from typing import Any, NamedTuple

import duckdb

from hierarchy.owners import Owner
from ledger import DataError
from reporter.attribution import Who
from reporter.listing import lines, listing, ready_cell
from reporter.periods import Period
from reporter.quantities import SUMS
from reporter.records import UNKNOWN, UsageReport
from reporter.restriction import Names
from reporter.session_list import FORM, condition_of
from reporter.session_list import Chosen as Wanted
from reporter.sessions import CLIPPED, OWNED, bounds, days_of, inserted, owned_by, queried
from reporter.source import Asked, Row
from reporter.xdmod.names import NOBODY, UNKNOWN_ID, XdmodNames, XdmodPeople
from reporter.xdmod.query import (
    KEYS,
    LISTED,
    Plan,
    counted_statement,
    daily_statement,
    listing_statement,
    organization,
    summed_statement,
)
from reporter.xdmod.reading import ahead, read_texts
from reporter.xdmod.warehouse import Warehouse
from usage import Engine

__all__ = ["Owned", "XdmodSessions"]

_SUMMED = {
    **dict.fromkeys((*KEYS, "systemaccount", "flavor", "instance", "since", "session"), "BIGINT"),
    **dict.fromkeys((*SUMS, "sessions"), "HUGEINT"),
    **dict.fromkeys(("until", "servers"), "BIGINT"),
}
_DAILY = {**dict.fromkeys((*KEYS, "systemaccount", "since"), "BIGINT"), "core": "HUGEINT"}
_LISTED = dict.fromkeys((*LISTED, *KEYS, "systemaccount", "instance_state_id"), "BIGINT")

_COUNTED_FOR = " AND ".join(f"cuts.{key} = summed.{key}" for key in KEYS)

_SEEN = f"""
CREATE OR REPLACE TEMP TABLE seen AS
SELECT
    cut, who, cuts.project, users.name AS username, flavors.name AS flavor, instance,
    {", ".join(f"sum({name}) AS {name}" for name in SUMS)},
    coalesce(sum(sessions) FILTER (session = 0), 0) AS sessions,
    list(session) FILTER (session <> 0) AS cut_sessions,
    sum(servers) AS servers
FROM summed
    JOIN cuts ON {_COUNTED_FOR} AND cuts.since <= summed.since AND cuts.until > summed.since
    LEFT JOIN users ON users.id = summed.systemaccount
    LEFT JOIN flavors ON flavors.id = summed.flavor
WHERE NOT $by_user OR users.name IS NOT DISTINCT FROM $user
GROUP BY ALL
"""

_DAYS = f"""
SELECT cut, day, cuts.project, sum(core)
FROM daily AS summed
    JOIN cuts ON {_COUNTED_FOR} AND cuts.since <= summed.since AND cuts.until > summed.since
    JOIN days ON days.since <= summed.since AND days.until > summed.since
    LEFT JOIN users ON users.id = summed.systemaccount
WHERE NOT $by_user OR users.name IS NOT DISTINCT FROM $user
GROUP BY ALL HAVING sum(core) > 0 ORDER BY ALL NULLS LAST
"""


_CUTS = (
    "CREATE OR REPLACE TABLE cuts (account BIGINT, domain BIGINT, pi BIGINT, organization BIGINT, project VARCHAR,"
    " since BIGINT, until BIGINT, cut BIGINT, who BIGINT)"
)

#: What is listed, as the engine has its own sessions, with who owns them, XDMoD's id of the server, and the cells of
#: names, which are made once for each name.
_SESSIONS = f"""
CREATE OR REPLACE TEMP TABLE sessions AS
SELECT
    servers.name AS instance, place, start_time_ts, end_time_ts, start_event_type_id, end_event_type_id, num_cores,
    memory_mb, disk_gb, instance_state_id, accounts.name AS project, domains.name AS domain, users.name AS username,
    flavors.name AS instance_type, hosts.name AS host, people.institution, people.name AS pi,
    coalesce(accounts.cell, '{UNKNOWN}') AS project_cell,
    coalesce(domains.cell, '{UNKNOWN}') AS domain_cell,
    coalesce(users.cell, '{UNKNOWN}') AS user_cell,
    coalesce(CASE WHEN num_cores > 0 THEN flavors.cell END, '{UNKNOWN}') AS flavor_cell,
    coalesce(hosts.cell, '{UNKNOWN}') AS host_cell,
    people.institution_cell, people.pi_cell
FROM listed
    JOIN servers ON servers.id = listed.place
    LEFT JOIN accounts ON accounts.id = listed.account
    LEFT JOIN domains ON domains.id = listed.domain
    LEFT JOIN users ON users.id = listed.systemaccount
    LEFT JOIN flavors ON flavors.id = listed.flavor
    LEFT JOIN hosts ON hosts.id = listed.host
    LEFT JOIN people ON people.pi = listed.pi AND people.organization = listed.organization
"""

#: Of these, what has a part in what was cut out of the period.
_NARROWED = f"""{_SESSIONS}
WHERE (NOT $by_user OR users.name IS NOT DISTINCT FROM $user) AND EXISTS (
    FROM cuts
    WHERE {{whose}}
        AND cuts.since < greatest(least(end_time_ts, $limit), greatest(start_time_ts, $first) + 1)
        AND cuts.until > greatest(start_time_ts, $first)
)
"""

#: The table `sessions` of an engine, without the sessions.
_EMPTY = """
CREATE OR REPLACE TABLE sessions (
    instance VARCHAR, start_time_ts BIGINT, end_time_ts BIGINT, start_event_type_id BIGINT, end_event_type_id BIGINT,
    wallduration BIGINT, instance_type VARCHAR, num_cores BIGINT, memory_mb BIGINT, disk_gb BIGINT,
    processorbucket_id BIGINT, memorybucket_id BIGINT, start_day_id BIGINT, end_day_id BIGINT, instance_state_id BIGINT,
    host VARCHAR, project VARCHAR, username VARCHAR, domain VARCHAR
)
"""
_OWNER = "listed.pi || '/' || listed.organization"
_LOAD = """
INSERT INTO main.sessions
SELECT
    servers.name, start_time_ts, end_time_ts, start_event_type_id, end_event_type_id, end_time_ts - start_time_ts,
    flavors.name, num_cores, memory_mb, disk_gb, NULL, NULL, NULL, NULL, instance_state_id,
    hosts.name, accounts.name, users.name, {domain}
FROM listed
    JOIN servers ON servers.id = listed.place
    LEFT JOIN accounts ON accounts.id = listed.account
    LEFT JOIN domains ON domains.id = listed.domain
    LEFT JOIN users ON users.id = listed.systemaccount
    LEFT JOIN flavors ON flavors.id = listed.flavor
    LEFT JOIN hosts ON hosts.id = listed.host
"""
_PROJECTS = "SELECT DISTINCT project, domain FROM sessions WHERE project IS NOT NULL ORDER BY ALL"

_READY = ("project", "domain", "user", "flavor", "host")
_CELLS = ", ".join(f"sessions.{name}_cell" for name in _READY)
_OWNED = f"""
SELECT owned.*, sessions.place, {_CELLS} FROM ({OWNED}) AS owned JOIN sessions ON sessions.rowid = owned.session
"""
_OWNED_BY_PI = f"""
SELECT
    clipped.*, sessions.institution, sessions.pi, sessions.place, {_CELLS}, sessions.institution_cell, sessions.pi_cell
FROM ({CLIPPED}) AS clipped JOIN sessions ON sessions.rowid = clipped.session
"""
_ORDER = "place, start_time_ts, start_event_type_id, since"
#: Of so many servers lines are made at once.
_SERVERS_AT_ONCE = 2_000


class Owned(NamedTuple):
    """Who owns the sessions of a project that have the key `domain`."""

    project: str
    domain: str
    who: Who


class XdmodSessions:
    """What a warehouse has of one resource; `engine` is where the rest is done.

    `owned` says that the sessions belong to whom XDMoD says, their PI and the PI's organization.
    """

    def __init__(self, warehouse: Warehouse, engine: Engine, resource: int, *, owned: bool) -> None:
        self.warehouse = warehouse
        self.connection = engine.connection
        self.resource = resource
        self.owned = owned
        self.statements: list[str] = []
        self._named = XdmodNames(warehouse, resource)
        self._seen: Asked | None = None
        self._last: int | None = None

    @cached_property
    def people(self) -> XdmodPeople | None:
        """Whom XDMoD knows, where the sessions belong to them."""
        return XdmodPeople(self.warehouse) if self.owned else None

    def names(self) -> Names:
        """Return what the sessions are called by, and where they are owned, by whom."""
        projects, users = ({*self._named[kind].values(), UNKNOWN} for kind in ("accounts", "users"))
        if self.people is None:
            return Names(projects, users)
        pairs = self.warehouse.ask(
            f"SELECT DISTINCT sr.principalinvestigator_person_id, {organization(self.warehouse)}"
            f" FROM modw_cloud.session_records AS sr WHERE sr.resource_id = {self.resource}"
        )
        whos = frozenset(self.people.who(int(person), int(home)) for person, home in pairs)
        return Names(projects, users, frozenset(who.institution or UNKNOWN for who in whos), whos)

    def see(self, cursor: duckdb.DuckDBPyConnection, asked: Asked) -> None:
        """Sum up in the warehouse what touches the period; then say whose it is, and leave what was chosen."""
        plan = self._plan(asked)
        by_user = asked.chosen.user is not None or asked.needs("user", shared=plan.shared)
        by_flavor = asked.needs("flavor", shared=plan.shared)
        if by_user or by_flavor or "pi" in plan.told or plan.cut:
            self._sum_up(cursor, summed_statement(plan, by_user=by_user, by_flavor=by_flavor))
        else:
            self._count(cursor, plan)
        ((self._last,),) = cursor.execute("SELECT max(until) FROM summed").fetchall()
        self._cut_up(cursor, asked)
        self._write_names(cursor, users=by_user, flavors=by_flavor)
        cursor.execute(_SEEN, _user(asked))
        self._seen = asked

    def _sum_up(self, cursor: duckdb.DuckDBPyConnection, statement: str) -> None:
        self._read(cursor, "summed", _SUMMED, statement)

    def _count(self, cursor: duckdb.DuckDBPyConnection, plan: Plan) -> None:
        """Sum up without telling servers apart, but for those that were in several projects or domains."""
        self._sum_up(cursor, counted_statement(plan))
        mixed = [one for (one,) in cursor.execute("SELECT instance FROM summed WHERE instance IS NOT NULL").fetchall()]
        if mixed:
            cursor.execute("CREATE OR REPLACE TEMP TABLE unmixed AS FROM summed WHERE instance IS NULL")
            self._sum_up(cursor, summed_statement(plan, by_user=False, by_flavor=False, servers=mixed))
            cursor.execute("INSERT INTO summed FROM unmixed")

    def _write_names(self, cursor: duckdb.DuckDBPyConnection, *, users: bool, flavors: bool) -> None:
        """Name what was asked for; the rest has tables without a name."""
        self._named.write(cursor, "users", empty=not users)
        self._named.write(cursor, "flavors", empty=not flavors)

    def reach(self, asked: Asked) -> tuple[int | None, int | None]:
        """Return when sessions begin and end, as far as what was summed up tells it; else ask for it."""
        first, limit = asked.period.seconds
        where = f"FROM modw_cloud.session_records WHERE resource_id = {self.resource} AND instance_id <> {UNKNOWN_ID}"
        if self._last is None:
            ((begin, end),) = self.warehouse.ask(f"SELECT MIN(start_time_ts), MAX(end_time_ts) {where}")
            return (None if begin is None else int(begin)), (None if end is None else int(end))
        if self._last < limit and self.warehouse.ask(f"SELECT 1 {where} AND start_time_ts >= {limit} LIMIT 1"):
            return first, limit
        return first, self._last

    def daily(self, cursor: duckdb.DuckDBPyConnection, asked: Asked) -> Sequence[Row]:
        """Sum up again, day by day, whatever `see` has said whose it is."""
        days_of(cursor, asked.period)
        days = [since for _, since, _ in asked.period.each_day()]
        statement = daily_statement(self._plan(asked), days, by_user=asked.chosen.user is not None)
        self._read(cursor, "daily", _DAILY, statement)
        self._named.write(cursor, "users", empty=asked.chosen.user is None)
        return cursor.execute(_DAYS, _user(asked)).fetchall()

    def lines(self, resource: str, report: UsageReport, owners: Sequence[Owner]) -> Iterator[str]:
        """List the sessions that were summed up; they are the same, for the warehouse is seen at one time."""
        return self._lines(resource, report.period, owners, Wanted(), self._seen if report.only else None)

    def listed(self, resource: str, period: Period, owners: Sequence[Owner], wanted: Wanted) -> Iterator[str]:
        """Yield the lines of the sessions that touch a period, in XDMoD's order: by its id of the server, and start.

        `resource` is what the cloud is called. A session has a line for each owner that its project had meanwhile.
        """
        return self._lines(resource, period, owners, wanted, None)

    def _lines(
        self, resource: str, period: Period, owners: Sequence[Owner], wanted: Wanted, narrowed: Asked | None
    ) -> Iterator[str]:
        condition, values = condition_of(wanted)
        relation = f"SELECT * FROM ({_OWNED_BY_PI if self.owned else _OWNED}) WHERE {condition}"
        query = listing(FORM, relation, _ORDER, (*_READY, *(("institution", "pi") if self.owned else ())))
        sessions, user = _SESSIONS, dict[str, Any]()
        if narrowed:
            whose = " AND ".join(f"cuts.{key} = listed.{key}" for key in self._told(narrowed))
            sessions, user = _NARROWED.format(whose=whose), bounds(period) | _user(narrowed)
        with queried(), self.connection.cursor() as cursor, closing(self._blocks(cursor, period, owners)) as blocks:
            for _ in blocks:
                cursor.execute(sessions, user)
                yield from lines(cursor, FORM, query, {**values, **bounds(period), "resource": resource})

    def load(self, period: Period) -> list[Owned]:
        """Fill the engine with the sessions that touch a period, as one that has rebuilt them from events has them.

        What XDMoD makes of them beside, buckets and days, is not there. Where the sessions know themselves to whom they
        belong, their domain is the key of that, and who these are with each project is returned.
        """
        self.connection.execute(_EMPTY)
        with queried(), self.connection.cursor() as cursor, closing(self._blocks(cursor, period, ())) as blocks:
            for _ in blocks:
                cursor.execute(_LOAD.format(domain=_OWNER if self.owned else "domains.name"))
        if not self.owned or self.people is None:
            return []
        found = self.connection.execute(_PROJECTS).fetchall()
        return [Owned(project, key, self.people.who(*map(int, key.split("/")))) for project, key in found]

    def _blocks(
        self, cursor: duckdb.DuckDBPyConnection, period: Period, owners: Sequence[Owner]
    ) -> Generator[None, None, None]:
        """Read some servers' sessions after the others: makes `listed` and all that it refers to, again and again."""
        # Nothing more can be asked once the sessions are being sent.
        self._named.write_cells(cursor)
        people = self.people
        owned_by(self.connection, owners)
        statement = listing_statement(self._whole(period))
        self.statements.append(statement)
        with closing(ahead(self.warehouse.texts(statement, _SERVERS_AT_ONCE))) as blocks:
            for block in blocks:
                _read_listed(cursor, block, people)
                yield

    def _whole(self, period: Period) -> Plan:
        """All sessions that touch a period, with whose they are."""
        told = KEYS if self.owned else KEYS[:2]
        return Plan(self.warehouse, self.resource, *period.seconds, told)

    def _told(self, asked: Asked) -> tuple[str, ...]:
        """By what the sessions have to be told apart."""
        chosen = asked.chosen
        whose = not asked.by or {"institution", "PI"} & {*asked.by} or chosen.institution or chosen.pis is not None
        if self.owned:
            return ("account", "pi", "organization") if whose else ("account",)
        return ("account", "domain") if asked.whose.by_domain else ("account",)

    def _plan(self, asked: Asked) -> Plan:
        """Where the sessions of each project have to be cut, whatever domain they are in."""
        plan = self._whole(asked.period)._replace(told=self._told(asked))
        if self.owned:
            return plan
        whose, cuts = asked.whose.again(), defaultdict[tuple[int, ...], list[int]](list)
        domains = [None, *(sorted({*self._named["domains"].values()}) if whose.by_domain else ())]
        for account in (UNKNOWN_ID, *self._named["accounts"]):
            name = self._named["accounts"].get(account)
            edges = {edge for one in domains for stretch in whose.stretches((name, one)) for edge in stretch[:2]}
            cuts[tuple(sorted(edges - {plan.first, plan.limit}))].append(account)
        otherwise = max(cuts, key=lambda way: len(cuts[way]))
        del cuts[otherwise]
        return plan._replace(cuts=cuts, otherwise=otherwise, shared=whose.shared)

    def _cut_up(self, cursor: duckdb.DuckDBPyConnection, asked: Asked) -> None:
        """Say for whom what was summed up counts: makes the table `cuts`."""
        cursor.execute(_CUTS)
        rows = []
        for key in cursor.execute(f"SELECT DISTINCT {', '.join(KEYS)} FROM summed ORDER BY ALL").fetchall():
            account, domain, *whose = key
            called = self._named["accounts"].get(account), self._domain(domain)
            known = self._who(*whose)
            rows += [(*key, called[0], *stretch) for stretch in asked.whose.stretches(called, known)]
        inserted(cursor, "cuts", rows)

    def _domain(self, domain: int) -> str | None:
        return None if domain == UNKNOWN_ID else self._named["domains"].get(domain)

    def _who(self, person: int, organization: int) -> Who | None:
        if not self.owned:
            return None
        if person == organization == NOBODY:
            return Who(None, None, None)
        return self.people.who(person, organization) if self.people else None

    def _read(self, cursor: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], statement: str) -> None:
        self.statements.append(statement)
        read_texts(cursor, table, columns, self.warehouse.texts(statement))


def _read_listed(cursor: duckdb.DuckDBPyConnection, block: Sequence[str], people: XdmodPeople | None) -> None:
    """Read the sessions of some servers, and who owns them: makes the tables `listed`, `servers` and `people`."""
    found = [_server(said) for said in block]
    read_texts(cursor, "listed", _LISTED, [(lines for _, _, lines in found)])
    cursor.execute("CREATE OR REPLACE TEMP TABLE servers (id BIGINT, name VARCHAR)")
    inserted(cursor, "servers", [(key, name) for key, name, _ in found])
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE named (pi BIGINT, organization BIGINT, institution VARCHAR, name VARCHAR)"
    )
    if people:
        pairs = cursor.execute("SELECT DISTINCT pi, organization FROM listed").fetchall()
        inserted(cursor, "named", [(*pair, *people.who(*pair)[:2]) for pair in pairs])
    cells = f"{ready_cell('institution')} AS institution_cell, {ready_cell('name')} AS pi_cell"
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE people AS SELECT *, {cells} FROM named")


def _server(said: str) -> tuple[int, str, str]:
    """The id of a server, its name, its lines. Raises DataError where the database has cut off what was too long."""
    count, key, length, rest = said.split(",", 3)
    name, lines = rest[: int(length)], rest[int(length) :]
    if lines.count("\n") < int(count) - 1:
        raise DataError(
            f"The server {name} has {int(count):,} sessions in the period, more than the database sends at once."
            " Set its max_allowed_packet higher, or name a shorter period."
        )
    return int(key), name, lines


def _user(asked: Asked) -> dict[str, bool | str | None]:
    user = asked.chosen.user
    return {"by_user": user is not None, "user": user[0] if user else None}
