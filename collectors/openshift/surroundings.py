"""What a window tells of a cluster beside its pods: nodes, namespaces and persistent volume claims."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from msgspec.structs import replace

from collectors.openshift.grid import Grid
from collectors.openshift.models import Product
from collectors.openshift.prometheus import Labels, Prometheus, Series
from collectors.openshift.queries import Queries
from collectors.openshift.settings import OpenShiftSource
from collectors.openshift.values import BadValue, amount, size
from ledger import Rejected
from ledger.cluster import Claim, ClaimStretch, Namespace, Node

__all__ = ["read_claims", "read_models", "read_namespaces", "read_nodes"]


def read_models(prometheus: Prometheus, settings: OpenShiftSource, grid: Grid) -> dict[str, list[Product]]:
    """The GPU models that nodes tell. Raises what `Prometheus.read` raises."""

    def take(series: Iterable[Series[Labels]]) -> dict[str, list[Product]]:
        told = defaultdict[str, list[Product]](list)
        for one in series:
            labels = one.metric
            model, machine = labels.get(settings.gpu_label, ""), labels.get(settings.machine_label, "")
            told[labels.get("node", "")].append(Product(model, machine, grid.runs(one.values)))
        return told

    return prometheus.read(Queries(settings).models, grid, Labels, take)


def read_nodes(
    prometheus: Prometheus,
    settings: OpenShiftSource,
    grid: Grid,
    told: Mapping[str, list[Product]],
    known: Mapping[str, Node],
    rejected: list[Rejected],
) -> Iterator[Node]:
    """The nodes that are other than they were known to be, in the order of time.

    A node that tells no model keeps the one that it told last. What cannot be meant is `rejected`. Raises what
    `Prometheus.read` raises.
    """
    end = Grid(grid.until, grid.until, grid.step)

    def take(series: Iterable[Series[Labels]]) -> dict[str, dict[str, str]]:
        offered = defaultdict[str, dict[str, str]](dict)
        for one in series:
            try:
                value = f"{amount(end.runs(one.values)[-1].value).normalize():f}"
            except BadValue as error:
                rejected.append(Rejected(f"What node {one.metric.get('node')} offers: {error}", repr(one.metric)))
                continue
            offered[one.metric.get("node", "")][one.metric.get("resource", "")] = value
        return offered

    offered = prometheus.read(Queries(settings).allocatable, end, Labels, take)
    for name in sorted({*offered, *told}):
        node = known.get(name, Node(name, grid.since))
        spells = sorted((run.first, one.model, one.machine) for one in told.get(name, ()) for run in one.runs)
        states: list[tuple[datetime, str | None, str | None]]
        states = [(grid.times[first], model, machine) for first, model, machine in spells]
        for since, model, machine in states or [(grid.since, node.gpu_model, node.machine)]:
            allocatable = dict(sorted(offered.get(name, node.allocatable).items()))
            new = replace(node, gpu_model=model or None, machine=machine or None, allocatable=allocatable, gone=False)
            if name not in known or new != node:
                node = replace(new, since=since)
                known = {**known, name: node}
                yield node
    if offered:
        for name, node in known.items():
            if name not in offered and name not in told and not node.gone:
                yield replace(node, since=grid.until, gone=True)


def read_namespaces(
    prometheus: Prometheus, settings: OpenShiftSource, grid: Grid, known: Mapping[str, Namespace]
) -> Iterator[Namespace]:
    """The namespaces that are other than they were known to be, each state that they were in, in the order of time.

    Raises what `Prometheus.read` raises.
    """
    queries = Queries(settings)
    annotations = _states(prometheus, queries.annotations, grid, settings.annotations)
    labels = _states(prometheus, queries.namespace_labels, grid, settings.namespace_labels)
    for name in sorted({*annotations, *labels}):
        before = known.get(name)
        points = sorted({*annotations.get(name, {}), *labels.get(name, {})})
        for point in points:
            new = Namespace(
                name,
                grid.times[point],
                _at(annotations.get(name, {}), point),
                _at(labels.get(name, {}), point),
            )
            if before is None or replace(before, since=new.since) != new:
                yield (before := new)
    if annotations:
        gone = [space for name, space in known.items() if name not in annotations and name not in labels]
        yield from (replace(space, since=grid.since, gone=True) for space in gone if not space.gone)


def _states(
    prometheus: Prometheus, query: str, grid: Grid, wanted: Iterable[str]
) -> dict[str, dict[int, dict[str, str]]]:
    """The labels wanted of each namespace, from each point on at which a series of it begins."""
    names = sorted(wanted)
    if not names:
        return {}

    def take(series: Iterable[Series[Labels]]) -> dict[str, dict[int, dict[str, str]]]:
        states = defaultdict[str, dict[int, dict[str, str]]](dict)
        for one in series:
            values = {name: one.metric[name] for name in names if one.metric.get(name)}
            for run in grid.runs(one.values):
                states[one.metric.get("namespace", "")][run.first] = values
        return states

    return prometheus.read(query, grid, Labels, take)


def _at(states: Mapping[int, dict[str, str]], point: int) -> dict[str, str]:
    begun = [first for first in states if first <= point]
    return states[max(begun)] if begun else states[min(states)] if states else {}


def read_claims(
    prometheus: Prometheus, settings: OpenShiftSource, grid: Grid, rejected: list[Rejected]
) -> Iterator[Claim]:
    """The claims of the window. One whose size cannot be meant is `rejected`. Raises what `Prometheus.read` raises."""
    queries, end = Queries(settings), Grid(grid.until, grid.until, grid.step)

    def take_sizes(series: Iterable[Series[Labels]]) -> dict[tuple[str, str], list[tuple[int, int, str]]]:
        sizes = defaultdict[tuple[str, str], list[tuple[int, int, str]]](list)
        for one in series:
            sizes[_claim(one.metric)].extend(grid.runs(one.values))
        return sizes

    def take_classes(series: Iterable[Series[Labels]]) -> dict[tuple[str, str], tuple[str, str]]:
        # A claim that was bound meanwhile is told twice: without a volume, and with one.
        told = ((_claim(one.metric), one.metric) for one in series)
        pairs = [(key, labels.get("volumename", ""), labels.get("storageclass", "")) for key, labels in told]
        return {key: (kind, volume) for key, volume, kind in sorted(pairs)}

    sizes = prometheus.read(queries.claims, grid, Labels, take_sizes)
    classes = prometheus.read(queries.claim_classes, end, Labels, take_classes)
    for (namespace, name), runs in sorted(sizes.items()):
        try:
            stretches = tuple(_claim_stretches(grid.times, runs))
        except BadValue as error:
            rejected.append(Rejected(f"Claim {namespace}/{name} of {grid.since}: {error}", repr(runs)))
            continue
        kind, volume = classes.get((namespace, name), ("", ""))
        yield Claim(namespace, name, grid.since, grid.until, grid.seconds, kind, volume, stretches)


def _claim(labels: Labels) -> tuple[str, str]:
    return labels.get("namespace", ""), labels.get("persistentvolumeclaim", "")


def _claim_stretches(times: list[datetime], runs: Iterable[tuple[int, int, str]]) -> Iterator[ClaimStretch]:
    """Of series that overlap, because what tells them was replaced, the later one counts from its beginning on."""
    at = dict[int, int]()
    for first, last, value in sorted(runs):
        at.update(dict.fromkeys(range(first, last + 1), size(value) or 0))
    begin: int | None = None
    for point in sorted(at):
        begin = point if begin is None else begin
        if at.get(point + 1) != at[point]:
            yield ClaimStretch(times[begin], times[point], at[begin])
            begin = None
