"""Heartbeats fall on one grid, whenever the cloud was read, and spans add up as the seconds in them do."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.openstack import Grid
from exporters.openstack.heartbeats import HOUR, beats, clipped, less
from exporters.openstack.life import Running
from tests.exporters.histories import DAY, SMALL, clock

SECOND = timedelta(seconds=1)


def on(said: str) -> datetime:
    """A time counted from the start of that day, also beyond its end."""
    hours, minutes, *seconds = said.split(":")
    return DAY + timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds[0]) if seconds else 0)


def shown(start: str, end: str, grid: Grid) -> list[str]:
    """The heartbeats between two times, in hours from the start of that day."""
    found = [(beat - DAY) / HOUR for beat in beats(on(start), on(end), grid)]
    assert all(hours.is_integer() for hours in found)
    return [f"{hours:g}" for hours in found]


@pytest.mark.parametrize(
    ("start", "end", "hourly", "daily", "last"),
    [
        ("8:20", "8:50", [], [], []),
        ("8:00", "8:50", ["8"], ["8"], ["8"]),
        ("8:20", "9:00", [], [], []),
        ("8:20", "9:00:00.000001", ["9"], ["9"], ["9"]),
        ("8:00:00.000001", "9:00", [], [], []),
        ("8:20", "11:10", ["9", "10", "11"], ["11"], ["11"]),
        ("8:00", "11:00", ["8", "9", "10"], ["10"], ["10"]),
        ("22:30", "25:30", ["23", "24", "25"], ["24", "25"], ["25"]),
        ("22:30", "24:30", ["23", "24"], ["24"], ["24"]),
        ("22:30", "24:00", ["23"], ["23"], ["23"]),
        ("24:00", "26:00", ["24", "25"], ["24", "25"], ["25"]),
        ("22:30", "74:30", [str(hour) for hour in range(23, 75)], ["24", "48", "72", "74"], ["74"]),
        ("8:00", "8:00", [], [], []),
    ],
)
def test_heartbeats_of_a_span(start: str, end: str, hourly: list[str], daily: list[str], last: list[str]) -> None:
    """Full hours of a half-open span; or its midnights and the last of those hours; or that hour alone."""
    assert shown(start, end, Grid.HOURLY) == hourly
    assert shown(start, end, Grid.DAILY) == daily
    assert shown(start, end, Grid.LAST) == last


#: Moments close to full hours and midnights, so that edges meet.
MOMENTS = st.builds(
    lambda hours, offset: DAY + hours * HOUR + offset,
    st.integers(0, 80),
    st.sampled_from([timedelta(), timedelta(microseconds=1), timedelta(microseconds=-1), 20 * 60 * SECOND]),
)


@st.composite
def spans(draw: st.DrawFn) -> list[Running]:
    """Some spans, as one server's are: in order, none overlapping another; some of them meet."""
    edges = sorted(draw(st.lists(MOMENTS, max_size=12, unique=True)))
    apart, meeting = list(zip(edges[::2], edges[1::2], strict=False)), list(pairwise(edges))
    pairs = draw(st.sampled_from([apart, meeting]))
    return [Running(start, end, SMALL, None) for start, end in pairs]


def told(running: list[Running], grid: Grid = Grid.HOURLY) -> list[datetime]:
    """The heartbeats of spans."""
    return [beat for span in running for beat in beats(span.start, span.end or DAY, grid)]


def covered(running: list[Running]) -> set[int]:
    """The quarters of an hour whose middle some span covers; no edge of a span is near one."""
    middles = {number: DAY + number * HOUR / 4 + 450 * SECOND for number in range(-4, 81 * 4)}
    return {number for number, time in middles.items() for span in running if span.start <= time < (span.end or DAY)}


@given(MOMENTS, MOMENTS)
def test_sparse_grids_give_the_sessions_of_the_dense_one(start: datetime, end: datetime) -> None:
    """A session ends at its last heartbeat, and gaps do not split it: so the last is the same, and none is added."""
    hourly, daily, last = (list(beats(start, end, grid)) for grid in Grid)
    assert set(last) <= set(daily) <= set(hourly)
    assert hourly[-1:] == daily[-1:] == last
    assert hourly == sorted(set(hourly))
    assert daily == sorted(set(daily))
    assert all(start <= beat < end for beat in hourly)


@given(MOMENTS, st.lists(MOMENTS, max_size=5), MOMENTS)
def test_a_span_told_in_parts_has_the_heartbeats_of_the_whole(
    start: datetime, between: list[datetime], end: datetime
) -> None:
    """However often the cloud is read, each full hour is told once."""
    edges = sorted([start, *between, end])
    whole = Running(edges[0], edges[-1], SMALL, None)
    parts = [part for left, right in pairwise(edges) for part in clipped([whole], left, right)]
    assert told(parts) == told([whole])


@given(spans(), spans())
def test_less_is_what_is_in_the_one_and_not_in_the_other(one: list[Running], other: list[Running]) -> None:
    """Seconds that were told are not told again, and those that were not are."""
    rest = less(one, other)
    assert covered(rest) == covered(one) - covered(other)
    assert all(span.end and span.start < span.end for span in rest)


@given(spans(), spans())
def test_heartbeats_told_before_and_now_are_all(one: list[Running], other: list[Running]) -> None:
    """What is told now and what was told before come to what is known now, and none is told twice."""
    assert set(told(less(one, other))) == set(told(one)) - set(told(other))
    assert len(told(less(one, other))) == len(set(told(less(one, other))))


@given(spans())
def test_nothing_is_left_of_what_was_told(running: list[Running]) -> None:
    """Telling the same twice adds nothing, and taking nothing away changes nothing."""
    assert less(running, running) == []
    assert less(running, []) == running
    assert less([], running) == []


@given(spans(), MOMENTS, MOMENTS)
def test_clipped_is_what_lies_in_the_window(running: list[Running], start: datetime, end: datetime) -> None:
    """A window keeps the seconds in it, with their size and host."""
    inside = clipped(running, start, end)
    assert covered(inside) == covered(running) & covered([Running(start, end, SMALL, None)] if start < end else [])
    assert all(span.end and start <= span.start < span.end <= end for span in inside)
    assert covered(clipped(running, None, end)) == covered(clipped(running, DAY - HOUR, end))


def test_a_span_that_is_still_open_ends_with_the_window() -> None:
    """A server that runs on is charged until what is known."""
    (span,) = clipped([Running(on("8:20"), None, SMALL, "node1")], on("9:00"), on("10:00"))
    assert (clock(span.start), clock(span.end), span.size, span.host) == ("09:00:00", "10:00:00", SMALL, "node1")
    assert clipped([Running(on("8:20"), None, SMALL, None)], None, on("8:20")) == []
