"""The lives of pods: what single windows tell of them, put together into intervals. Pure; exports and usage share it.

Source of the rules: a sample stands for the time until the next one is due; a longer gap ends an interval; whatever
changes splits it; what Kubernetes itself tells of start and completion replaces an edge that is one step away at most.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from msgspec.structs import replace

from ledger.cluster import Demand, Pod, PodKey

__all__ = ["Interval", "Life", "Oddity", "life_of"]


class Oddity(StrEnum):
    """What of a pod's life cannot be taken as it is told, to be counted."""

    START_KEPT = "start-kept"
    END_KEPT = "end-kept"
    UNMEASURED = "unmeasured"


class Interval(NamedTuple):
    """A time `[start, end)` (UTC) in which a pod used what it asked for; edges are told by Kubernetes, or sampled."""

    start: datetime
    end: datetime
    demand: Demand
    start_told: bool = False
    end_told: bool = False


class Life(NamedTuple):
    """What is known of a pod in some time: `pod` as last told, its intervals there, in order, and what is odd.

    An edge at the end of that time is no end of the pod.
    """

    key: PodKey
    pod: Pod
    intervals: list[Interval]
    oddities: frozenset[Oddity]


class _Span(NamedTuple):
    first: datetime
    last: datetime
    demand: Demand
    step: timedelta


def life_of(records: Sequence[Pod], since: datetime, until: datetime) -> Life:
    """Put the records of one pod together, in the order of their windows; its intervals are cut to [since, until)."""
    pod = _as_last_told(records)
    oddities = set[Oddity]()
    intervals = [*_seen(records, pod, oddities), *_between(records, pod, oddities)]
    cut = (_cut(interval, since, until) for interval in intervals)
    kept = sorted((one for one in cut if one.start < one.end), key=lambda one: one.start)
    return Life(records[0].subject, pod, kept, frozenset(oddities))


def _as_last_told(records: Sequence[Pod]) -> Pod:
    """The newest record, with what only an older one tells."""
    *older, pod = records
    for record in reversed(older):
        pod = _completed(pod, record)
    return pod


def _completed(pod: Pod, older: Pod) -> Pod:
    known = {
        name: getattr(older, name)
        for name in ("created", "started", "completed", "owner_kind", "owner_name", "phase", "labels")
        if not getattr(pod, name) and getattr(older, name)
    }
    return replace(pod, **known) if known else pod


def _seen(records: Sequence[Pod], pod: Pod, oddities: set[Oddity]) -> Iterator[Interval]:
    """The intervals that samples tell, with the edges that Kubernetes tells better."""
    spans = _joined(records)
    for number, span in enumerate(spans):
        start, end = span.first, span.last + span.step
        start_told = end_told = False
        if number == 0 and pod.started:
            start_told = abs(pod.started - start) <= span.step
            if start_told:
                start = pod.started
            elif pod.started > records[0].since - span.step:
                oddities.add(Oddity.START_KEPT)
        if number == len(spans) - 1:
            if pod.completed:
                end_told = abs(pod.completed - end) <= span.step
                if end_told:
                    end = pod.completed
                else:
                    oddities.add(Oddity.END_KEPT)
        else:
            end = min(end, spans[number + 1].first)
        if start < end:
            yield Interval(start, end, span.demand, start_told, end_told)


def _joined(records: Iterable[Pod]) -> list[_Span]:
    """The stretches of all windows; those that go on in the next window are one."""
    spans: list[_Span] = []
    for record in records:
        step = timedelta(seconds=record.step)
        for stretch in record.stretches:
            if stretch.between:
                continue
            last = spans[-1] if spans else None
            if last and stretch.demand == last.demand and stretch.first - last.last <= last.step:
                spans[-1] = last._replace(last=max(last.last, stretch.last), step=step)
            else:
                spans.append(_Span(stretch.first, stretch.last, stretch.demand, step))
    return spans


def _between(records: Iterable[Pod], pod: Pod, oddities: set[Oddity]) -> Iterator[Interval]:
    """The intervals of a pod so short that no sample met it: known only where Kubernetes tells both ends."""
    for record in records:
        step = timedelta(seconds=record.step)
        for stretch in record.stretches:
            if not stretch.between:
                continue
            start, end = pod.started, pod.completed
            if start and end and stretch.first - step <= start < end <= stretch.last + step:
                yield Interval(start, end, stretch.demand, start_told=True, end_told=True)
            else:
                oddities.add(Oddity.UNMEASURED)


def _cut(interval: Interval, since: datetime, until: datetime) -> Interval:
    start, end = max(interval.start, since), min(interval.end, until)
    return interval._replace(
        start=start,
        end=end,
        start_told=interval.start_told and start == interval.start,
        end_told=interval.end_told and end == interval.end,
    )
