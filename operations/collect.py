"""Collect: read the clouds into the ledger, each under its lock, each run recorded."""

from collections.abc import Callable

from collectors.openstack import OpenStackSource
from collectors.openstack.cloud import Cloud
from collectors.openstack.collect import read_cloud
from ledger import Ledger, Mode
from operations.runs import CollectRun, failure_recorded

__all__ = ["collect_openstack"]


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
