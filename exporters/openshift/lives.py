"""The intervals of pods that a day has to tell: those that lie in it, or those that ended in it.

Pure functions of the ledger. Both are made of the same days, so that their seconds add up to the same.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from exporters.openshift.line import whole
from ledger import Ledger
from ledger.pods import Interval, Life
from ledger.store import Seq

__all__ = ["DAY", "Part", "by_day", "by_life", "joined"]

DAY = timedelta(days=1)


class Part(NamedTuple):
    """An interval to be told of a pod, in whole seconds; `first` and `last` of those that the pod ever has."""

    life: Life
    interval: Interval
    first: bool
    last: bool


def by_day(life: Life, day: datetime) -> Iterator[Part]:
    """What a pod did on a day (UTC), by its life of that day."""
    intervals = _counted(life)
    for number, interval in enumerate(intervals):
        yield Part(life, interval, number == 0 and _begins(life, interval, day), number == len(intervals) - 1)


def by_life(ledger: Ledger, source: str, day: datetime, up_to: Seq) -> Iterator[tuple[Life, list[Part]]]:
    """The intervals that ended on a day, or with the day before, each from its beginning on, pod by pod.

    What reaches the day's end may go on, and is told when it has ended.
    """
    before, now = ledger.pods(source, day - DAY, day, up_to), ledger.pods(source, day, day + DAY, up_to)
    for yesterday, today in joined(before, now):
        tail, intervals = _at_end(yesterday, day), _counted(today) if today else []
        parts = list[Part]()
        if yesterday and tail and not (intervals and _continues(tail, intervals[0], day)):
            ended = Part(today or yesterday, tail, first=False, last=not intervals)
            parts.append(_from_its_beginning(ledger, source, ended, yesterday, day - DAY, up_to))
        for interval in intervals:
            if today and interval.end < day + DAY:
                ended = Part(today, interval, first=False, last=interval is intervals[-1])
                parts.append(_from_its_beginning(ledger, source, ended, today, day, up_to))
        if today or parts:
            yield (today or parts[0].life), parts


def joined(one: Iterable[Life], other: Iterable[Life]) -> Iterator[tuple[Life | None, Life | None]]:
    """The lives of two times side by side, by key, in whose order both come; none where a pod has none."""
    left, right = iter(one), iter(other)
    here, there = next(left, None), next(right, None)
    while here or there:
        if here and (there is None or here.key < there.key):
            yield here, None
            here = next(left, None)
        elif there and (here is None or there.key < here.key):
            yield None, there
            there = next(right, None)
        else:
            yield here, there
            here, there = next(left, None), next(right, None)


def _from_its_beginning(ledger: Ledger, source: str, ended: Part, told: Life, midnight: datetime, up_to: Seq) -> Part:
    """An interval with the days before, through which it lasted; `told` is the pod's life from that midnight on."""
    interval = ended.interval
    while interval.start == midnight:
        earlier = next(ledger.pods(source, midnight - DAY, midnight, up_to, only=told.key), None)
        tail = _at_end(earlier, midnight)
        if earlier is None or tail is None or not _continues(tail, interval, midnight):
            break
        interval = interval._replace(start=tail.start, start_told=tail.start_told)
        midnight, told = midnight - DAY, earlier
    first = interval.start == _counted(told)[0].start and _begins(told, interval, midnight)
    return ended._replace(interval=interval, first=first)


def _counted(life: Life) -> list[Interval]:
    """Its intervals that have a second."""
    return [one for one in map(whole, life.intervals) if one.start < one.end]


def _begins(life: Life, interval: Interval, day: datetime) -> bool:
    """Whether a pod began with the first interval that it has on a day."""
    begun = life.pod.started or life.pod.created
    return interval.start_told or (interval.start > day if begun is None else begun >= day)


def _at_end(life: Life | None, midnight: datetime) -> Interval | None:
    """The interval that reaches a day's end, if there is one."""
    intervals = _counted(life) if life else []
    return intervals[-1] if intervals and intervals[-1].end == midnight else None


def _continues(tail: Interval, head: Interval, midnight: datetime) -> bool:
    return head.start == midnight and head.demand == tail.demand
