"""The sessions of one resource in an XDMoD's `session_records`, as the source of a report.

They are summed up in MariaDB, in one pass and by ids; what is left, a row for each server of each sum, gets its names
in the engine.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import duckdb

from hierarchy.owners import Owner
from ledger import DataError
from reporter.listing import lines, listing
from reporter.periods import Period
from reporter.quantities import SUMS
from reporter.records import UNKNOWN, UsageReport
from reporter.restriction import Names
from reporter.session_list import FORM, condition_of
from reporter.session_list import Chosen as Wanted
from reporter.sessions import CLIPPED, OWNED, bounds, days_of, inserted, owned_by, queried
from reporter.source import Asked, Row
from reporter.warehouse import Warehouse
from reporter.xdmod_names import UNKNOWN_ID, XdmodNames, XdmodPeople
from reporter.xdmod_query import (
    KEYS,
    LISTED,
    Plan,
    daily_statement,
    listing_statement,
    organization,
    summed_statement,
)
from reporter.xdmod_reading import read_texts
from usage import Engine

__all__ = ["XdmodSessions"]

_SUMMED = {
    **dict.fromkeys((*KEYS, "systemaccount", "flavor", "instance", "since", "session"), "BIGINT"),
    **dict.fromkeys((*SUMS, "sessions"), "HUGEINT"),
    "until": "BIGINT",
}
_DAILY = {**dict.fromkeys((*KEYS, "systemaccount", "since"), "BIGINT"), "core": "HUGEINT"}
_LISTED = {
    "instance": "VARCHAR",
    **dict.fromkeys((*tuple(LISTED)[1:], *KEYS, "systemaccount", "instance_state_id"), "BIGINT"),
}

_COUNTED_FOR = " AND ".join(f"cuts.{key} = summed.{key}" for key in KEYS)

_SEEN = f"""
CREATE OR REPLACE TEMP TABLE seen AS
SELECT
    cut, who, cuts.project, users.name AS username, flavors.name AS flavor, instance,
    {", ".join(f"sum({name}) AS {name}" for name in SUMS)},
    coalesce(sum(sessions) FILTER (session = 0), 0) AS sessions,
    list(session) FILTER (session <> 0) AS cut_sessions
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

#: What is listed, as the engine has its own sessions, with who owns them and XDMoD's id of the server.
_SESSIONS = """
CREATE OR REPLACE TABLE sessions AS
SELECT
    instance, place, start_time_ts, end_time_ts, start_event_type_id, end_event_type_id, num_cores, memory_mb, disk_gb,
    instance_state_id, accounts.name AS project, domains.name AS domain, users.name AS username,
    flavors.name AS instance_type, hosts.name AS host, people.institution, people.name AS pi
FROM listed
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
    WHERE {" AND ".join(f"cuts.{key} = listed.{key}" for key in KEYS)}
        AND cuts.since < greatest(least(end_time_ts, $limit), greatest(start_time_ts, $first) + 1)
        AND cuts.until > greatest(start_time_ts, $first)
)
"""

_OWNED = f"""
SELECT owned.*, sessions.place FROM ({OWNED}) AS owned JOIN sessions ON sessions.rowid = owned.session
"""
_OWNED_BY_PI = f"""
SELECT clipped.*, sessions.institution, sessions.pi, sessions.place
FROM ({CLIPPED}) AS clipped JOIN sessions ON sessions.rowid = clipped.session
"""
_ORDER = "place, start_time_ts, start_event_type_id, since"
#: Of so many servers lines are made at once.
_SERVERS_AT_ONCE = 2_000


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
        self.known = XdmodNames.read(warehouse, resource)
        self.people = XdmodPeople(warehouse) if owned else None
        self._seen: Asked | None = None

    def names(self) -> Names:
        """Return what the sessions are called by, and where they are owned, by whom."""
        projects, users = {*self.known.accounts.values(), UNKNOWN}, {*self.known.users.values(), UNKNOWN}
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
        statement = summed_statement(plan, by_user=by_user, by_flavor=asked.needs("flavor", shared=plan.shared))
        self._read(cursor, "summed", _SUMMED, statement)
        self.known.write(cursor)
        self._cut_up(cursor, asked)
        cursor.execute(_SEEN, _user(asked))
        self._seen = asked

    def reach(self, asked: Asked) -> tuple[int | None, int | None]:
        """Return when sessions begin and end, as far as what was summed up tells it; else ask for it."""
        first, limit = asked.period.seconds
        ((last,),) = self.connection.execute("SELECT max(until) FROM summed").fetchall()
        where = f"FROM modw_cloud.session_records WHERE resource_id = {self.resource} AND instance_id <> {UNKNOWN_ID}"
        if last is None:
            ((begin, end),) = self.warehouse.ask(f"SELECT MIN(start_time_ts), MAX(end_time_ts) {where}")
            return (None if begin is None else int(begin)), (None if end is None else int(end))
        if last < limit and self.warehouse.ask(f"SELECT 1 {where} AND start_time_ts >= {limit} LIMIT 1"):
            last = limit
        return first, last

    def daily(self, cursor: duckdb.DuckDBPyConnection, asked: Asked) -> Sequence[Row]:
        """Sum up again, day by day, whatever `see` has said whose it is."""
        days_of(cursor, asked.period)
        days = [since for _, since, _ in asked.period.each_day()]
        statement = daily_statement(self._plan(asked), days, by_user=asked.chosen.user is not None)
        self._read(cursor, "daily", _DAILY, statement)
        return cursor.execute(_DAYS, _user(asked)).fetchall()

    def lines(self, resource: str, report: UsageReport, owners: Sequence[Owner]) -> Iterator[str]:
        """List the sessions that were summed up; they are the same, for the warehouse is seen at one time."""
        return self._lines(resource, report.period, owners, Wanted(), self._seen if report.only else None)

    def listed(self, resource: str, period: Period, owners: Sequence[Owner], wanted: Wanted) -> Iterator[str]:
        """Yield the lines of the sessions that touch a period, in XDMoD's order: by its id of the server, and start.

        `resource` is what the cloud is called. A session has a line for each owner that its project had meanwhile.
        """
        with self.connection.cursor() as cursor:
            self.known.write(cursor)
        return self._lines(resource, period, owners, wanted, None)

    def _lines(
        self, resource: str, period: Period, owners: Sequence[Owner], wanted: Wanted, narrowed: Asked | None
    ) -> Iterator[str]:
        condition, values = condition_of(wanted)
        relation = f"SELECT * FROM ({_OWNED_BY_PI if self.owned else _OWNED}) WHERE {condition}"
        query = listing(FORM, relation, _ORDER)
        sessions, user = (_NARROWED, bounds(period) | _user(narrowed)) if narrowed else (_SESSIONS, {})
        with queried(), self.connection.cursor() as cursor:
            owned_by(self.connection, owners)
            for block in self.warehouse.texts(listing_statement(self._whole(period)), _SERVERS_AT_ONCE):
                read_texts(cursor, "listed", _LISTED, [map(_lines_of, block)])
                self._write_people(cursor)
                cursor.execute(sessions, user)
                yield from lines(cursor, FORM, query, {**values, **bounds(period), "resource": resource})

    def _whole(self, period: Period) -> Plan:
        return Plan(self.warehouse, self.resource, *period.seconds, self.owned, {})

    def _plan(self, asked: Asked) -> Plan:
        """Where the sessions of each project have to be cut, whatever domain they are in."""
        plan = self._whole(asked.period)
        if self.owned:
            return plan
        whose, cuts = asked.whose.again(), defaultdict[tuple[int, ...], list[int]](list)
        domains = [None, *sorted(set(self.known.domains.values()))]
        for account in (UNKNOWN_ID, *self.known.accounts):
            name = self.known.accounts.get(account)
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
            called = self.known.accounts.get(account), self.known.domains.get(domain)
            known = self.people.who(*whose) if self.people else None
            rows += [(*key, called[0], *stretch) for stretch in asked.whose.stretches(called, known)]
        inserted(cursor, "cuts", rows)

    def _write_people(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Name the PIs and organizations of what is listed: makes the table `people`."""
        cursor.execute(
            "CREATE OR REPLACE TABLE people (pi BIGINT, organization BIGINT, institution VARCHAR, name VARCHAR)"
        )
        if self.people:
            pairs = cursor.execute("SELECT DISTINCT pi, organization FROM listed").fetchall()
            inserted(cursor, "people", [(*pair, *self.people.who(*pair)[:2]) for pair in pairs])

    def _read(self, cursor: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], statement: str) -> None:
        self.statements.append(statement)
        read_texts(cursor, table, columns, self.warehouse.texts(statement))


def _lines_of(said: str) -> str:
    """The lines of a server. Raises DataError where the database has cut off what was too long for it."""
    count, _, text = said.partition(",")
    if text.count("\n") < int(count) - 1:
        raise DataError(
            f"A server has {int(count):,} sessions in the period, more than the database sends at once: {text[:60]}…."
            " Set its max_allowed_packet higher, or name a shorter period."
        )
    return text


def _user(asked: Asked) -> dict[str, bool | str | None]:
    user = asked.chosen.user
    return {"by_user": user is not None, "user": user[0] if user else None}
