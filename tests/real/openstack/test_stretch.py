"""The stretching of recorded minutes to a month."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.real.openstack.stretch import Pair, stretched

START = datetime(2026, 10, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[Pair], list[Pair]]:
    """Actions, some of them overlapping, and anchors which leave each gap some time to be shown as more."""
    now, shown, busy, anchors = 0, 0, [], [(at(0), at(0))]
    for _ in range(draw(st.integers(1, 8))):
        for _ in range(draw(st.integers(1, 4))):
            start = now + draw(st.integers(1, 9))
            now = max(now, start + draw(st.integers(0, 9)))
            busy.append((at(start), at(now)))
            now -= draw(st.integers(0, now - start))
        now = int((max(end for _, end in busy) - START).total_seconds()) + draw(st.integers(1, 9))
        shown += int((at(now) - anchors[-1][0]).total_seconds()) + draw(st.integers(0, 10**6))
        anchors.append((at(now), at(shown)))
    return busy, anchors


@given(recordings(), st.lists(st.floats(-100, 1000), min_size=2))
def test_the_order_of_moments_is_kept(recording: tuple[list[Pair], list[Pair]], seconds: list[float]) -> None:
    """What was recorded earlier is never shown later."""
    show = stretched(*recording)
    moments = sorted(map(at, seconds))
    assert all(show(one) <= show(other) for one, other in pairwise(moments))


@given(recordings())
def test_the_durations_of_actions_are_kept(recording: tuple[list[Pair], list[Pair]]) -> None:
    """An action that took two seconds is shown to take two seconds."""
    show = stretched(*recording)
    assert all(show(end) - show(start) == end - start for start, end in recording[0])


@given(recordings())
def test_anchors_are_shown_as_asked(recording: tuple[list[Pair], list[Pair]]) -> None:
    """Each anchored moment is shown as exactly the time it was given."""
    show = stretched(*recording)
    assert all(show(moment) == shown for moment, shown in recording[1])


def test_gaps_share_what_there_is_to_show() -> None:
    """Between two anchors every gap grows by the same factor."""
    show = stretched([(at(10), at(20)), (at(15), at(30))], [(at(0), at(0)), (at(60), at(4020))])
    expected = {5: 500, 10: 1000, 20: 1010, 30: 1020, 45: 2520, 60: 4020}
    assert {moment: show(at(moment)) for moment in expected} == {moment: at(t) for moment, t in expected.items()}


def test_a_gap_that_is_not_there_cannot_grow() -> None:
    """Activity from one anchor to the next leaves nothing to stretch."""
    with pytest.raises(ValueError, match="cannot be shown as"):
        stretched([(at(0), at(10))], [(at(0), at(0)), (at(10), at(20))])
