"""How the windows of a pod make its life."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger import Kind, Ledger, Mode
from ledger.cluster import Demand, Pod, Stretch
from ledger.pods import Life, Oddity, life_of

DAY = datetime(2025, 3, 1, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)
ONE, TWO = Demand("wrk-0", "1", 1 << 30), Demand("wrk-0", "2", 1 << 30)


def at(hour: int, minute: int = 0) -> datetime:
    return DAY + timedelta(hours=hour, minutes=minute)


def window(*stretches: Stretch, first: int = 0, last: int = 24, **told: Any) -> Pod:
    """What the window between two hours tells."""
    return Pod("space", "pod", at(first), at(last), 900, "uid", stretches=stretches, **told)


def spans(life: Life) -> list[tuple[datetime, datetime, str | None]]:
    return [(one.start, one.end, one.demand.cpu) for one in life.intervals]


#: What the windows tell, and the intervals of the day.
LIVES: dict[str, tuple[Sequence[Pod], list[tuple[datetime, datetime, str]]]] = {
    "one sample": ([window(Stretch(at(10), at(10), ONE))], [(at(10), at(10, 15), "1")]),
    "two windows share a point": (
        [window(Stretch(at(1), at(6), ONE), last=6), window(Stretch(at(6), at(7), ONE), first=6, last=12)],
        [(at(1), at(7, 15), "1")],
    ),
    "a change at the point that two windows share": (
        [window(Stretch(at(1), at(6), ONE), last=6), window(Stretch(at(6), at(7), TWO), first=6, last=12)],
        [(at(1), at(6), "1"), (at(6), at(7, 15), "2")],
    ),
    "the shared point was missed": (
        [window(Stretch(at(1), at(5, 45), ONE), last=6), window(Stretch(at(6, 15), at(7), ONE), first=6, last=12)],
        [(at(1), at(6), "1"), (at(6, 15), at(7, 15), "1")],
    ),
    "the end is told a window later": (
        [window(Stretch(at(1), at(5, 45), ONE), last=6), window(first=6, last=12, completed=at(5, 50))],
        [(at(1), at(5, 50), "1")],
    ),
    "the end is told beyond the last sample": (
        [window(Stretch(at(1), at(2), ONE), completed=at(2, 29))],
        [(at(1), at(2, 29), "1")],
    ),
    "a gap, and the end of the pod": (
        [window(Stretch(at(1), at(2), ONE), Stretch(at(3), at(4), ONE), started=at(0, 50), completed=at(4, 7))],
        [(at(0, 50), at(2, 15), "1"), (at(3), at(4, 7), "1")],
    ),
    "it was there the day before": (
        [window(Stretch(at(0), at(1), ONE), started=DAY - timedelta(days=3))],
        [(DAY, at(1, 15), "1")],
    ),
    "it goes on the day after": ([window(Stretch(at(23), NEXT, ONE))], [(at(23), NEXT, "1")]),
    "it begins and ends between two samples": (
        [window(Stretch(at(3), at(3, 15), ONE, between=True), started=at(3, 2), completed=at(3, 4))],
        [(at(3, 2), at(3, 4), "1")],
    ),
}


@pytest.mark.parametrize("case", LIVES)
def test_windows_make_intervals(case: str) -> None:
    """Each second counts once, and no second that was not seen or told."""
    records, intervals = LIVES[case]
    life = life_of(records, DAY, NEXT)
    assert spans(life) == intervals
    assert life.oddities == frozenset()


@pytest.mark.parametrize(
    ("told", "oddity"),
    [
        ({"started": at(9, 40)}, Oddity.START_KEPT),
        ({"started": at(10, 20)}, Oddity.START_KEPT),
        ({"completed": at(10)}, Oddity.END_KEPT),
        ({"completed": at(12)}, Oddity.END_KEPT),
    ],
)
def test_an_edge_moves_by_one_step_at_most(told: dict[str, Any], oddity: Oddity) -> None:
    """What is told from further away is counted, and not believed."""
    life = life_of([window(Stretch(at(10), at(10, 45), ONE), **told)], DAY, NEXT)
    assert spans(life) == [(at(10), at(11), "1")]
    assert life.oddities == {oddity}


@pytest.mark.parametrize("told", [{}, {"started": at(3, 2)}, {"completed": at(3, 4)}])
def test_too_short_to_be_measured(told: dict[str, Any]) -> None:
    """A pod between two samples, one of whose ends is not told, is counted and has no interval."""
    life = life_of([window(Stretch(at(3), at(3, 15), ONE, between=True), **told)], DAY, NEXT)
    assert life.intervals == []
    assert life.oddities == {Oddity.UNMEASURED}


def test_what_is_told_once_is_kept() -> None:
    """A later window that tells less takes nothing back."""
    first = window(Stretch(at(1), at(6), ONE), last=6, started=at(1), owner_kind="Job", labels={"label_x": "1"})
    second = window(Stretch(at(6), at(7), ONE), first=6, last=12, phase="Failed")
    pod = life_of([first, second], DAY, NEXT).pod
    assert (pod.started, pod.owner_kind, pod.labels, pod.phase) == (at(1), "Job", {"label_x": "1"}, "Failed")


def test_a_day_is_what_its_windows_tell(ledger: Ledger) -> None:
    """Read back in the order of the keys; what a later window tells changes no day before it."""

    def told(uid: str, first: int, last: int, *stretches: Stretch, **more: Any) -> Pod:
        return Pod("space", "pod", at(first), at(last), 900, uid, stretches=stretches, **more)

    with ledger.writer("ocp") as writer:
        records = [told("b", 0, 24, Stretch(at(1), NEXT, ONE)), told("a", 0, 24, Stretch(at(2), at(3), TWO))]
        writer.finish(writer.begin(Mode.CHANGES, DAY), NEXT, NEXT, records)
    before = list(ledger.pods("ocp", DAY, NEXT))
    assert [(life.key, spans(life)) for life in before] == [
        ("a", [(at(2), at(3, 15), "2")]),
        ("b", [(at(1), NEXT, "1")]),
    ]
    with ledger.writer("ocp") as writer:
        records = [told("b", 24, 36, Stretch(NEXT, at(30), ONE), completed=at(30, 5), phase="Failed")]
        counts = writer.finish(writer.begin(Mode.CHANGES, NEXT), at(36), at(36), records)
        assert counts["appended"] == 1
        again = writer.finish(writer.begin(Mode.CHANGES, NEXT), at(36), at(36), records)
        assert again["appended"] == 0
    assert list(ledger.pods("ocp", DAY, NEXT)) == before
    assert [spans(life) for life in ledger.pods("ocp", NEXT, at(48))] == [[(NEXT, at(30, 5), "1")]]
    assert [spans(life) for life in ledger.pods("ocp", DAY, at(48))] == [
        [(at(2), at(3, 15), "2")],
        [(at(1), at(30, 5), "1")],
    ]
    assert [life.key for life in ledger.pods("ocp", DAY, NEXT, only=before[1].key)] == ["b"]


def test_a_name_that_was_there_at_the_end(ledger: Ledger) -> None:
    """A pod known by its name only is found again by the window in which it was last seen, and by nothing else."""
    nameless = Pod("a_b", "pod%", DAY, NEXT, 900, begun=at(4), stretches=(Stretch(at(4), NEXT, ONE),))
    ended = Pod("a_b", "other", DAY, NEXT, 900, begun=at(4), stretches=(Stretch(at(4), at(5), ONE),))
    similar = Pod("axb", "podx", DAY, NEXT, 900, begun=at(7), stretches=(Stretch(at(7), NEXT, ONE),))
    with ledger.writer("ocp") as writer:
        writer.finish(writer.begin(Mode.CHANGES, DAY), NEXT, NEXT, [nameless, ended, similar])
    assert ledger.begun("ocp", "a_b", "pod%", NEXT) == at(4)
    assert ledger.begun("ocp", "a_b", "other", NEXT) is None
    assert ledger.begun("ocp", "a_b", "pod%", at(12)) is None
    assert ledger.knows_pods("ocp", NEXT)
    assert not ledger.knows_pods("ocp", DAY)
    assert {entry.record.kind for entry in ledger.entries("ocp", Kind.POD, entry_seq(ledger))} == {Kind.POD}


def entry_seq(ledger: Ledger) -> Any:
    mark = ledger.watermark("ocp")
    assert mark
    return mark.seq
