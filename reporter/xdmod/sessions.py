"""The sessions of one resource in an XDMoD's `session_records`, as the source of a report.

They are summed up in MariaDB, in one pass and by ids; what is left, a row for each server of each sum, gets its names
in the engine.
"""

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from typing import NamedTuple

import duckdb

from hierarchy.owners import Owner
from reporter.attribution import Who
from reporter.naming import Called, Labels
from reporter.periods import Period
from reporter.quantities import SUMS
from reporter.records import UNKNOWN, UsageReport
from reporter.restriction import Names
from reporter.session_list import Chosen as Wanted
from reporter.sessions import days_of, inserted, queried
from reporter.source import Asked, Row
from reporter.xdmod.lines import Keep, Lister, parted
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
_LISTED = dict.fromkeys((*LISTED, *KEYS, "systemaccount", "instance_state_id", "server"), "BIGINT")

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

#: The table `sessions` of an engine, without the sessions.
_EMPTY = """
CREATE OR REPLACE TABLE sessions (
    instance VARCHAR, start_time_ts BIGINT, end_time_ts BIGINT, start_event_type_id BIGINT, end_event_type_id BIGINT,
    wallduration BIGINT, instance_type VARCHAR, num_cores BIGINT, memory_mb BIGINT, disk_gb BIGINT,
    processorbucket_id BIGINT, memorybucket_id BIGINT, start_day_id BIGINT, end_day_id BIGINT, instance_state_id BIGINT,
    host VARCHAR, project VARCHAR, username VARCHAR, domain VARCHAR
)
"""
_OWNER = "listed.pi || '/' || listed.organization || '/' || listed.domain"
_LOAD = """
INSERT INTO main.sessions
SELECT
    servers.name, start_time_ts, end_time_ts, start_event_type_id, end_event_type_id, end_time_ts - start_time_ts,
    flavors.name, num_cores, memory_mb, disk_gb, NULL, NULL, NULL, NULL, instance_state_id,
    hosts.name, accounts.name, users.name, {domain}
FROM listed
    JOIN servers ON servers.id = listed.server
    LEFT JOIN accounts ON accounts.id = listed.account
    LEFT JOIN domains ON domains.id = listed.domain
    LEFT JOIN users ON users.id = listed.systemaccount
    LEFT JOIN flavors ON flavors.id = listed.flavor
    LEFT JOIN hosts ON hosts.id = listed.host
"""
_PROJECTS = "SELECT DISTINCT project, domain FROM sessions WHERE project IS NOT NULL ORDER BY ALL"

#: Of so many servers lines are made at once: these few stay near the processor, and meanwhile the database goes on.
_LINES_AT_ONCE = 100
#: The sessions of so many servers are put into the engine at once.
_LOADED_AT_ONCE = 2_000


#: Shows projects by their names and domains, where several have one name.
_RELABEL = """
UPDATE main.sessions SET project = relabelled.label FROM relabelled
WHERE sessions.project = relabelled.project AND sessions.domain = relabelled.key
"""


class Owned(NamedTuple):
    """Who owns the sessions of a project, as they call it, that have the key `domain`; and what XDMoD calls it."""

    project: str
    domain: str
    who: Who
    called: Called


class XdmodSessions:
    """What a warehouse has of one resource; `engine` is where the rest is done.

    `owned` says that the sessions belong to whom XDMoD says, their PI and the PI's organization. `more` are PIs that
    may be asked for though they have none.
    """

    def __init__(
        self, warehouse: Warehouse, engine: Engine, resource: int, *, owned: bool, more: Names | None = None
    ) -> None:
        self.warehouse = warehouse
        self.connection = engine.connection
        self.resource = resource
        self.owned = owned
        self._more = more
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
        users = frozenset({*self._named["users"].values(), UNKNOWN})
        if self.people is None:
            return Names(self._called(), users).beside((), self._more.pis if self._more else ())
        pairs = self.warehouse.ask(
            f"SELECT DISTINCT sr.principalinvestigator_person_id, {organization(self.warehouse)}"
            f" FROM modw_cloud.session_records AS sr WHERE sr.resource_id = {self.resource}"
        )
        whos = frozenset(self.people.who(int(person), int(home)) for person, home in pairs)
        return Names(self._called(), users, frozenset(who.institution or UNKNOWN for who in whos), whos)

    def _called(self) -> frozenset[Called]:
        """What projects are called by, with the domain where that is told."""
        accounts, domains = self._named["accounts"], self._named["domains"]
        found: set[Called] = {(None, None)}
        if self._told_apart:
            pairs = self.warehouse.ask(
                f"SELECT DISTINCT COALESCE(account_id, {UNKNOWN_ID}), COALESCE(domain_id, {UNKNOWN_ID})"
                f" FROM modw_cloud.session_records WHERE resource_id = {self.resource}"
            )
            found |= {(accounts.get(int(account)), domains.get(int(domain))) for account, domain in pairs}
        alone = next(iter(domains.values()), None)
        there = {name for name, _ in found}
        return frozenset(found | {(name, alone) for name in accounts.values() if name not in there})

    @property
    def _told_apart(self) -> bool:
        """Whether two projects may have one name, in different domains."""
        return len({*self._named["domains"].values()}) > 1

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
        keep = self._kept(narrowed) if narrowed else None
        lister = Lister(self._named, self.people, owners, resource, period, wanted, keep)
        with queried(), closing(self._servers(period, _LINES_AT_ONCE)) as blocks:
            yield from map(lister.block, blocks)

    def _kept(self, narrowed: Asked) -> Keep:
        """When sessions have a part in what was cut out of the period, by what they are told apart by."""
        told, spans = self._told(narrowed), defaultdict[tuple[int, ...], list[tuple[int, int]]](list)
        query = f"SELECT {', '.join(told)}, since, until FROM cuts ORDER BY ALL"
        for *key, since, until in self.connection.execute(query).fetchall():
            spans[tuple(key)].append((since, until))
        user = narrowed.chosen.user

        def keep(ids: Mapping[str, int], whose: str | None) -> Sequence[tuple[int, int]] | None:
            return spans.get(tuple(ids[name] for name in told)) if user in (None, (whose,)) else None

        return keep

    def load(self, period: Period) -> list[Owned]:
        """Fill the engine with the sessions that touch a period, as one that has rebuilt them from events has them.

        What XDMoD makes of them beside, buckets and days, is not there. Where the sessions know themselves to whom they
        belong, their domain is the key of that, and who these are with each project is returned.
        """
        self.connection.execute(_EMPTY)
        with (
            queried(),
            self.connection.cursor() as cursor,
            closing(ahead(self._servers(period, _LOADED_AT_ONCE))) as blocks,
        ):
            self._named.write(cursor)
            for block in blocks:
                _read_listed(cursor, block)
                cursor.execute(_LOAD.format(domain=_OWNER if self.owned else "domains.name"))
        if not self.owned or self.people is None:
            return []
        found = []
        for project, key in self.connection.execute(_PROJECTS).fetchall():
            person, organization, domain = map(int, key.split("/"))
            called = project, self._domain(domain)
            found.append(Owned(project, key, self.people.who(person, organization), called))
        return self._relabelled(found)

    def _relabelled(self, found: list[Owned]) -> list[Owned]:
        """Show the sessions' projects with their domains, where several have one name."""
        labels = Labels.of(one.called for one in found)
        shown = [one._replace(project=labels.label(one.called) or one.project) for one in found]
        rows = [(one.called[0], one.domain, one.project) for one in shown if one.project != one.called[0]]
        if rows:
            with queried(), self.connection.cursor() as cursor:
                cursor.execute("CREATE OR REPLACE TEMP TABLE relabelled (project VARCHAR, key VARCHAR, label VARCHAR)")
                inserted(cursor, "relabelled", rows)
                cursor.execute(_RELABEL)
        return shown

    def _servers(self, period: Period, at_once: int) -> Generator[list[str], None, None]:
        """The sessions of some servers after the others; all that names are needed for is asked before."""
        # Nothing more can be asked once the sessions are being sent.
        self._named.know()
        statement = listing_statement(self._whole(period))
        self.statements.append(statement)
        yield from self.warehouse.texts(statement, at_once)

    def _whole(self, period: Period) -> Plan:
        """All sessions that touch a period, with whose they are."""
        told = KEYS if self.owned else KEYS[:2]
        return Plan(self.warehouse, self.resource, *period.seconds, told)

    def _told(self, asked: Asked) -> tuple[str, ...]:
        """By what the sessions have to be told apart."""
        chosen = asked.chosen
        domain = ("domain",) if asked.whose.by_domain or self._told_apart else ()
        whose = not asked.by or {"institution", "PI"} & {*asked.by} or chosen.institution or chosen.pis is not None
        if self.owned:
            return ("account", *domain, "pi", "organization") if whose else ("account", *domain)
        return ("account", *domain)

    def _plan(self, asked: Asked) -> Plan:
        """Where the sessions of each project have to be cut, whatever domain they are in."""
        plan = self._whole(asked.period)._replace(told=self._told(asked))
        if self.owned:
            return plan
        whose, cuts = asked.whose.again(), defaultdict[tuple[int, ...], list[int]](list)
        by_domain = whose.by_domain or asked.chosen.domain is not None
        domains = [None, *(sorted({*self._named["domains"].values()}) if by_domain else ())]
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
        keys = cursor.execute(f"SELECT DISTINCT {', '.join(KEYS)} FROM summed ORDER BY ALL").fetchall()
        called = [(self._named["accounts"].get(account), self._domain(domain)) for account, domain, *_ in keys]
        labels, rows = Labels.of(called), []
        for key, one in zip(keys, called, strict=True):
            known = self._who(*key[2:])
            rows += [(*key, labels.label(one), *stretch) for stretch in asked.whose.stretches(one, known)]
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


def _read_listed(cursor: duckdb.DuckDBPyConnection, block: Sequence[str]) -> None:
    """Read the sessions of some servers: makes the tables `listed` and `servers`."""
    found = [parted(said) for said in block]
    read_texts(cursor, "listed", _LISTED, [[f",{key}\n".join(sessions) + f",{key}" for key, _, sessions in found]])
    cursor.execute("CREATE OR REPLACE TEMP TABLE servers (id BIGINT, name VARCHAR)")
    inserted(cursor, "servers", [(key, name) for key, name, _ in found])


def _user(asked: Asked) -> dict[str, bool | str | None]:
    user = asked.chosen.user
    return {"by_user": user is not None, "user": user[0] if user else None}
