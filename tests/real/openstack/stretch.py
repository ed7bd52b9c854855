"""Minutes shown as a month: time runs as it did while anything is going on, and faster in between."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import pairwise

#: Two times: of an interval its start and end; of an anchor the recorded time and the one it is shown as.
Pair = tuple[datetime, datetime]

MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)


def stretched(busy: Iterable[Pair], anchors: Iterable[Pair]) -> Callable[[datetime], datetime]:
    """Make the function that shows a recorded time; it never goes backwards.

    Within a `busy` interval, before the first anchor and after the last, time runs as it did. What then remains to be
    shown between two anchors is spread evenly over the gaps recorded between them, in whole seconds.
    """
    blocks, fixed = _united(busy), sorted(anchors)
    knots = [fixed[0]]
    for start, end in pairwise(fixed):
        knots += _knots(start, end, blocks)

    def shown(moment: datetime) -> datetime:
        if moment <= knots[0][0]:
            return knots[0][1] - (knots[0][0] - moment)
        for (start, shown_start), (end, shown_end) in pairwise(knots):
            if moment <= end:
                into = (moment - start) // MICROSECOND * ((shown_end - shown_start) // MICROSECOND)
                return shown_start + into // ((end - start) // MICROSECOND) * MICROSECOND
        return knots[-1][1] + (moment - knots[-1][0])

    return shown


def _united(intervals: Iterable[Pair]) -> list[Pair]:
    united: list[Pair] = []
    for start, end in sorted(intervals):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], end))
        else:
            united.append((start, end))
    return united


def _knots(start: Pair, end: Pair, blocks: list[Pair]) -> list[Pair]:
    """The anchors after `start`, up to `end`, between which the function is straight."""
    inner = [(max(start[0], a), min(end[0], b)) for a, b in blocks if a < end[0] and b > start[0]]
    edges = [(start[0], start[0]), *inner, (end[0], end[0])]
    active = sum((b - a for a, b in inner), timedelta())
    idle, shown_idle = end[0] - start[0] - active, end[1] - start[1] - active
    if shown_idle < timedelta() or (shown_idle and not idle):
        raise ValueError(f"{end[0] - start[0]}, of which {active} active, cannot be shown as {end[1] - start[1]}")
    knots, waited, worked = [], timedelta(), timedelta()
    for (_, before), (a, b) in pairwise(edges):
        waited += a - before
        share = waited / idle if idle else 0.0
        at = start[1] + worked + (shown_idle if waited == idle else shown_idle * share // SECOND * SECOND)
        knots += [(a, at), (b, at + (b - a))]
        worked += b - a
    return knots
