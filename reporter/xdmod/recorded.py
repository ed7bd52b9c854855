"""The sessions that an XDMoD has recorded of one resource, streamed, and whose they are there."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from ledger import ConfigurationError
from reporter.xdmod.warehouse import Warehouse
from usage import Session

__all__ = ["Defined", "Reach", "Recorded", "definitions", "reach", "recorded", "resource_id"]

#: XDMoD's Unknown of an account, a domain and a host has a row of its own, with the id 1; an unknown user has none.
_UNKNOWN = 1

#: In the order of bytes, for that of XDMoD's collation overlooks the case of letters.
_SESSIONS = f"""
SELECT
    i.provider_identifier,
    sr.start_time_ts,
    sr.end_time_ts,
    sr.start_event_type_id,
    sr.end_event_type_id,
    sr.end_time_ts - sr.start_time_ts,
    sr.instance_type,
    sr.num_cores,
    sr.memory_mb,
    sr.disk_gb,
    sr.processorbucket_id,
    sr.memorybucket_id,
    COALESCE(sr.start_day_id, 0),
    COALESCE(sr.end_day_id, 0),
    COALESCE({{state}}, -1),
    CASE WHEN sr.host_id <> {_UNKNOWN} THEN h.hostname END,
    CASE WHEN sr.account_id <> {_UNKNOWN} THEN p.display END,
    u.username,
    CASE WHEN sr.domain_id <> {_UNKNOWN} THEN d.name END,
    CASE WHEN sr.fos_id <> {_UNKNOWN} THEN f.description END,
    UNIX_TIMESTAMP(sr.last_modified)
FROM modw_cloud.session_records AS sr
JOIN modw_cloud.instance AS i ON i.instance_id = sr.instance_id AND i.resource_id = sr.resource_id
LEFT JOIN modw_cloud.host AS h ON h.host_id = sr.host_id
LEFT JOIN modw_cloud.account AS p ON p.account_id = sr.account_id
LEFT JOIN modw_cloud.domains AS d ON d.id = sr.domain_id
LEFT JOIN modw.systemaccount AS u ON u.id = sr.systemaccount_id
LEFT JOIN modw.fieldofscience_hierarchy AS f ON f.id = sr.fos_id
WHERE sr.resource_id = :resource AND sr.instance_id <> {_UNKNOWN}
    AND sr.start_time_ts >= :first AND sr.start_time_ts < :limit
ORDER BY CAST(i.provider_identifier AS BINARY), sr.start_time_ts, sr.start_event_type_id
"""

_REACH = """
SELECT MAX(end_time_ts), UNIX_TIMESTAMP(MAX(last_modified))
FROM modw_cloud.session_records WHERE resource_id = :resource
"""

_DEFINITIONS = """
SELECT instance_type, num_cores, memory_mb, start_time, end_time FROM modw_cloud.instance_type
WHERE resource_id = :resource AND instance_type IN (
    SELECT instance_type FROM modw_cloud.instance_type
    WHERE resource_id = :resource GROUP BY instance_type HAVING COUNT(*) > 1
)
ORDER BY instance_type, start_time
"""


class Recorded(NamedTuple):
    """A session as XDMoD has it, the node of XDMoD's hierarchy that it counts for, and when it was written (UTC).

    The node is that which a group was put below when the session was ingested; None is XDMoD's Unknown. Days are those
    of XDMoD's own time zone.
    """

    session: Session
    node: str | None
    modified: datetime


class Reach(NamedTuple):
    """How far an XDMoD is: the last second that a session reaches, and when it last wrote one (both UTC)."""

    last: datetime
    ingested: datetime


class Defined(NamedTuple):
    """A size that a flavor's name stood for within `[since, until)`, in seconds since 1970; memory in MiB."""

    cores: int
    memory_mb: int
    since: int
    until: int | None


def resource_id(warehouse: Warehouse, name: str) -> int:
    """Return the id of what resources.json calls so. Raises ConfigurationError where there is no such resource."""
    resources = warehouse.resources()
    if name not in resources:
        known = ", ".join(sorted(resources)) or "none"
        raise ConfigurationError(
            f'XDMoD has no resource "{name}" (it has: {known}). Set resource in the configuration to what'
            " resources.json calls it."
        )
    return resources[name]


def recorded(warehouse: Warehouse, resource: int, window: tuple[datetime, datetime]) -> Iterator[Recorded]:
    """Yield the sessions of a resource that start in [from, to) (UTC), by instance, start and start event.

    They come as the database sends them; nothing else can be asked of the warehouse until the last one has come.
    """
    first, limit = (int(time.timestamp()) for time in window)
    statement = _SESSIONS.format(state=warehouse.state)
    for row in warehouse.stream(statement, {"resource": resource, "first": first, "limit": limit}):
        *session, node, modified = row
        yield Recorded(Session(*session), node, datetime.fromtimestamp(int(modified), UTC))


def reach(warehouse: Warehouse, resource: int) -> Reach | None:
    """Return how far XDMoD is with a resource; None where it has no session of it."""
    ((last, ingested),) = warehouse.stream(_REACH, {"resource": resource})
    if last is None:
        return None
    return Reach(datetime.fromtimestamp(int(last), UTC), datetime.fromtimestamp(int(ingested), UTC))


def definitions(warehouse: Warehouse, resource: int) -> Mapping[str, list[Defined]]:
    """Return the flavors of a resource that stood for several sizes, with these."""
    found: dict[str, list[Defined]] = {}
    for name, cores, memory_mb, since, until in warehouse.stream(_DEFINITIONS, {"resource": resource}):
        ends = None if until is None else int(until)
        found.setdefault(name, []).append(Defined(int(cores), int(memory_mb), int(since), ends))
    return found
