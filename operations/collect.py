"""Collect: read the clouds into the ledger, each under its lock, each run recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from msgspec import Struct

from collectors.openstack import Cloud, OpenStackSource, read_cloud
from ledger import Ledger, Mode, RunId, Writer, XdmodCloudError

__all__ = ["CollectRun", "collect_openstack", "failure_recorded"]


class CollectRun(Struct, frozen=True):
    """What one run of one source did. `up_to` is the new watermark (UTC)."""

    source: str
    mode: Mode
    up_to: datetime
    counts: dict[str, int]
    warnings: list[str]


def collect_openstack(
    ledger: Ledger,
    settings: OpenStackSource,
    progress: Callable[[str, int, int], None],
    *,
    sweep: bool = False,
    accept_vanished: bool = False,
) -> CollectRun:
    """Read one cloud and append what is new.

    Raises what the reading raises, with the run recorded as failed and the watermark where it was.
    """
    with ledger.writer(settings.name) as writer:
        mark = ledger.watermark(settings.name)
        run = writer.begin(Mode.SWEEP if sweep else Mode.CHANGES, mark.at if mark else None)
        with failure_recorded(writer, run):
            cloud = Cloud.connect(settings)
            read = read_cloud(cloud, settings, ledger, progress, sweep=sweep, accept_vanished=accept_vanished)
            counts = writer.finish(run, read.at, read.at, read.records, read.rejected, read.counts, read.mode)
    return CollectRun(settings.name, read.mode, read.at, counts, read.warnings)


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
