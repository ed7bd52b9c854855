"""Collect: read the clouds into the ledger, each under its lock, each run recorded."""

from collections.abc import Callable, Iterator
from datetime import datetime

from collectors.openshift import OpenShiftSource
from collectors.openshift.collect import due_windows, read_window
from collectors.openshift.prometheus import Prometheus
from collectors.openstack import OpenStackSource
from collectors.openstack.cloud import Cloud
from collectors.openstack.collect import read_cloud
from ledger import Ledger, Mode
from operations.runs import CollectRun, failure_recorded

__all__ = ["collect_openshift", "collect_openstack"]


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


def collect_openshift(
    ledger: Ledger,
    settings: OpenShiftSource,
    progress: Callable[[str, int, int], None],
    *,
    until: datetime | None = None,
    accept_empty: bool = False,
) -> Iterator[CollectRun]:
    """Read one cluster, window by window, the oldest first; each is a run, and kept whatever becomes of the next.

    Windows that end after `until` (UTC) wait for another time. Raises what the reading raises, with the run of that
    window recorded as failed and the watermark before it.
    """
    with ledger.writer(settings.name) as writer:
        mark = ledger.watermark(settings.name)
        run = writer.begin(Mode.CHANGES, mark.at if mark else None)
        with failure_recorded(writer, run):
            prometheus = Prometheus(settings)
            due = due_windows(prometheus, settings, mark.at if mark else None, until)
        if not due.windows:
            counts = writer.finish(run, due.since, due.now, [])
            yield CollectRun(settings.name, Mode.CHANGES, due.since, counts, [])
        for number, (since, end) in enumerate(due.windows):
            run = writer.begin(Mode.CHANGES, since) if number else run
            with failure_recorded(writer, run):
                read = read_window(prometheus, settings, ledger, since, end, progress, accept_empty=accept_empty)
                counts = writer.finish(run, end, due.now, read.records, read.rejected, read.counts)
            warnings = [f"{item.reason} (set aside; see: xdmod-cloud ledger quarantine)" for item in read.rejected]
            yield CollectRun(settings.name, Mode.CHANGES, end, counts, warnings)
