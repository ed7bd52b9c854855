"""The ids of jobs and what pods were as of a place in the ledger, in each database."""

from datetime import timedelta

from msgspec.structs import replace

from ledger import Ledger
from ledger.cluster import PodKey
from ledger.jobs import Form, Jobs, Told
from tests.pods import DAY, at, collected, demand, pod

START = at("2025-03-01 10:00")


def told(count: int, name: str = "pod") -> list[Told]:
    return [(PodKey(f"{name}-{number % 7}"), START + number * timedelta(seconds=1)) for number in range(count)]


def test_an_id_is_given_once_and_for_ever(ledger: Ledger) -> None:
    """In any order, many at once or few; each cluster counts for itself."""
    collected(ledger, "2025-03-02", [])
    collected(ledger, "2025-03-02", [], "other")
    jobs = Jobs(ledger, "ocp")
    first = jobs.numbered(told(1200))
    assert first == list(range(1, 1201))
    assert Jobs(ledger, "ocp").numbered(told(1500)[::-1]) == [*range(1201, 1501), *first[::-1]]
    assert Jobs(ledger, "ocp").numbered(told(1200)) == first
    assert Jobs(ledger, "other").numbered(told(3)) == [1, 2, 3]


def test_times_that_differ_by_little_are_different(ledger: Ledger) -> None:
    """A key is exact, and letters of either case are different letters."""
    collected(ledger, "2025-03-02", [])
    keys = [(PodKey(key), at) for key in ("a", "A", "á") for at in (START, START + timedelta(microseconds=1))]
    assert Jobs(ledger, "ocp").numbered(keys) == [1, 2, 3, 4, 5, 6]
    assert Jobs(ledger, "ocp").numbered(keys[::-1]) == [6, 5, 4, 3, 2, 1]


def test_ids_that_are_only_thought_of_are_not_kept(ledger: Ledger) -> None:
    """They go on from the last that was given, and are given to others later."""
    collected(ledger, "2025-03-02", [])
    jobs = Jobs(ledger, "ocp")
    jobs.numbered(told(2))
    assert jobs.numbered(told(2) + told(2, "new"), keep=False) == [1, 2, 3, 4]
    assert jobs.numbered(told(1, "more"), keep=False) == [5]
    assert Jobs(ledger, "ocp").numbered(told(1, "other")) == [3]


def test_the_form_is_what_was_settled_first(ledger: Ledger) -> None:
    """A later one changes nothing."""
    collected(ledger, "2025-03-02", [])
    jobs = Jobs(ledger, "ocp")
    assert jobs.form() is None
    jobs.settle(Form("cores", "day"))
    jobs.settle(Form("millicores", "life"))
    assert jobs.form() == Form("cores", "day")


def test_pods_are_what_was_known_up_to_a_record(ledger: Ledger) -> None:
    """A window that is told again changes what is known, and not what was."""
    records = pod("a", ("2025-03-01 10:00", "2025-03-01 12:00", demand()), told=False)
    collected(ledger, "2025-03-02", records)
    mark = ledger.watermark("ocp")
    assert mark is not None
    again = [replace(one, started=START, completed=at("2025-03-01 11:50")) for one in records]
    new = pod("b", ("2025-03-01 10:00", "2025-03-01 12:00", demand()))
    collected(ledger, "2025-03-03", [*again, *new])
    day = at("2025-03-01"), at("2025-03-01") + DAY

    def ends(**more: object) -> list[str]:
        lives = ledger.pods("ocp", *day, **more)  # type: ignore[arg-type]
        return [f"{life.pod.name} {interval.end:%H:%M}" for life in lives for interval in life.intervals]

    assert ends(up_to=mark.seq) == ["a 12:00"]
    assert ends() == ["a 11:50", "b 12:00"]
    now = ledger.watermark("ocp")
    assert now is not None
    assert ends(up_to=now.seq) == ["a 11:50", "b 12:00"]
    assert Jobs(ledger, "ocp").rewritten(mark.seq, now.seq, at("2025-03-02")) == {at("2025-03-01")}
    assert Jobs(ledger, "ocp").rewritten(now.seq, now.seq, at("2025-03-02")) == set()


def test_the_first_day_is_that_of_the_first_window(ledger: Ledger) -> None:
    """None where no pod was ever seen."""
    collected(ledger, "2025-03-02", [])
    assert Jobs(ledger, "ocp").first_day() is None
    collected(ledger, "2025-03-03", pod("a", ("2025-02-27 23:00", "2025-03-01 12:00", demand())))
    assert Jobs(ledger, "ocp").first_day() == at("2025-02-27")
