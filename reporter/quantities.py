"""The quantities of sessions in SQL, once for both engines: what touches a period, and what is added up of it."""

from usage import rules

__all__ = ["SUMS", "touching"]

#: The times of Used, over rows that have `state_id`, `seconds` and `cores`, in whole seconds and in its order.
#: Without cores, unknown or 0, the size is not known: that is how the events of such servers are written.
SUMS = {
    "active": f"SUM(CASE WHEN state_id = {rules.ACTIVE} THEN seconds ELSE 0 END)",
    "core": f"SUM(CASE WHEN state_id = {rules.ACTIVE} AND cores > 0 THEN seconds * cores ELSE 0 END)",
    "inactive": f"SUM(CASE WHEN state_id = {rules.INACTIVE} THEN seconds ELSE 0 END)",
    "shelved": f"SUM(CASE WHEN state_id = {rules.SHELVED} THEN seconds ELSE 0 END)",
    "other": (
        f"SUM(CASE WHEN state_id IN ({rules.ACTIVE}, {rules.INACTIVE}, {rules.SHELVED}) THEN 0 ELSE seconds END)"
    ),
    "unsized": f"SUM(CASE WHEN state_id = {rules.ACTIVE} AND COALESCE(cores, 0) <= 0 THEN seconds ELSE 0 END)",
}


def touching(first: str, limit: str, start: str = "start_time_ts", end: str = "end_time_ts") -> str:
    """Return the condition that a session touches `[first, limit)`; one of no length does where its instant lies."""
    return f"{start} < {limit} AND ({end} > {first} OR {start} >= {first})"
