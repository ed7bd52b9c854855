"""Runs of collectors: what one did, and how one that failed is recorded."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from msgspec import Struct

from ledger import Mode, RunId, Writer, XdmodCloudError

__all__ = ["CollectRun", "failure_recorded"]


class CollectRun(Struct, frozen=True):
    """What one run of one source did. `up_to` is the new watermark (UTC)."""

    source: str
    mode: Mode
    up_to: datetime
    counts: dict[str, int]
    warnings: list[str]


@contextmanager
def failure_recorded(writer: Writer, run: RunId) -> Iterator[None]:
    """Record it in the run if it fails, whatever the reason."""
    try:
        yield
    except Exception as error:
        # The reason counts, not that it could not be written down.
        with suppress(XdmodCloudError):
            known = isinstance(error, XdmodCloudError)
            writer.fail(run, str(error) if known else f"unexpected {type(error).__name__}: {error}")
        raise
