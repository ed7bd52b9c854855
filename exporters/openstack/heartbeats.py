"""When a running server is reported to be running: on a fixed grid, whenever the cloud was read."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from exporters.openstack.life import Running
from ledger.times import from_microseconds, microseconds

__all__ = ["HOUR", "Grid", "beats", "clipped", "less"]

HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class Grid(StrEnum):
    """How dense heartbeats are. Gaps never split a session, and a session ends at its last one.

    So `daily` (midnights, and the last full hour of each span) and `last` (only that hour) give the same sessions as
    `hourly`.
    """

    HOURLY = "hourly"
    DAILY = "daily"
    LAST = "last"


def beats(start: datetime, end: datetime, grid: Grid) -> Iterator[datetime]:
    """The moments of the grid in [start, end), both UTC."""
    if grid is Grid.HOURLY:
        yield from _multiples(start, end, HOUR)
        return
    last = end - timedelta(microseconds=(microseconds(end) % microseconds_of(HOUR)) or microseconds_of(HOUR))
    if grid is Grid.DAILY:
        yield from (beat for beat in _multiples(start, end, _DAY) if beat != last)
    if last >= start:
        yield last


def _multiples(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    width = microseconds_of(step)
    first = -(-microseconds(start) // width)
    last = -(-microseconds(end) // width)
    for number in range(first, last):
        yield _moment(number * width)


@lru_cache(100_000)
def _moment(microseconds_since_1970: int) -> datetime:
    return from_microseconds(microseconds_since_1970)


def microseconds_of(span: timedelta) -> int:
    """A span as a whole number of microseconds."""
    return span // timedelta(microseconds=1)


def clipped(spans: Iterable[Running], start: datetime | None, end: datetime) -> list[Running]:
    """The parts of spans that lie in [start, end)."""
    return [
        span._replace(start=left, end=right)
        for span in spans
        if (left := max(span.start, start) if start else span.start) < (right := min(span.end or end, end))
    ]


def less(spans: Iterable[Running], taken: Iterable[Running]) -> list[Running]:
    """The parts of closed spans that no span of `taken` covers."""
    left = list(spans)
    for hole in taken:
        assert hole.end is not None
        kept = []
        for span in left:
            assert span.end is not None
            if hole.end <= span.start or span.end <= hole.start:
                kept.append(span)
                continue
            if span.start < hole.start:
                kept.append(span._replace(end=hole.start))
            if hole.end < span.end:
                kept.append(span._replace(start=hole.end))
        left = kept
    return left
