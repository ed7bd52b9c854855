"""One reading of an OpenShift cluster: which windows are due, and the records that one of them tells."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from collectors.openshift.assemble import Assembly
from collectors.openshift.grid import Grid
from collectors.openshift.models import Models
from collectors.openshift.prometheus import Prometheus
from collectors.openshift.seen import Progress, read_pods
from collectors.openshift.settings import OpenShiftSource
from collectors.openshift.surroundings import read_claims, read_models, read_namespaces, read_nodes
from ledger import Ledger, Rejected, SourceUnavailable
from ledger.cluster import Clustered, Namespace, Node
from ledger.times import iso_seconds

__all__ = ["CollectedWindow", "Due", "due_windows", "read_window"]

#: So far may a server's clock be ahead of this machine's. A watermark in the future would stop all readings until then.
_AHEAD = timedelta(hours=1)


class Due(NamedTuple):
    """What is to be read: from when on, the windows `[since, until)`, the oldest first; the server's time (all UTC)."""

    since: datetime
    windows: list[tuple[datetime, datetime]]
    now: datetime


class CollectedWindow(NamedTuple):
    """What one window told: the records, in the order to append them, and what could not be made one."""

    records: list[Clustered]
    rejected: list[Rejected]
    counts: dict[str, int]


def due_windows(
    prometheus: Prometheus, settings: OpenShiftSource, mark: datetime | None, no_later: datetime | None = None
) -> Due:
    """What is to be read since the watermark (UTC); where there is none, since some days ago.

    What ends after `no_later` is left out. Windows begin at midnight, or some whole windows after it. Raises
    SourceUnavailable where the server does not answer, or its clock cannot be right.
    """
    now = prometheus.now()
    if now > datetime.now(UTC) + _AHEAD:
        raise SourceUnavailable(
            f"The clock of {prometheus.name} says {iso_seconds(now)}, which this machine has yet to see. Nothing was"
            " recorded; set the clock right that is wrong, then run again."
        )
    if mark and now < mark:
        raise SourceUnavailable(
            f"The clock of {prometheus.name} says {iso_seconds(now)}, but {settings.name} has been read up to"
            f" {iso_seconds(mark)}. Nothing was recorded; set the clock right, or wait until it has caught up."
        )
    since = begin = mark or _midnight(now - timedelta(days=settings.first_days))
    windows = list[tuple[datetime, datetime]]()
    settled = now - timedelta(minutes=settings.settle_minutes)
    while (until := _next(since, settings.window)) <= min(settled, no_later or settled):
        windows.append((since, until))
        since = until
    return Due(begin, windows, now)


def _next(since: datetime, window: timedelta) -> datetime:
    """The end of the window: where the length was changed, the first that comes on the new way through the day."""
    midnight = _midnight(since)
    return midnight + ((since - midnight) // window + 1) * window


def _midnight(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def read_window(
    prometheus: Prometheus,
    settings: OpenShiftSource,
    ledger: Ledger,
    since: datetime,
    until: datetime,
    progress: Progress,
    *,
    accept_empty: bool,
) -> CollectedWindow:
    """Read one window.

    Raises what `Prometheus.read` and `read_pods` raise, and SourceUnavailable where there is no pod at all though some
    were known before, unless that is accepted: then nothing of the window counts.
    """
    name, grid = settings.name, Grid(since, until, settings.step)
    pods = read_pods(prometheus, settings, grid, progress)
    if not pods and not accept_empty and ledger.knows_pods(name, since):
        raise SourceUnavailable(
            f"{prometheus.name} tells of no pod at all from {iso_seconds(since)} to {iso_seconds(until)}, though {name}"
            " had some before. Nothing was recorded; look at what it scrapes. If the cluster was really empty, run once"
            " with --accept-empty."
        )
    told = read_models(prometheus, settings, grid)
    nodes = {node.name: node for node in ledger.newest(name, Node)}
    spaces = {space.name: space for space in ledger.newest(name, Namespace)}
    rejected = list[Rejected]()
    around: list[Clustered] = [
        *read_namespaces(prometheus, settings, grid, spaces),
        *read_nodes(prometheus, settings, grid, told, nodes, rejected),
        *read_claims(prometheus, settings, grid, rejected),
    ]
    assembly = Assembly(grid, Models(told, nodes), lambda namespace, pod: ledger.begun(name, namespace, pod, since))
    records = [*around, *assembly.records(pods)]
    counts = {**assembly.counts, "claims": sum(record.kind == "claim" for record in around)}
    return CollectedWindow(records, [*rejected, *assembly.rejected], counts)
