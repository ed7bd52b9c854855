"""A small cluster of which everything is known: what its Prometheus scrapes, and what its pods really used.

All of it lies in the days around the end of February 2025. Kubernetes tells of a pod as kube-state-metrics and
kube-scheduler do; nothing here knows how a collector reads it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

__all__ = [
    "CLAIMS",
    "FIRST",
    "LAST",
    "NODES",
    "PODS",
    "WORLD",
    "Pod",
    "Used",
    "World",
    "numbered",
    "open_metrics",
    "used",
]

SCRAPE = timedelta(minutes=2)
FIRST, LAST = datetime(2025, 2, 27, tzinfo=UTC), datetime(2025, 3, 2, tzinfo=UTC)
GIB = 1 << 30
A100, V100 = "NVIDIA-A100-SXM4-40GB", "Tesla-V100-PCIE-32GB"


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A time of the day so many days after the first."""
    return FIRST + timedelta(days=day, hours=hour, minutes=minute, seconds=second)


#: Nothing was scraped in this time.
OUTAGE = at(2, 12), at(2, 14)
#: In this time, the node wrk-gpu-0 was down as far as its labels go.
UNLABELLED = at(1, 10), at(1, 14)
#: From here on, another scheduler leads.
OTHER_SCHEDULER = at(1, 6, 30)


@dataclass(frozen=True)
class Pod:
    """One pod: it holds what it requests from `started` to `ended`, as Kubernetes tells if it completes.

    Where it does not tell, the pod ends long enough before the next quarter of an hour: a series that was filled in
    has no mark of its end, as one that was scraped has, and shows for five minutes more.
    `sizes` are later CPU requests by the time from which they hold. `kept` says how long a pod that completed is still
    told of; one that is deleted is told of no more.
    """

    namespace: str
    name: str
    started: datetime
    ended: datetime
    cpu: str = "1"
    memory: int = GIB
    node: str = "wrk-0"
    number: int = 0
    gpus: Mapping[str, int] = field(default_factory=dict)
    sizes: tuple[tuple[datetime, str], ...] = ()
    limits: bool = False
    phase: str = ""
    kept: timedelta = timedelta()
    waiting: timedelta = timedelta(seconds=5)
    course: str = ""
    kind: str = "ReplicaSet"

    @property
    def uid(self) -> str:
        return f"{self.number:08x}-0000-4000-8000-{self.number * 7919:012x}"

    @property
    def created(self) -> datetime:
        return self.started - self.waiting

    @property
    def told(self) -> bool:
        """Whether Kubernetes tells its end."""
        return bool(self.phase)

    def cpu_at(self, time: datetime) -> str:
        return ([cpu for since, cpu in self.sizes if since <= time] or [self.cpu])[-1]


def numbered(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """The pods, each with a uid of its own."""
    return tuple(Pod(**{**pod.__dict__, "number": number}) for number, pod in enumerate(pods, 1))


_BEFORE, _AFTER = FIRST - timedelta(days=3), LAST + timedelta(days=3)
_DAY = timedelta(days=1)
PODS = numbered(
    [
        Pod("web", "front-6d4cf56db6-x2x7k", _BEFORE, _AFTER, "2", 4 * GIB, limits=True),
        Pod("web", "front-6d4cf56db6-gone1", at(0, 3, 7, 11), at(0, 9, 52, 40), "0.25", GIB // 2),
        # One name, in two namespaces, at the same time.
        Pod("physics", "postgres-0", at(0, 1, 0, 20), at(2, 3, 38), "0.5", 2 * GIB, "wrk-1", kind="StatefulSet"),
        Pod("biology", "postgres-0", at(0, 2, 30, 50), at(1, 7, 1, 30), "4", 8 * GIB, "wrk-2", kind="StatefulSet"),
        # One name in one namespace, for three pods that follow each other.
        Pod("physics", "db-0", at(0, 4, 0, 10), at(0, 10, 10), "2", GIB, "wrk-1", kind="StatefulSet"),
        Pod("physics", "db-0", at(0, 10, 12, 5), at(0, 15, 20), "2", GIB, "wrk-2", kind="StatefulSet"),
        Pod("physics", "db-0", at(0, 16, 50), at(0, 18, 31), "3", GIB, "wrk-2", kind="StatefulSet"),
        # Shorter than a step: one that is kept for a while, and one that is not.
        Pod("batch", "short-1", at(0, 11, 2, 10), at(0, 11, 9, 40), "8", GIB, phase="Succeeded", kept=_DAY, kind="Job"),
        Pod("batch", "short-2", at(0, 11, 32), at(0, 11, 38), "8", GIB, kind="Job"),
        # Over midnight, over the end of the month; told to the second.
        Pod("batch", "night-1", at(0, 22, 40, 3), at(1, 1, 20, 17), "1.5", GIB, phase="Succeeded", kept=_DAY,
            kind="Job"),
        Pod("batch", "month-1", at(1, 22, 50, 1), at(2, 1, 20, 9), "0.1", GIB, phase="Failed", kept=_DAY, kind="Job"),
        Pod("batch", "last-minute", at(1, 23, 50), at(1, 23, 58), "6", GIB, phase="Succeeded", kept=_DAY, kind="Job"),
        Pod("batch", "first-minute", at(1, 23, 57), at(2, 0, 20), "7", GIB, phase="Succeeded", kept=_DAY, kind="Job"),
        # No node can take it for a while.
        Pod("batch", "waits", at(0, 13, 0, 30), at(0, 14, 30), "16", GIB, phase="Succeeded", kept=_DAY,
            waiting=timedelta(minutes=45), kind="Job"),
        # It asks for nothing.
        Pod("web", "best-effort", at(0, 6, 10), at(0, 12, 5), "0", 0),
        Pod("web", "grows", at(0, 5), at(0, 20, 0, 30), "1", GIB, sizes=((at(0, 11, 7), "3"),)),
        Pod("courses", "notebook-1", at(1, 9), at(1, 12, 3), "0.5", GIB, course="cs101"),
        Pod("ml", "train-1", at(0, 8, 0, 7), at(1, 3, 30, 30), "24", 64 * GIB, "wrk-gpu-0", gpus={"nvidia.com/gpu": 2},
            limits=True, phase="Succeeded", kept=_DAY, kind="Job"),
        # It begins while its node has no labels.
        Pod("ml", "train-2", at(1, 11, 0, 7), at(1, 13, 30, 30), "8", 32 * GIB, "wrk-gpu-0", gpus={"nvidia.com/gpu": 1},
            phase="Succeeded", kept=_DAY, kind="Job"),
        Pod("ml", "slices", at(0, 9), at(0, 11, 50), "2", 8 * GIB, "wrk-gpu-0",
            gpus={"nvidia.com/mig-1g.5gb": 3, "nvidia.com/mig-2g.10gb": 1}, phase="Succeeded", kept=_DAY, kind="Job"),
        Pod("ml", "vm-1", at(0, 9, 5), at(1, 0, 50), "16", 64 * GIB, "wrk-gpu-1", gpus={"nvidia.com/A100_SXM4_40GB": 4},
            phase="Succeeded", kept=_DAY, kind="VirtualMachineInstance"),
        # No label ever says which model its node has.
        Pod("ml", "riddle", at(1, 15), at(1, 18), "1", GIB, "wrk-gpu-2", gpus={"nvidia.com/gpu": 1}, phase="Succeeded",
            kept=_DAY, kind="Job"),
    ]
)  # fmt: skip

#: The GPU model of each node; none that the last one tells.
NODES = {"wrk-0": "", "wrk-1": "", "wrk-2": "", "wrk-gpu-0": A100, "wrk-gpu-1": V100, "wrk-gpu-2": ""}
#: Claims: namespace, name, storage class, and bytes by the time from which they hold.
CLAIMS = (
    ("web", "data", "ssd", ((FIRST, 10 * GIB),)),
    ("physics", "pgdata", "archive", ((FIRST, 20 * GIB), (at(1, 12, 5), 40 * GIB))),
)


def _annotations(space: str, time: datetime) -> dict[str, str]:
    owner = "pi-b" if space == "physics" and time >= at(1, 8) else "pi-a"
    return {"annotation_cf_pi": f"{owner}@example.edu", "annotation_cf_project_id": str(len(space))}


class World(NamedTuple):
    """A cluster from `first` to `last` (UTC), as this module describes one.

    `outage` is when nothing was scraped, `unlabelled` the node that was down as far as its labels go, and when.
    """

    first: datetime
    last: datetime
    pods: tuple[Pod, ...]
    nodes: Mapping[str, str]
    annotations: Callable[[str, datetime], Mapping[str, str]]
    claims: tuple[tuple[str, str, str, tuple[tuple[datetime, int], ...]], ...] = ()
    outage: tuple[datetime, datetime] | None = None
    unlabelled: tuple[str, datetime, datetime] | None = None


WORLD = World(FIRST, LAST, PODS, NODES, _annotations, CLAIMS, OUTAGE, ("wrk-gpu-0", *UNLABELLED))


class Used(NamedTuple):
    """What pods held, in core-seconds, byte-seconds and device-seconds; and how many pods and edges are not told."""

    cpu: Fraction = Fraction()
    memory: int = 0
    gpus: int = 0
    untold: int = 0


def used(since: datetime, until: datetime, *, scraped: bool = True) -> dict[str, Used]:
    """What the pods of each namespace really used in a time (UTC); with `scraped`, without the outage.

    A pod whose end is not told may be off by one sampling step, and so may one that is interrupted by the outage. Pods
    that are deleted so soon that no sample shows them count as used, too.
    """
    totals = defaultdict[str, Used](Used)
    for pod in PODS:
        pieces = list(_pieces(pod, since, until, scraped=scraped))
        if not pieces:
            continue
        before, seconds = totals[pod.namespace], sum((span for _, span in pieces), timedelta())
        interrupted = scraped and pod.started < OUTAGE[1] and pod.ended > OUTAGE[0] and since < OUTAGE[1] <= until
        totals[pod.namespace] = Used(
            before.cpu + sum(Fraction(cpu) * int(span.total_seconds()) for cpu, span in pieces),
            before.memory + pod.memory * int(seconds.total_seconds()),
            before.gpus + sum(pod.gpus.values()) * int(seconds.total_seconds()),
            before.untold + (not pod.told) + interrupted + len(pod.sizes),
        )
    return dict(totals)


def _pieces(pod: Pod, since: datetime, until: datetime, *, scraped: bool) -> Iterator[tuple[str, timedelta]]:
    """The CPU of a pod, and for how long."""
    edges = {pod.started, pod.ended, since, until, *OUTAGE, *(time for time, _ in pod.sizes)}
    times = sorted(time for time in edges if max(since, pod.started) <= time <= min(until, pod.ended))
    for start, end in pairwise(times):
        if not (scraped and OUTAGE[0] <= start < OUTAGE[1]):
            yield pod.cpu_at(start), end - start


def open_metrics(world: World = WORLD) -> Iterator[str]:
    """The lines of a file that promtool makes blocks of: each metric's samples together, in the order of time."""
    families = defaultdict[str, dict[str, list[tuple[int, str]]]](lambda: defaultdict(list))
    for time in _scrapes(world):
        stamp = int(time.timestamp())
        for metric, labels, value in _scraped(world, time):
            shown = ",".join(f'{name}="{text}"' for name, text in sorted(labels.items()) if text)
            families[metric][f"{metric}{{{shown}}}"].append((stamp, value))
    for metric, series in families.items():
        yield f"# TYPE {metric} gauge"
        for name, samples in series.items():
            yield from (f"{name} {value} {stamp}" for stamp, value in samples)
    yield "# EOF"


def _scrapes(world: World) -> Iterator[datetime]:
    # Off the grid of the collector by half a minute, as they are in life.
    time = world.first - timedelta(hours=1) + timedelta(seconds=30)
    while time < world.last + timedelta(hours=1):
        if not (world.outage and world.outage[0] <= time < world.outage[1]):
            yield time
        time += SCRAPE


_Sample = tuple[str, dict[str, str], str]


def _scraped(world: World, time: datetime) -> Iterator[_Sample]:
    for pod in world.pods:
        if pod.created <= time < pod.ended + (pod.kept if pod.phase else timedelta()):
            yield from _state(pod, time)
        if pod.created <= time < pod.ended:
            yield from _requests(pod, time)
    yield from _nodes(world, time)
    for space in sorted({pod.namespace for pod in world.pods}):
        yield "kube_namespace_annotations", _ksm(namespace=space, **world.annotations(space, time)), "1"
    for space, claim, kind, sizes in world.claims:
        labels = _ksm(namespace=space, persistentvolumeclaim=claim)
        size = [size for since, size in sizes if since <= max(time, world.first)][-1]
        yield "kube_persistentvolumeclaim_resource_requests_storage_bytes", labels, str(size)
        yield "kube_persistentvolumeclaim_info", {**labels, "storageclass": kind, "volumename": f"pv-{claim}"}, "1"


def _state(pod: Pod, time: datetime) -> Iterator[_Sample]:
    """What kube-state-metrics tells."""
    labels = _ksm(namespace=pod.namespace, pod=pod.name, uid=pod.uid)
    running = pod.started <= time
    owner = {"created_by_kind": pod.kind, "created_by_name": pod.name.rpartition("-")[0]}
    yield "kube_pod_info", {**labels, **owner, "node": pod.node if running else ""}, "1"
    yield "kube_pod_created", labels, _seconds(pod.created)
    now = "Pending" if not running else "Running" if time < pod.ended else pod.phase
    for phase in ("Pending", "Running", "Succeeded", "Failed", "Unknown"):
        yield "kube_pod_status_phase", {**labels, "phase": phase}, str(int(phase == now))
    if running:
        yield "kube_pod_start_time", labels, _seconds(pod.started)
    elif pod.waiting > timedelta(minutes=1):
        yield "kube_pod_status_unschedulable", labels, "1"
    if time >= pod.ended:
        yield "kube_pod_completion_time", labels, _seconds(pod.ended)
    if pod.course:
        yield "kube_pod_labels", {**labels, "label_course": pod.course}, "1"


def _requests(pod: Pod, time: datetime) -> Iterator[_Sample]:
    """What kube-scheduler tells: nothing of what is not asked for, and no node before there is one."""
    instance = "10.0.0.2:10259" if time >= OTHER_SCHEDULER else "10.0.0.1:10259"
    labels = {"job": "scheduler", "instance": instance, "namespace": pod.namespace, "pod": pod.name}
    labels["node"] = pod.node if pod.started <= time else ""
    amounts = [("cpu", "cores", pod.cpu_at(time)), ("memory", "bytes", str(pod.memory))]
    amounts += [(resource, "", str(number)) for resource, number in pod.gpus.items()]
    for resource, unit, value in amounts:
        if value != "0":
            yield "kube_pod_resource_request", {**labels, "resource": resource, "unit": unit}, value
            if pod.limits and unit:
                yield "kube_pod_resource_limit", {**labels, "resource": resource, "unit": unit}, value


def _nodes(world: World, time: datetime) -> Iterator[_Sample]:
    lost, since, until = world.unlabelled or ("", time, time)
    for node, model in world.nodes.items():
        down = node == lost and since <= time < until
        label = {"label_nvidia_com_gpu_product": "" if down else model}
        yield "kube_node_labels", _ksm(node=node, label_kubernetes_io_hostname=node, **label), "1"
        for resource, unit, value in (("cpu", "core", "64"), ("memory", "byte", str(256 * GIB))):
            yield "kube_node_status_allocatable", _ksm(node=node, resource=resource, unit=unit), value


def _ksm(**labels: str) -> dict[str, str]:
    return {"job": "kube-state-metrics", **labels}


def _seconds(time: datetime) -> str:
    return str(int(time.timestamp()))
