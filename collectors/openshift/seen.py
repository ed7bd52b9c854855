"""What the answers of one window tell of its pods, gathered by namespace and name, for that is all they share."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple, TypeVar

from collectors.openshift.grid import Grid, Runs, joined
from collectors.openshift.prometheus import Labels, PodLabels, Prometheus, Series
from collectors.openshift.queries import LOOKBACK, Queries
from collectors.openshift.settings import OpenShiftSource
from ledger import ConfigurationError, SourceUnavailable
from ledger.counts import counted

__all__ = ["TOLD", "Asked", "Labelled", "Over", "Pods", "Progress", "Seen", "Told", "Who", "read_pods"]

Progress = Callable[[str, int, int], None]
T = TypeVar("T")
H = TypeVar("H", "Asked", "Who")

#: The units of each resource, by the names that they have borne over the years. Any other resource is counted.
_UNITS = {"cpu": ("core", "cores"), "memory": ("byte", "bytes")}
_COUNTED = ("", "integer")
#: The times that Kubernetes tells of each pod.
TOLD = ("created", "start_time", "completion_time")


class Asked(NamedTuple):
    """What a pod asks for of one resource. The node is empty for limits."""

    resource: str
    node: str
    runs: Runs


class Who(NamedTuple):
    """Which pod bears the name, where it runs, and what made it."""

    uid: str
    node: str
    owner_kind: str
    owner_name: str
    runs: Runs


class Over(NamedTuple):
    """That a pod has ended, and how."""

    uid: str
    phase: str
    runs: Runs


class Told(NamedTuple):
    """A time that Kubernetes tells of a pod: the metric's name, and the seconds since 1970 as they were sent."""

    uid: str
    what: str
    seconds: str


class Labelled(NamedTuple):
    """A label of a pod."""

    uid: str
    label: str
    value: str
    runs: Runs


class Seen:
    """All that is seen of one name in one namespace; several pods may have borne it, one after the other.

    `short` has requests at the points before which a pod was there, though at no point.
    """

    __slots__ = ("labels", "limits", "over", "requests", "short", "told", "who")

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.limits: list[Asked] = []
        self.who: list[Who] = []
        self.told: list[Told] = []
        self.short: list[Asked] = []
        self.over: list[Over] = []
        self.labels: list[Labelled] = []

    def tidy(self) -> None:
        """Make one of series that tell the same: where the scheduler or kube-state-metrics moves, new ones begin."""
        self.requests = _tidied(self.requests, lambda one: (one.resource, one.node))
        self.limits = _tidied(self.limits, lambda one: (one.resource, one.node))
        self.who = _tidied(self.who, lambda one: (one.uid, one.node))


def _tidied(several: list[H], key: Callable[[H], tuple[str, str]]) -> list[H]:
    if len(several) < 2:
        return several
    groups = dict[tuple[str, str], list[H]]()
    for one in several:
        groups.setdefault(key(one), []).append(one)
    if len(groups) == len(several):
        return several
    tidy = list[H]()
    for group in groups.values():
        runs = joined(one.runs for one in group)
        tidy += group if runs is None else [group[-1]._replace(runs=runs)]
    return tidy


#: By namespace and name.
Pods = dict[tuple[str, str], Seen]


def read_pods(prometheus: Prometheus, settings: OpenShiftSource, grid: Grid, progress: Progress) -> Pods:
    """Ask for everything about pods.

    Raises what `Prometheus.read` raises, ConfigurationError for a unit that is not known, and SourceUnavailable where
    pods run of which no request is told at all: none may pass for one that asks for nothing.
    """
    reading = _Reading(prometheus, settings, grid)
    parts = list(reading.parts())
    for number, (name, read) in enumerate(parts):
        progress(name, number, len(parts))
        read()
    progress("pods", len(parts), len(parts))
    _check_requests(prometheus, reading.pods)
    return reading.pods


class _Reading:
    """The questions about the pods of one window, and where their answers go."""

    def __init__(self, prometheus: Prometheus, settings: OpenShiftSource, grid: Grid) -> None:
        self.pods = Pods()
        self._prometheus, self._settings, self._grid = prometheus, settings, grid
        #: What is told once, is asked for when it has come in.
        self._late = Grid(grid.until + LOOKBACK, grid.until + LOOKBACK, settings.step)

    def parts(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Each question by what it is about."""
        queries = Queries(self._settings)
        for query in (queries.cpu, queries.memory, queries.gpus):
            yield "requests", partial(self._ask, query, self._asked, lambda seen: seen.requests.append)
        yield "short pods", partial(self._ask, queries.short, self._asked, lambda seen: seen.short.append)
        for resource in ("cpu", "memory"):
            yield "limits", partial(self._ask, queries.limit(resource), self._asked, lambda seen: seen.limits.append)
        yield "identities", partial(self._ask, queries.identity, self._who, lambda seen: seen.who.append)
        yield "ends", partial(self._ask, queries.over, self._over, lambda seen: seen.over.append)
        for what in TOLD:
            told = partial(self._told, what)
            yield "times", partial(self._ask, queries.told(what), told, lambda seen: seen.told.append, self._late)
        for label in self._settings.pod_labels:
            yield "labels", partial(self._labelled, queries.labelled(label), label)

    def _ask(
        self,
        query: str,
        read: Callable[[Series[PodLabels]], T],
        place: Callable[[Seen], Callable[[T], None]],
        grid: Grid | None = None,
    ) -> None:
        """Ask, and put what `read` makes of each series where it belongs."""

        def take(series: Iterable[Series[PodLabels]]) -> list[tuple[str, str, T]]:
            return [(one.metric.namespace, one.metric.pod, read(one)) for one in series]

        for namespace, name, found in self._prometheus.read(query, grid or self._grid, PodLabels, take):
            place(self._seen(namespace, name))(found)

    def _seen(self, namespace: str, name: str) -> Seen:
        key = namespace, name
        seen = self.pods.get(key)
        if seen is None:
            seen = self.pods[key] = Seen()
        return seen

    def _asked(self, series: Series[PodLabels]) -> Asked:
        labels = series.metric
        if labels.unit not in _UNITS.get(labels.resource, _COUNTED):
            raise ConfigurationError(
                f"{self._prometheus.name} tells {labels.resource} of pod {labels.namespace}/{labels.pod} in"
                f' "{labels.unit}", which is no unit that is known. Nothing was recorded; update xdmod-cloud.'
            )
        return Asked(labels.resource, labels.node, self._grid.runs(series.values))

    def _who(self, series: Series[PodLabels]) -> Who:
        labels = series.metric
        runs = self._grid.runs(series.values)
        return Who(labels.uid, labels.node, labels.created_by_kind, labels.created_by_name, runs)

    def _over(self, series: Series[PodLabels]) -> Over:
        return Over(series.metric.uid, series.metric.phase, self._grid.runs(series.values))

    def _told(self, what: str, series: Series[PodLabels]) -> Told:
        return Told(series.metric.uid, what, self._late.runs(series.values)[-1].value)

    def _labelled(self, query: str, label: str) -> None:
        def take(series: Iterable[Series[Labels]]) -> list[tuple[str, str, Labelled]]:
            return [
                (
                    one.metric.get("namespace", ""),
                    one.metric.get("pod", ""),
                    Labelled(one.metric.get("uid", ""), label, one.metric[label], self._grid.runs(one.values)),
                )
                for one in series
            ]

        for namespace, name, found in self._prometheus.read(query, self._grid, Labels, take):
            self._seen(namespace, name).labels.append(found)


def _check_requests(prometheus: Prometheus, pods: Pods) -> None:
    asking = {asked.resource for seen in pods.values() for asked in seen.requests}
    running = sum(1 for seen in pods.values() if seen.who and not seen.over)
    for resource in ("cpu", "memory"):
        if running and resource not in asking:
            raise SourceUnavailable(
                f"{prometheus.name} knows {counted(running, 'pods')}, but tells of none how much {resource} it requests"
                " (kube_pod_resource_request). Nothing was recorded; let it read /metrics/resources of kube-scheduler."
            )
