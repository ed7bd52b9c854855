"""Every session of a period as CSV."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import duckdb
from msgspec import Struct

from hierarchy.owners import Owner
from reporter import listing
from reporter.listing import Form
from reporter.periods import Period
from reporter.records import UNKNOWN
from reporter.sessions import OWNED, bounds, owned_by, queried
from usage import Engine

__all__ = ["FORM", "Chosen", "condition_of", "heading", "session_lines"]

#: Sorting takes some 400 bytes a row.
_ROWS_SORTED = 100_000
_SAMPLES = 50
_PART = "instance >= $low AND ($high IS NULL OR instance < $high)"

#: The list, over clipped sessions with their owners; `$resource` is what XDMoD calls the cloud.
FORM = Form(
    "session-list-csv",
    texts={
        "instance": "instance",
        "project": "project",
        "user": "username",
        "domain": "domain",
        "resource": "$resource",
        "institution": "institution",
        "pi": "pi",
        "flavor": "CASE WHEN cores IS NOT NULL THEN instance_type END",
        "host": "host",
    },
    numbers={
        "state": "state",
        "seconds": "end_time_ts - start_time_ts",
        "seconds_in_period": "seconds",
        "core_seconds_in_period": "core_seconds",
        "cores": "cores",
        "memory_mb": "CASE WHEN cores IS NOT NULL THEN memory_mb END",
        "disk_gb": "CASE WHEN cores IS NOT NULL THEN disk_gb END",
        "start_event_type_id": "start_event_type_id",
        "end_event_type_id": "end_event_type_id",
    },
    times={"start": "start_time_ts", "end": "end_time_ts", "counted_from": "since", "counted_to": "until"},
)


class Chosen(Struct, frozen=True):
    """Which sessions are listed: only those whose project, its domain, user or institution is among these.

    None is any. A session of unknown domain is listed whichever domains are asked for.
    """

    projects: frozenset[str] | None = None
    domains: frozenset[str] | None = None
    users: frozenset[str] | None = None
    institution: str | None = None


_ALL = Chosen()


def heading() -> str:
    """Return the first line of the list, with its end."""
    return listing.heading(FORM)


def session_lines(
    engine: Engine, resource: str, period: Period, owners: Iterable[Owner], chosen: Chosen = _ALL
) -> Iterator[str]:
    """Yield the lines of the sessions that touch a period, many at once, by instance, start and start event.

    A session has a line for each owner that its project had meanwhile. Raises DataError for a row that its schema
    forbids.
    """
    condition, values = condition_of(chosen)
    relation = f"SELECT * FROM ({OWNED}) WHERE {_PART} AND {condition}"
    query = listing.listing(FORM, relation, "instance, start_time_ts, start_event_type_id, since")
    values |= {**bounds(period), "resource": resource}
    with queried(), engine.connection.cursor() as cursor:
        owned_by(engine.connection, owners)
        for low, high in pairwise(["", *_cuts(cursor), None]):
            yield from listing.lines(cursor, FORM, query, {**values, "low": low, "high": high})


def condition_of(chosen: Chosen) -> tuple[str, dict[str, Any]]:
    """Return the condition of what is listed, over clipped sessions with their owners, and its values."""
    asked = {
        "projects": (chosen.projects, "list_contains($projects, project)"),
        "domains": (chosen.domains, "(domain IS NULL OR list_contains($domains, domain))"),
        "users": (chosen.users, "list_contains($users, username)"),
    }
    values: dict[str, Any] = {name: sorted(ones) for name, (ones, _) in asked.items() if ones is not None}
    conditions = [condition for ones, condition in asked.values() if ones is not None]
    if chosen.institution is not None:
        values["institution"] = chosen.institution
        conditions.append(f"coalesce(institution, '{UNKNOWN}') = $institution")
    return " AND ".join(conditions) or "true", values


def _cuts(cursor: duckdb.DuckDBPyConnection) -> list[str]:
    """Instances that divide the sessions into parts of about equal size, each small enough to be sorted in memory."""
    ((count,),) = cursor.execute("SELECT count(*) FROM sessions").fetchall()
    parts = count // _ROWS_SORTED + 1
    if parts == 1:
        return []
    sample = f"SELECT instance FROM sessions USING SAMPLE reservoir({parts * _SAMPLES} ROWS)"
    sampled = cursor.execute(sample).fetchall()
    return sorted({instance for (instance,) in sorted(sampled)[_SAMPLES::_SAMPLES]})
