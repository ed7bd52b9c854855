"""The sessions that touch a period, clipped to it: the one definition that sums and listings share."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb

from hierarchy.owners import Owner
from ledger import SourceUnavailable
from ledger.text import DOMAIN_WIDTH, PROJECT_WIDTH, fitted
from reporter.periods import Period
from reporter.quantities import touching
from usage import rules

__all__ = ["CLIPPED", "OWNED", "bounds", "days_of", "filled", "inserted", "owned_by", "queried"]

#: A session of no length touches the period that its instant is in, though it uses none of it.
#: Without cores the size is not known: that is how the events of such servers are written.
CLIPPED = f"""
SELECT
    rowid AS session,
    instance,
    project,
    username,
    domain,
    CASE instance_state_id
        WHEN {rules.ACTIVE} THEN 'active' WHEN {rules.INACTIVE} THEN 'inactive' WHEN {rules.SHELVED} THEN 'shelved'
        ELSE 'other' END AS state,
    instance_state_id AS state_id,
    instance_type,
    CASE WHEN num_cores > 0 THEN num_cores END AS cores,
    memory_mb,
    disk_gb,
    host,
    start_time_ts,
    end_time_ts,
    start_event_type_id,
    end_event_type_id,
    greatest(start_time_ts, $first) AS since,
    least(end_time_ts, $limit) AS until,
    until - since AS seconds,
    CASE WHEN state = 'active' THEN seconds * cores ELSE 0 END AS core_seconds
FROM sessions
WHERE {touching("$first", "$limit")}
"""


#: The same, cut where a project got another owner; what nobody is known to own has none.
OWNED = f"""
SELECT
    clipped.* REPLACE (
        greatest(clipped.since, owners.since) AS since,
        least(clipped.until, owners.until) AS until,
        least(clipped.until, owners.until) - greatest(clipped.since, owners.since) AS seconds,
        CASE WHEN state = 'active'
            THEN (least(clipped.until, owners.until) - greatest(clipped.since, owners.since)) * cores
            ELSE 0 END AS core_seconds
    ),
    owners.institution,
    owners.pi,
    owners.pi_identity
FROM ({CLIPPED}) AS clipped
LEFT JOIN owners ON owners.project = clipped.project AND (owners.domain IS NULL OR owners.domain = clipped.domain)
    AND owners.since < greatest(clipped.until, clipped.since + 1) AND owners.until > clipped.since
"""


def owned_by(connection: duckdb.DuckDBPyConnection, owners: Iterable[Owner]) -> None:
    """Tell the engine of the sessions who owned their projects: makes the table `owners` that OWNED joins."""
    connection.execute(
        "CREATE OR REPLACE TABLE owners"
        " (project VARCHAR, domain VARCHAR, since BIGINT, until BIGINT, institution VARCHAR, pi VARCHAR,"
        " pi_identity VARCHAR)"
    )
    rows = [
        (
            fitted(one.label.name, PROJECT_WIDTH),
            fitted(one.label.domain, DOMAIN_WIDTH) if one.label.domain else None,
            int(one.since.timestamp()),
            int(one.until.timestamp()),
            one.institution,
            one.pi,
            one.pi_identity,
        )
        for one in owners
    ]
    inserted(connection, "owners", rows)


def inserted(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[object]]) -> None:
    """Put rows into a table of the engine."""
    if rows:
        # A column at a time, for the engine takes rows one by one at a thousandth of the speed.
        columns = [list(column) for column in zip(*rows, strict=True)]
        connection.execute(f"INSERT INTO {table} SELECT {', '.join(['unnest(?)'] * len(columns))}", columns)


def filled(statement: str, values: Mapping[str, int | str | None]) -> str:
    """Return a statement with its parameters filled in, to be read."""
    for name, value in values.items():
        literal = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else value
        statement = re.sub(rf"\${name}\b", str("NULL" if literal is None else literal).replace("\\", r"\\"), statement)
    return statement.strip()


def days_of(connection: duckdb.DuckDBPyConnection, period: Period) -> None:
    """Tell the engine the days of a period: makes the table `days`, which are numbered."""
    connection.execute("CREATE OR REPLACE TABLE days (day BIGINT, since BIGINT, until BIGINT)")
    inserted(connection, "days", [(number, *day[1:]) for number, day in enumerate(period.each_day())])


def bounds(period: Period) -> dict[str, int]:
    """Return the parameters of CLIPPED."""
    first, limit = period.seconds
    return {"first": first, "limit": limit}


@contextmanager
def queried() -> Iterator[None]:
    """Turn a lack of memory or disk into an error that an operator can act on."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise SourceUnavailable(
            f"The sessions could not be summed: {str(error).splitlines()[0].rstrip('.')}. Nothing was written: make "
            "room in the temporary folder, or give the engine more memory, then run again."
        ) from error
