"""What is asked of `session_records`, as SQL: the sessions of a resource that touch a period, cut and summed by ids."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from reporter.quantities import SUMS, touching
from reporter.xdmod.names import NOBODY, NOT_TOLD, UNKNOWN_ID
from reporter.xdmod.warehouse import Warehouse
from usage import rules

__all__ = [
    "KEYS",
    "LISTED",
    "Plan",
    "counted_statement",
    "daily_statement",
    "listing_statement",
    "organization",
    "summed_statement",
]

#: By what the sessions tell themselves for whom they count.
KEYS = ("account", "domain", "pi", "organization")

#: The columns of a session in a list of them, by name; all are numbers.
LISTED = {
    "start_time_ts": "sr.start_time_ts",
    "end_time_ts": "sr.end_time_ts",
    "start_event_type_id": "sr.start_event_type_id",
    "end_event_type_id": "sr.end_event_type_id",
    "flavor": "sr.instance_type_id",
    "num_cores": "sr.num_cores",
    "memory_mb": "sr.memory_mb",
    "disk_gb": "sr.disk_gb",
    "host": f"COALESCE(sr.host_id, {UNKNOWN_ID})",
}


class Plan(NamedTuple):
    """The sessions of a resource that touch `[first, limit)`, and where those of some projects are cut in between.

    `told` are those of KEYS that are asked for. `cuts` has XDMoD's ids of projects for each way in which their sessions
    are cut; all others are cut as `otherwise`. `shared` says that some of the projects have several who fund them.
    """

    warehouse: Warehouse
    resource: int
    first: int
    limit: int
    told: tuple[str, ...]
    cuts: Mapping[tuple[int, ...], Sequence[int]] = MappingProxyType({})
    otherwise: tuple[int, ...] = ()
    shared: bool = False

    @property
    def keys(self) -> dict[str, str]:
        """The SQL of KEYS; of those that are not told, that of what is unknown."""
        keys = {
            "account": (f"COALESCE(sr.account_id, {UNKNOWN_ID})", UNKNOWN_ID),
            "domain": (f"COALESCE(sr.domain_id, {UNKNOWN_ID})", UNKNOWN_ID),
            "pi": ("sr.principalinvestigator_person_id", NOBODY),
            "organization": (organization(self.warehouse), NOBODY),
        }
        return {name: told if name in self.told else str(unknown) for name, (told, unknown) in keys.items()}

    @property
    def cut(self) -> bool:
        """Whether there are sessions that are cut."""
        return any((*self.cuts, self.otherwise))

    @property
    def which(self) -> str:
        """The condition that a session is one of these; what XDMoD knows neither server nor flavor of is none."""
        # There is no index on time. What most rows fail by stands first, and no range of servers may be made of it.
        touched = f"sr.end_time_ts >= {self.first} AND {touching(str(self.first), str(self.limit))}"
        of_these = f"sr.resource_id = {self.resource} AND sr.instance_id + 0 <> {UNKNOWN_ID}"
        return f"{touched} AND {of_these} AND sr.instance_type_id <> {UNKNOWN_ID}"


def organization(warehouse: Warehouse) -> str:
    """Return the SQL of the organization of a session's PI, which sessions tell since 11.0."""
    return "sr.piperson_organization_id" if warehouse.tells_organizations else str(NOT_TOLD)


def counted_statement(plan: Plan) -> str:
    """Return the SQL of what projects used whose sessions are not cut: texts as those of `summed_statement`.

    They have no user and flavor, and at the end the number of servers. One that changed its project or domain is
    counted in none: what it used is a text with the id of the server, where the others have nothing.
    """
    keys = {name: key for name, key in plan.keys.items() if name in plan.told}
    told = {name: name if name in keys else key for name, key in plan.keys.items()}
    least = [f"MIN({name}) AS {name}" for name in keys]
    mixed = " OR ".join(f"MIN({name}) <> MAX({name})" for name in keys)
    sums = [f"{summed} AS {name}" for name, summed in SUMS.items()]
    servers = f"""
    SELECT {", ".join((*least, *sums))}, COUNT(*) AS sessions, MAX(until) AS until,
        CASE WHEN {mixed} THEN instance ELSE 0 END AS mixed
    FROM ({_pieces(plan, {**keys, "instance": "sr.instance_id"}, "")}) AS pieces
    GROUP BY instance"""
    summed = ", ".join(f"SUM({name})" for name in (*SUMS, "sessions"))
    counted = "CASE WHEN mixed = 0 THEN COUNT(*) ELSE 0 END"
    instance = "CASE WHEN mixed = 0 THEN '' ELSE mixed END"
    texts = f"{', '.join(told.values())}, 0, 0, {instance}, {plan.first}, 0, {summed}, MAX(until), {counted}"
    return f"SELECT CONCAT_WS(',', {texts})\nFROM ({servers}\n) AS servers\nGROUP BY {', '.join((*keys, 'mixed'))}"


def summed_statement(plan: Plan, *, by_user: bool, by_flavor: bool, servers: Sequence[int] = ()) -> str:
    """Return the SQL of what each server used, a text for each sum, and each session that is in several stretches.

    The text has KEYS, ids of the user and the flavor (0 where that is not asked or of unknown size), of the server and
    the session, which is 0 where it is none of these, the begin of the stretch, SUMS, sessions, their latest end and 0.
    With `servers` it is that of these alone.
    """
    user = f"COALESCE(sr.systemaccount_id, {NOBODY})" if by_user else "0"
    flavor = "CASE WHEN sr.num_cores > 0 THEN sr.instance_type_id ELSE 0 END" if by_flavor else "0"
    columns = {**plan.keys, "systemaccount": user, "flavor": flavor, "instance": "sr.instance_id"}
    keys = [name for name, key in columns.items() if "sr." in key]
    pieces = _pieces(plan, columns, _stretches(plan) if plan.cut else "")
    if servers:
        pieces += f" AND sr.instance_id IN ({', '.join(map(str, servers))})"
    sums = [f"{summed} AS {name}" for name, summed in SUMS.items()]
    summed = f"""
    SELECT {", ".join((*columns, "since", "session", *sums))}, COUNT(*) AS sessions, MAX(until) AS until
    FROM ({pieces}) AS pieces
    GROUP BY {", ".join([*keys, "since", "session"] if plan.cut else keys)}"""
    told = ", ".join((*columns, "since", "session", *SUMS, "sessions", "until", "0"))
    return f"SELECT CONCAT_WS(',', {told})\nFROM ({summed}\n) AS summed"


def daily_statement(plan: Plan, days: Sequence[int], *, by_user: bool) -> str:
    """Return the SQL of core seconds: texts of KEYS, the user (0 where that is not asked), the stretch, the seconds."""
    user = f"COALESCE(sr.systemaccount_id, {NOBODY})" if by_user else "0"
    columns = {**plan.keys, "systemaccount": user}
    keys = [name for name, key in columns.items() if "sr." in key]
    pieces = _pieces(plan, columns, _stretches(plan, days))
    return f"""SELECT CONCAT_WS(',', {", ".join(columns)}, since, SUM(seconds * cores))
FROM ({pieces} AND {plan.warehouse.state} = {rules.ACTIVE} AND sr.num_cores > 0) AS pieces
GROUP BY {", ".join([*keys, "since"])}"""


def listing_statement(plan: Plan) -> str:
    """Return the SQL of the sessions themselves: a text for each server, by XDMoD's id of it.

    It has the number of its sessions, its id, the length of its name, and this, each after a comma, then a line for
    each session, for to send them one by one takes long. Sessions that are too many to be sent at once are left out.
    """
    columns = {**LISTED, **plan.keys, "systemaccount": f"COALESCE(sr.systemaccount_id, {NOBODY})"}
    state = f"COALESCE({plan.warehouse.state}, {rules.UNKNOWN_STATE})"
    lines = f"GROUP_CONCAT(CONCAT_WS(',', {', '.join(columns.values())}, {state}) SEPARATOR '\\n')"
    name = "MIN(i.provider_identifier)"
    server = f"COUNT(*), ',', sr.instance_id, ',', CHAR_LENGTH({name}), ',', {name}"
    # What is longer than it sends at once, the database makes nothing of.
    return f"""SELECT COALESCE(CONCAT({server}, {lines}), CONCAT({server}))
FROM modw_cloud.session_records AS sr
STRAIGHT_JOIN modw_cloud.instance AS i ON i.instance_id = sr.instance_id
WHERE {plan.which}
GROUP BY sr.resource_id, sr.instance_id
ORDER BY sr.resource_id, sr.instance_id"""


def _pieces(plan: Plan, columns: Mapping[str, str], stretches: str) -> str:
    """The sessions clipped to the period, and cut by stretches, if there are any; the condition stands last."""
    since, until = f"GREATEST(sr.start_time_ts, {plan.first})", f"LEAST(sr.end_time_ts, {plan.limit})"
    told = ", ".join(f"{key} AS {name}" for name, key in columns.items())
    told += f", {plan.warehouse.state} AS state_id, sr.num_cores AS cores, {until} AS until"
    if not stretches:
        joined = f", {plan.first} AS since, 0 AS session, {until} - {since} AS seconds"
        return f"SELECT {told}{joined} FROM modw_cloud.session_records AS sr WHERE {plan.which}"
    return f"""SELECT {told}, st.since AS since,
        CASE WHEN st.since <= {since} AND st.until >= {until} THEN 0 ELSE sr.session_id END AS session,
        LEAST({until}, st.until) - GREATEST({since}, st.since) AS seconds
    FROM modw_cloud.session_records AS sr STRAIGHT_JOIN ({stretches}) AS st
        ON st.way = {_way(plan)} AND st.since < GREATEST({until}, {since} + 1) AND st.until > {since}
    WHERE {plan.which}"""


def _way(plan: Plan) -> str:
    """The SQL of the number of the way in which the sessions of a project are cut."""
    if not plan.cuts:
        return "0"
    whens = " ".join(
        f"WHEN sr.account_id IN ({', '.join(map(str, accounts))}) THEN {number}"
        for number, accounts in enumerate(plan.cuts.values(), 1)
    )
    return f"CASE {whens} ELSE 0 END"


def _stretches(plan: Plan, also: Sequence[int] = ()) -> str:
    """The SQL of the stretches of each way to cut, as constants; `also` cuts all of them."""
    rows = [
        f"SELECT {number} AS way, {since} AS since, {until} AS until"
        for number, cuts in enumerate((plan.otherwise, *plan.cuts))
        for since, until in pairwise(sorted({plan.first, plan.limit, *cuts, *also}))
    ]
    return " UNION ALL ".join(rows)
