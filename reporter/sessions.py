"""The sessions that touch a period, clipped to it: the one definition that sums and listings share."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from ledger import SourceUnavailable
from reporter.periods import Period
from usage import rules

__all__ = ["CLIPPED", "bounds", "queried"]

#: A session of no length touches the period that its instant is in, though it uses none of it.
#: Without cores the size is not known: that is how the events of such servers are written.
CLIPPED = f"""
SELECT
    instance,
    project,
    username,
    domain,
    CASE instance_state_id
        WHEN {rules.ACTIVE} THEN 'active' WHEN {rules.INACTIVE} THEN 'inactive' WHEN {rules.SHELVED} THEN 'shelved'
        ELSE 'other' END AS state,
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
WHERE start_time_ts < $limit AND (end_time_ts > $first OR start_time_ts >= $first)
"""


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
