"""What pods used: the seconds of each namespace, exact, and what they come to by a rate card, day by day.

Source of the rules: a pod uses what it asks for while it runs; a pod that asks for no CPU or no memory is of unknown
size, and one whose GPU the card does not know is no pod without a GPU.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from ledger.cluster import Demand, Pod, PodKey
from ledger.pods import Life
from ledger.times import EPOCH
from usage.rates import Billing, Card, Charge, Epochs, Finding, Piece, Size, Term

__all__ = ["NO_CLASS", "NO_CPU", "NO_MEMORY", "Classes", "PodRow", "PodSums", "PodUsage", "gpu_type", "size_of"]

#: The class of a pod that bears no label.
NO_CLASS = "noclass"
#: What is odd about a pod that asks for nothing, beside what is odd about its times.
NO_CPU, NO_MEMORY = "no-cpu-request", "no-memory-request"
_DAY_SECONDS = 86400
_MEBIBYTE = 2**20


class Classes(NamedTuple):
    """The label of pods that tells classes apart, and the namespaces in which it does."""

    label: str
    namespaces: frozenset[str]

    def of(self, pod: Pod) -> str | None:
        """What a pod is counted under beside its namespace: `namespace:class`; none outside of these namespaces."""
        if pod.namespace not in self.namespaces:
            return None
        return f"{pod.namespace}:{pod.labels.get(self.label) or NO_CLASS}"


class PodSums(Struct):
    """What pods used: core seconds, byte seconds and GPU seconds, all exact.

    `seconds` are those of all pods, of which some asked for no CPU, or no memory: these used an unknown amount of it.
    `outage` are seconds in which nothing was charged.
    """

    pods: int = 0
    seconds: int = 0
    cpu: Fraction = Fraction()
    memory: int = 0
    gpu: int = 0
    without_cpu: int = 0
    without_memory: int = 0
    outage: int = 0

    def add(self, demand: Demand, seconds: int, uncharged: int) -> None:
        """Count what one pod was for so long."""
        self.seconds += seconds
        self.outage += uncharged
        self.gpu += sum(demand.gpus.values()) * seconds
        cpu, memory = _cores(demand.cpu), demand.memory
        if cpu:
            self.cpu += cpu * seconds
        else:
            self.without_cpu += seconds
        if memory:
            self.memory += memory * seconds
        else:
            self.without_memory += seconds


class PodRow(NamedTuple):
    """What a pod did within `[start, end)` on one day, in seconds since 1970 (UTC), at one term of the rate card.

    `seconds` are those that are charged; without a card there is no term.
    """

    pod: Pod
    start: int
    end: int
    seconds: int
    demand: Demand
    term: Term | None


class PodUsage:
    """Adds up the pods of a cluster in a window `[from, to)` of seconds since 1970 (UTC), the days in their order."""

    def __init__(self, window: tuple[int, int], card: Card | None = None, classes: Classes | None = None) -> None:
        self._window, self._classes = window, classes
        self._epochs = Epochs(card) if card else None
        self.billing = Billing(card) if card else None
        self.class_billing = Billing(card) if card else None
        self.namespaces = defaultdict[str, PodSums](PodSums)
        self.classes = defaultdict[str, PodSums](PodSums)
        self.findings, self.oddities = Counter[Finding](), Counter[str]()
        self._newcomers = _Newcomers(window[0])

    def day(self, midnight: datetime, lives: Iterable[Life]) -> Iterator[PodRow]:
        """Count the pods of a day (UTC), and yield what each did on it."""
        self._newcomers.next_day(_second(midnight))
        for life in lives:
            for oddity in life.oddities:
                self.oddities[oddity.value] += self._newcomers.new(life, oddity.value)
            yield from self._rows(life)

    def _rows(self, life: Life) -> Iterator[PodRow]:
        pod, counted = life.pod, self._classes.of(life.pod) if self._classes else None
        for start, end, demand, *_ in life.intervals:
            since, until = max(_second(start), self._window[0]), min(_second(end), self._window[1])
            if since >= until:
                continue
            piece = Piece(life.key, pod.namespace, "active", since, until, size_of(demand))
            rows = list(self._charged(pod, piece, demand, counted))
            uncharged = until - since - sum(row.seconds for row in rows)
            self.namespaces[pod.namespace].add(demand, until - since, uncharged)
            self.namespaces[pod.namespace].pods += self._newcomers.new(life, "")
            for what in (NO_CPU, NO_MEMORY):
                if not (_cores(demand.cpu) if what == NO_CPU else demand.memory):
                    self.oddities[what] += self._newcomers.new(life, what)
            if counted is not None:
                self.classes[counted].add(demand, until - since, uncharged)
                self.classes[counted].pods += self._newcomers.new(life, counted)
            for row in rows:
                if row.term and row.term.finding:
                    self.findings[row.term.finding] += self._newcomers.new(life, row.term.finding)
                yield row

    def _charged(self, pod: Pod, piece: Piece, demand: Demand, counted: str | None) -> Iterator[PodRow]:
        if self._epochs is None or self.billing is None or self.class_billing is None:
            yield PodRow(pod, piece.start, piece.end, piece.end - piece.start, demand, None)
            return
        rows = dict[Term, PodRow]()
        for charge in self._epochs.charges(piece):
            self.billing.add(charge)
            if counted is not None:
                of_class = Piece(piece.instance, counted, piece.state, piece.start, piece.end, piece.size)
                self.class_billing.add(Charge(of_class, charge.start, charge.end, charge.term))
            before = rows.get(charge.term)
            start, seconds = (before.start, before.seconds) if before else (charge.start, 0)
            rows[charge.term] = PodRow(pod, start, charge.end, seconds + charge.seconds, demand, charge.term)
        yield from rows.values()


class _Newcomers:
    """Tells whether something is met for the first time, in memory of two days.

    A pod that was not there for a day is known by its own beginning.
    """

    def __init__(self, first: int) -> None:
        self._first, self._day = first, first
        self._yesterday, self._today = set[tuple[PodKey, str]](), set[tuple[PodKey, str]]()

    def next_day(self, midnight: int) -> None:
        self._day = midnight
        self._yesterday, self._today = self._today, set()

    def new(self, life: Life, what: str) -> bool:
        """Whether a pod is met for the first time, or, where `what` names something about it, that is."""
        thing = life.key, what
        if thing in self._today:
            return False
        self._today.add(thing)
        if thing in self._yesterday or (life.key, "") in self._yesterday:
            return thing not in self._yesterday
        begun = life.pod.started or life.pod.created
        return begun is None or not self._first <= _second(begun) < self._day - _DAY_SECONDS


def size_of(demand: Demand) -> Size:
    """What a pod asks for, as rate cards count it; what it does not ask for is not known, except for GPUs."""
    return _size(demand.cpu, demand.memory, tuple(sorted(demand.gpus.items())), demand.gpu_model)


@lru_cache(2**14)
def _size(cpu: str | None, memory: int | None, gpus: tuple[tuple[str, int], ...], model: str | None) -> Size:
    return Size(
        flavor=None,
        vcpus=_cores(cpu),
        memory_mib=None if memory is None else Fraction(memory, _MEBIBYTE),
        gpus=sum(number for _, number in gpus),
        gpu_type=gpu_type(dict(gpus), model),
    )


def gpu_type(gpus: Mapping[str, int], model: str | None) -> str | None:
    """What rate cards call GPUs: none where there is none.

    A whole one (`nvidia.com/gpu`) is called by the node's model, or by the resource where no model is known; a part of
    one (MIG) by both, as `nvidia.com/mig-1g.5gb on NVIDIA-A100-SXM4-40GB`; any other, as one that is passed through, by
    the resource. Several are joined by `+`.
    """
    return "+".join(sorted(_called(resource, model) for resource in gpus)) or None


def _called(resource: str, model: str | None) -> str:
    kind = resource.rpartition("/")[2]
    if kind == "gpu":
        return model or resource
    return f"{resource} on {model}" if model and kind.startswith("mig-") else resource


@lru_cache(2**14)
def _cores(cpu: str | None) -> Fraction | None:
    return None if cpu is None else Fraction(Decimal(cpu))


def _second(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(seconds=1)
