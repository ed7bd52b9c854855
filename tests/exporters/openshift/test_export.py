"""Days of a cluster as files: each once, the same for ever, and nothing told twice or changed."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from exporters.openshift import JobForm
from ledger import ConfigurationError
from ledger.cluster import Pod, Stretch
from tests.exporters.openshift.jobs import Cluster, seconds
from tests.pods import DAY, STEP, at, demand, pod
from tests.real.mariadb import MariaDB

LONG = pod("long", ("2025-02-27 23:00", "2025-03-02 05:07:03", demand("1.5")))


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """A cluster that is told by day."""
    return Cluster(tmp_path)


def spans(jobs: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(one["start"], one["end"]) for one in jobs]


def test_a_long_pod_appears_every_day_and_never_twice(cluster: Cluster) -> None:
    """It is cut at midnight UTC, over the end of a February, too, and loses no second."""
    told = cluster.exported("2025-03-04", LONG)
    assert list(cluster.files()) == ["2025-02-27.log", "2025-02-28.log", "2025-03-01.log", "2025-03-02.log"]
    assert spans(told) == [
        ("2025-02-27T23:00:00", "2025-02-28T00:00:00"),
        ("2025-02-28T00:00:00", "2025-03-01T00:00:00"),
        ("2025-03-01T00:00:00", "2025-03-02T00:00:00"),
        ("2025-03-02T00:00:00", "2025-03-02T05:07:03"),
    ]
    assert len({one["jobid"] for one in told}) == 4


def test_a_long_pod_is_one_job_of_its_life(tmp_path: Path) -> None:
    """It is told when it has ended, with its whole time and its own wait."""
    cluster = Cluster(tmp_path, JobForm("r", per="life"))
    (told,) = cluster.exported("2025-03-04", LONG)
    assert list(cluster.files()) == ["2025-03-02.log"]
    assert spans([told]) == [("2025-02-27T23:00:00", "2025-03-02T05:07:03")]
    assert (told["submit"], told["elapsed"]) == ("2025-02-27T22:59:10", "2-06:07:03")


def test_a_pod_that_ends_with_its_day_is_told_of_its_life_once(tmp_path: Path) -> None:
    """Whether it goes on is known with the next day, which tells it; one that goes on is not told."""
    cluster = Cluster(tmp_path, JobForm("r", per="life"))
    ends = pod("ends", ("2025-02-27 23:00", "2025-03-01 00:00", demand()))
    cluster.collect("2025-03-01", ends)
    cluster.export()
    assert cluster.files() == {}
    cluster.collect("2025-03-02", pod("on", ("2025-03-01 09:00", "2025-03-02 00:00", demand()), told=False))
    cluster.export()
    cluster.collect("2025-03-04", pod("other", ("2025-03-03 09:00", "2025-03-03 10:00", demand())))
    cluster.export()
    assert [(one["jobname"], *span) for one in cluster.jobs() for span in spans([one])] == [
        ("ends", "2025-02-27T23:00:00", "2025-03-01T00:00:00"),
        ("on", "2025-03-01T09:00:00", "2025-03-02T00:00:00"),
        ("other", "2025-03-03T09:00:00", "2025-03-03T10:00:00"),
    ]


def test_a_gap_ends_an_interval_and_a_change_splits_it(cluster: Cluster) -> None:
    """As documented: 10:00 to 10:45 and 11:30 to 12:00, and a change of CPU at 10:30."""
    gap = [("2025-03-01 10:00", "2025-03-01 10:45", demand()), ("2025-03-01 11:30", "2025-03-01 12:00", demand())]
    change = [
        ("2025-03-01 10:00", "2025-03-01 10:30", demand("1")),
        ("2025-03-01 10:30", "2025-03-01 10:45", demand("2")),
    ]
    told = cluster.exported("2025-03-02", pod("change", *change, told=False), pod("gap", *gap, told=False))
    assert [(one["jobname"], seconds(one), one["ncpus"]) for one in told] == [
        ("change", 1800, "1000"),
        ("change", 900, "2000"),
        ("gap", 2700, "500"),
        ("gap", 1800, "500"),
    ]


def test_only_whole_days_are_told(cluster: Cluster) -> None:
    """A day that was read to 23:59 is not whole; one that was read to midnight is, with its last second."""
    records = pod("a", ("2025-03-01 10:00", "2025-03-02 00:00", demand()), told=False)
    cluster.collect("2025-03-01 23:59", records)
    assert cluster.export() == []
    cluster.collect("2025-03-02")
    cluster.export()
    assert spans(cluster.jobs()) == [("2025-03-01T10:00:00", "2025-03-02T00:00:00")]


def test_telling_again_is_the_same_bytes(cluster: Cluster) -> None:
    """A window of days, whatever was learned meanwhile, and however the hierarchy and the site's names changed."""
    cluster.collect("2025-03-03", LONG)
    cluster.export()
    told = cluster.files()
    for path in cluster.places.outbox.iterdir():
        path.unlink()
    late = [replace(one, phase="Failed", completed=at("2025-03-01 23:59:59")) for one in LONG]
    cluster.collect("2025-03-04", late, pod("new", ("2025-03-01 11:00", "2025-03-01 12:00", demand())))
    cluster.again("2025-02-01", "2025-03-03")
    assert cluster.files() == told
    assert cluster.again("2025-03-03", "2025-04-01").files == []


def test_the_days_of_a_window_are_those_that_begin_in_it(cluster: Cluster) -> None:
    """Half-open, as everywhere."""
    cluster.collect("2025-03-04", LONG)
    cluster.export()
    again = cluster.again("2025-02-28", "2025-03-02").files
    assert [file.name for file in again] == ["2025-02-28.log", "2025-03-01.log"]


def test_what_is_learned_late_is_counted_and_not_told(cluster: Cluster) -> None:
    """XDMoD would skip a known key, and count one with another end twice: the line stays, and the run says so."""
    wrong = pod("a", ("2025-03-01 10:00", "2025-03-01 12:00", demand()), told=False)
    cluster.collect("2025-03-02", wrong, pod("b", ("2025-03-01 10:00", "2025-03-01 11:00", demand())))
    cluster.export()
    told = cluster.files()
    right = [replace(one, started=at("2025-03-01 10:00"), completed=at("2025-03-01 11:50")) for one in wrong]
    more = pod("c", ("2025-03-01 10:00", "2025-03-01 11:00", demand()))
    cluster.collect("2025-03-03", right, more, pod("d", ("2025-03-02 10:00", "2025-03-02 11:00", demand())))
    (done,) = cluster.export()
    assert done.late == (2, 600, 3600)
    files = cluster.files()
    assert {name: files[name] for name in told} == told
    assert list(files) == ["2025-03-01.log", "2025-03-02.log"]


def test_days_that_are_told_at_once_are_told_as_day_by_day(tmp_path: Path) -> None:
    """By what each day's own windows tell; what the next day tells better is counted then, too."""
    records = pod("a", ("2025-03-01 10:00", "2025-03-02 00:00", demand()), told=False)
    after = replace(records[0], since=at("2025-03-02"), until=at("2025-03-03"), stretches=())
    after = replace(after, completed=at("2025-03-01 23:50"))
    daily, once = Cluster(tmp_path / "daily"), Cluster(tmp_path / "once")
    for day, record in (("2025-03-02", records), ("2025-03-03", [after])):
        daily.collect(day, record)
        late = [done.late for done in daily.export()]
        once.collect(day, record)
    assert late == [done.late for done in once.export()] == [(1, 600, 0)]
    assert daily.files() == once.files()


def test_nothing_is_late_that_only_goes_on(cluster: Cluster) -> None:
    """A pod that runs through midnight is told as it is known."""
    for number, record in enumerate(LONG, 28):
        cluster.collect(f"2025-02-{number}" if number < 29 else f"2025-03-0{number - 28}", record)
        assert all(done.late.pods == 0 for done in cluster.export())
    assert sum(map(seconds, cluster.jobs())) == 3600 + 2 * 86400 + 5 * 3600 + 7 * 60 + 3


def test_a_name_that_is_used_again_is_another_pod(cluster: Cluster) -> None:
    """In another namespace at the same time, or in the same one with another uid later: each has its own jobs."""
    first = pod("postgres-0", ("2025-03-01 10:00", "2025-03-01 11:00", demand()), uid="one")
    second = pod("postgres-0", ("2025-03-01 11:00", "2025-03-01 12:00", demand()), uid="two")
    other = pod("postgres-0", ("2025-03-01 10:00", "2025-03-01 12:00", demand("4")), uid="three", namespace="b")
    told = cluster.exported("2025-03-02", first, second, other)
    assert len({one["jobid"] for one in told}) == 3
    assert sorted((one["account"], seconds(one)) for one in told) == [
        ("b", 7200),
        ("genomics-4f2a1b", 3600),
        ("genomics-4f2a1b", 3600),
    ]


def test_pods_without_uid_are_told_apart_by_their_beginning(cluster: Cluster) -> None:
    """Two lives of one name are two jobs."""
    day, begun = (at("2025-03-01"), at("2025-03-02")), (at("2025-03-01 10:00"), at("2025-03-01 14:00"))
    lives = [Pod("ns", "db-0", *day, 900, begun=one, stretches=(Stretch(one, one, demand()),)) for one in begun]
    told = cluster.exported("2025-03-02", lives)
    assert [(one["jobid"], one["start"][11:]) for one in told] == [("1", "10:00:00"), ("2", "14:00:00")]


@pytest.mark.parametrize("change", [{"cpu": "cores"}, {"per": "life"}])
def test_the_form_stays_what_was_told_first(cluster: Cluster, change: dict[str, str]) -> None:
    """Milli-CPU and cores in one resource would be nonsense; before the first day was told it may change."""
    form = cluster.form
    cluster.form = replace(form, **change)
    assert cluster.export() == []
    cluster.form = form
    cluster.collect("2025-03-04", LONG)
    cluster.export(dry_run=True)
    cluster.form = replace(form, **change)
    cluster.export(dry_run=True)
    cluster.form = form
    cluster.export()
    cluster.form = replace(form, **change)
    for attempt in (cluster.export, lambda: cluster.again("2025-02-01", "2025-04-01")):
        with pytest.raises(ConfigurationError, match="XDMoD would add up what cannot be added"):
            attempt()


def test_a_dry_run_writes_and_keeps_nothing(cluster: Cluster) -> None:
    """It says what would be, and gives no ids away."""
    cluster.collect("2025-03-04", LONG)
    (would,) = cluster.export(dry_run=True)
    assert cluster.files() == {}
    (done,) = cluster.export()
    assert [file[:2] for file in would.files] == [file[:2] for file in done.files]
    assert [one["jobid"] for one in cluster.jobs()] == ["1", "2", "3", "4"]


def test_an_export_that_died_is_finished_first(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells what it was to tell, with the ids that it gave away."""
    expected = Cluster(cluster.folder / "other")
    expected.collect("2025-03-04", LONG)
    expected.export()
    cluster.collect("2025-03-04", LONG)
    with monkeypatch.context() as broken:
        broken.setattr("ledger.exports.Exports.finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            cluster.export()
    cluster.places.outbox.joinpath("2025-03-01.log").unlink()
    cluster.collect("2025-03-05", pod("new", ("2025-03-04 10:00", "2025-03-04 11:00", demand())))
    assert len(cluster.export()) == 2
    files = cluster.files()
    assert {name: files[name] for name in expected.files()} == expected.files()
    assert list(files)[-1] == "2025-03-04.log"


@pytest.mark.parametrize("per", ["day", "life"])
def test_the_files_are_the_same_from_either_database(
    tmp_path: Path, mariadb: MariaDB, per: Literal["day", "life"]
) -> None:
    """The files of a ledger in MariaDB are those of one in SQLite, also in parts, and again."""
    files = []
    for name, url in (("sqlite", None), ("mariadb", mariadb.url(mariadb.database()))):
        cluster = Cluster(tmp_path / name, JobForm("r", per=per), url=url)
        cluster.collect("2025-03-01", LONG[:2], pod("B", ("2025-02-27 10:00", "2025-02-28 00:00", demand("2"))))
        cluster.export()
        cluster.collect("2025-03-04", LONG[2:], pod("a", ("2025-03-03 10:00", "2025-03-03 11:00", demand("2"))))
        (done,) = cluster.export()
        assert done.late.pods == 0
        told = cluster.files()
        cluster.again("2025-02-01", "2025-04-01")
        assert cluster.files() == told
        files.append(told)
    assert files[0] == files[1]


@pytest.mark.parametrize(
    "change",
    [
        {"node": "wrk-3"},
        {"cpu": "0.501"},
        {"memory": 2**31 + 1},
        {"gpus": {"nvidia.com/gpu": 2}},
        {"gpus": {"nvidia.com/mig-1g.5gb": 1}},
        {"gpu_model": "NVIDIA-H100"},
    ],
)
def test_whatever_changes_begins_another_job(cluster: Cluster, change: dict[str, Any]) -> None:
    """All of what a pod asks for is compared, and where it runs."""
    one = demand(gpus={"nvidia.com/gpu": 1}, gpu_model="NVIDIA-A100")
    spans = (
        ("2025-03-01 10:00", "2025-03-01 11:00", one),
        ("2025-03-01 11:00", "2025-03-01 12:00", replace(one, **change)),
    )
    told = cluster.exported("2025-03-02", pod("a", *spans))
    assert [seconds(job) for job in told] == [3600, 3600]
    assert told[0]["end"] == told[1]["start"] == told[1]["submit"]


@st.composite
def lives(draw: st.DrawFn) -> tuple[int, list[Pod]]:
    """Some pods over some days, with stretches that are gapless, changing or apart; and their core seconds."""
    truth, records = 0, list[Pod]()
    for number in range(draw(st.integers(1, 4))):
        now, parts = at("2025-02-27") + draw(st.integers(0, 200)) * STEP, []
        for _ in range(draw(st.integers(1, 4))):
            steps, cores = draw(st.integers(1, 150)), draw(st.integers(1, 3))
            end = now + steps * STEP
            parts.append((f"{now:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}", demand(str(cores))))
            truth += steps * cores * 900
            now = end + draw(st.sampled_from([0, 0, 1, 5, 100])) * STEP
        records += pod(f"p{number}", *parts, told=draw(st.booleans()))
    return truth, records


@settings(max_examples=10, deadline=None)
@given(lives(), st.booleans())
def test_cutting_keeps_every_second(
    tmp_path_factory: pytest.TempPathFactory, pods: tuple[int, list[Pod]], daily: bool
) -> None:
    """By day or by life, at once or day by day: the core seconds are those of the pods, and ids stay what they are."""
    truth, records = pods
    days = [at("2025-02-28") + number * DAY for number in range(14)]
    for per in ("day", "life"):
        cluster = Cluster(tmp_path_factory.mktemp("cluster"), JobForm("r", per=per))
        for before, day in pairwise([at("2025-02-01"), *days]) if daily else ((at("2025-02-01"), days[-1]),):
            cluster.collect(f"{day:%Y-%m-%d}", [one for one in records if before < one.until <= day])
            cluster.export()
        told = cluster.jobs()
        assert sum(seconds(one) * int(one["ncpus"]) for one in told) == truth
        assert sorted(int(one["jobid"]) for one in told) == list(range(1, len(told) + 1))
        files = cluster.files()
        cluster.again("2025-02-01", "2025-04-01")
        assert cluster.files() == files
