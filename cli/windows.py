"""The window of the exports that tell a past again: `--from` and `--to`."""

from datetime import UTC, datetime

import click

from ledger.times import EPOCH

__all__ = ["window_of"]


def window_of(start: datetime | None, end: datetime | None) -> tuple[datetime, datetime] | None:
    """Return `[start, end)` in UTC; none where neither is given. Raises UsageError for anything that is no window."""
    if start is None and end is None:
        return None
    if start is None or end is None or start >= end:
        raise click.UsageError("--from and --to go together, and --from comes first.")
    if start.replace(tzinfo=UTC) < EPOCH:
        raise click.UsageError("--from lies before 1970, where time begins for XDMoD. Name a later one.")
    return start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
