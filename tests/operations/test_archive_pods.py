"""What pods are long gone leaves the ledger, and everything that is told of clusters stays the same."""

import json
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import func, select

from collectors.openshift import OpenShiftSource
from collectors.openshift.collect import read_window
from collectors.openshift.prometheus import Prometheus
from exporters.openshift import JobForm
from ledger import ConfigurationError, Ledger, Mode
from ledger.archiving import Archived, archive_source
from ledger.cluster import Pod, PodKey
from ledger.database import reading
from ledger.jobs import Jobs
from ledger.pods import Life
from ledger.records import Kind
from ledger.store import Seq
from ledger.tables import archive as archive_table
from ledger.tables import job, record
from operations.collect import collect_openshift
from operations.configuration import load
from operations.reports.clusters import report_cluster
from reporter import Period
from tests.cli.here import call_at
from tests.collectors.thanos import Thanos, every
from tests.exporters.openshift.jobs import Cluster
from tests.pods import DAY, STEP, at, collected, demand, empty_ledger, pod
from tests.real.mariadb import MariaDB

ROOT = Path(__file__).parents[2]
FIRST, BEFORE, LAST = at("2025-01-20"), at("2025-03-01"), at("2025-03-12")
Per = Literal["day", "life"]


@dataclass
class Archivable(Cluster):
    """A cluster whose ledger has a folder for what leaves it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ledger = Ledger.open(self.url or f"sqlite:///{self.folder / 'ledger.sqlite'}", self.parquet)

    @property
    def parquet(self) -> Path:
        return self.folder / "ledger-archive"

    def archive(self, before: datetime = BEFORE) -> list[Archived]:
        return list(archive_source(self.ledger, "ocp", self.parquet, before))

    def count(self, subject: str | None = None) -> int:
        """How many records of pods are in the ledger itself."""
        chosen = select(func.count()).select_from(record).where(record.c.kind == Kind.POD)
        with reading(self.ledger.engine) as connection:
            return connection.scalar(chosen.where(record.c.subject == subject) if subject else chosen) or 0

    def marks(self) -> list[Seq]:
        return [Seq(run["last_seq"]) for run in self.ledger.runs("ocp")]


Make = Callable[..., Archivable]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes clusters in SQLite."""
    return lambda per="day", name="site": Archivable(tmp_path / name, JobForm("r", cpu="millicores", per=per))


@pytest.fixture(params=["sqlite", "mariadb"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Archivable:
    """A cluster of seven weeks in either database, told by day."""
    url = None
    if request.param == "mariadb":
        server: MariaDB = request.getfixturevalue("mariadb")
        url = server.url(server.database())
    return lived(Archivable(tmp_path / "site", JobForm("r", cpu="millicores"), url=url))


def pods() -> list[Pod]:
    """Some that come and go, one that lasts, one that only its name tells apart, one that lives, one told of later."""
    short = [
        pod(f"short-{day:02}", (f"{FIRST + day * DAY:%Y-%m-%d} 10:00", f"{FIRST + day * DAY:%Y-%m-%d} 11:07", demand()))
        for day in range(0, 50, 3)
    ]
    nameless: dict[str, Any] = {"uid": None, "begun": at("2025-01-30 20:00")}
    return [
        *(one for some in short for one in some),
        *pod("long", ("2025-01-22 23:00", "2025-02-20 05:07:03", demand("1.5"))),
        *pod("edge", ("2025-01-31 01:00", "2025-02-01 00:00", demand("2")), told=False),
        *pod("nameless", ("2025-01-30 20:00", "2025-02-02 03:00", demand()), told=False, **nameless),
        *pod("living", ("2025-01-25 20:00", f"{LAST:%Y-%m-%d} 00:00", demand("4")), told=False),
        *pod("late", ("2025-02-02 10:00", "2025-02-02 12:00", demand())),
    ]


def lived(cluster: Archivable) -> Archivable:
    """Read and exported twice a week, and one pod told of again in March."""
    records, since = pods(), at("2025-01-01")
    for until in [*(FIRST + number * DAY for number in range(3, 50, 4)), LAST]:
        news = [one for one in records if since < one.until <= until]
        late = [replace(one, phase="Failed") for one in records if one.name == "late"] if until == LAST else []
        cluster.collect(f"{until:%Y-%m-%d}", late, news)
        cluster.export()
        since = until
    return cluster


def told(cluster: Archivable, folder: str) -> dict[str, Any]:
    """Everything that is made of the records of pods."""
    ledger, marks = cluster.ledger, cluster.marks()
    days = [FIRST + number * DAY for number in range((LAST - FIRST) // DAY + 1)]
    keys = sorted({life.key for life in ledger.pods("ocp", FIRST, LAST)})
    for path in cluster.places.outbox.glob("*"):
        path.unlink()
    again = cluster.again("2025-01-01", "2025-04-01")
    site, period = OpenShiftSource("ocp", "r"), Period.month("2025-02")
    report, written = report_cluster(ledger, site, period, cluster.folder / folder, None)
    return {
        "days": [list(ledger.pods("ocp", day, day + DAY)) for day in days[::4]],
        "as known": [
            list(ledger.pods("ocp", day, day + 2 * DAY, mark)) for mark in marks[1::4] for day in days[2:40:7]
        ],
        "all": list(ledger.pods("ocp", FIRST, LAST)),
        "only": [list(ledger.pods("ocp", days[7], days[20], only=key)) for key in keys[::4]],
        "learned": ledger.learned("ocp", Seq(0), marks[-1]),
        "observed": ledger.first_observed("ocp", Kind.POD, 1),
        "first day": Jobs(ledger, "ocp").first_day(),
        "known": [ledger.knows_pods("ocp", day) for day in days[::5]],
        "begun": [ledger.begun("ocp", "genomics-4f2a1b", "nameless", day) for day in days[10:14]],
        "again": again._asdict(),
        "files": cluster.files(),
        "report": (report, [path.read_bytes() for path in written]),
        "ids": ids(cluster),
    }


def ids(cluster: Archivable) -> list[tuple[Any, ...]]:
    """The id of each job."""
    with reading(cluster.ledger.engine) as connection:
        chosen = select(job.c.subject, job.c.begins, job.c.id).order_by(job.c.id)
        return [tuple(row) for row in connection.execute(chosen)]


def everything(cluster: Archivable) -> list[Life]:
    """All pods as they are known now."""
    return list(cluster.ledger.pods("ocp", FIRST, LAST))


def assert_same(after: dict[str, Any], before: dict[str, Any]) -> None:
    for name, expected in before.items():
        assert after[name] == expected, name


def test_what_is_archived_is_told_as_before(cluster: Archivable) -> None:
    """Pods of any day, by any state of knowledge, reports and files are the same from files of Parquet."""
    before, count = told(cluster, "before"), cluster.count()
    assert any(before["begun"])
    done = cluster.archive()
    assert [(one.kind, f"{one.month:%Y-%m}", one.file.name) for one in done] == [
        (Kind.POD, "2025-01", "ocp-2025-01-1.parquet"),
        (Kind.POD, "2025-02", "ocp-2025-02-1.parquet"),
    ]
    moved = sum(one.records for one in done)
    assert moved > 40
    assert cluster.count() == count - moved
    assert_same(told(cluster, "after"), before)
    with reading(cluster.ledger.engine) as connection:
        rows = connection.execute(select(archive_table)).mappings().all()
    assert [(row["servers"], row["records"]) for row in rows] == [(one.gone, one.records) for one in done]
    assert cluster.archive() == []


def test_who_lives_or_was_told_of_later_keeps_everything(cluster: Archivable) -> None:
    """However old its records are; a window that ends with a month lies in it."""
    kept = [*pod_keys("living"), *pod_keys("late"), *pod_keys("short-48")]
    before = [cluster.count(key) for key in kept]
    assert min(before) > 0
    january, _ = cluster.archive()
    assert [cluster.count(key) for key in kept] == before
    assert [cluster.count(key) for key in (*pod_keys("edge"), *pod_keys("long"), *pod_keys("nameless"))] == [0, 0, 0]
    assert january.gone == 5


def pod_keys(name: str) -> set[PodKey]:
    return {one.subject for one in pods() if one.name == name}


def test_the_cluster_is_read_on_after_it(make: Make) -> None:
    """The same told again is nothing new; something else of an archived pod comes after it, and is archived in turn."""
    cluster = lived(make())
    before, given = everything(cluster), ids(cluster)
    mark = cluster.marks()[-1]
    first = cluster.archive()
    count = cluster.count()
    cluster.collect("2025-03-13", [one for one in pods() if one.name != "late"])
    cluster.again("2025-01-01", "2025-04-01")
    assert (cluster.count(), ids(cluster)) == (count, given)
    long = [replace(one, phase="Failed") for one in pods() if one.name == "long"]
    cluster.collect("2025-03-14", long, pod("new", ("2025-03-13 10:00", "2025-03-13 11:00", demand())))
    assert cluster.count() == count + len(long) + 1
    (life,) = cluster.ledger.pods("ocp", FIRST, LAST, only=long[0].subject)
    assert life.pod.phase == "Failed"
    assert list(cluster.ledger.pods("ocp", FIRST, LAST, mark)) == before
    cluster.export()
    cluster.collect("2025-03-16", pod("newer", ("2025-03-14 10:00", "2025-03-14 11:00", demand())))
    cluster.export()
    now = told(cluster, "now")
    second = cluster.archive(at("2025-04-01"))
    assert {one.file.name for one in first}.isdisjoint(one.file.name for one in second)
    assert "ocp-2025-02-2.parquet" in {one.file.name for one in second}
    assert cluster.count(long[0].subject) == 0
    assert_same(told(cluster, "then"), now)
    assert list(cluster.ledger.pods("ocp", FIRST, LAST, mark)) == before


@pytest.mark.parametrize("moment", ["_move", "insert"])
def test_killed_before_the_removal_or_in_it_nothing_is_lost(cluster: Archivable, moment: str) -> None:
    """What is told is the same; the next run does it all, and leaves no other file behind."""
    before, count = everything(cluster), cluster.count()
    program = f"""
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from ledger import Ledger, archiving, tables
original = archiving.{moment}
def killed(*given):
    if given[0] is tables.archive:
        return original(*given)
    os.kill(os.getpid(), signal.SIGKILL)
archiving.{moment} = killed
folder = Path(sys.argv[2])
list(archiving.archive_source(Ledger.open(sys.argv[1], folder), "ocp", folder, datetime(2025, 3, 1, tzinfo=UTC)))
"""
    url = cluster.url or f"sqlite:///{cluster.folder / 'ledger.sqlite'}"
    done = subprocess.run([sys.executable, "-c", program, url, cluster.parquet], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in cluster.parquet.iterdir()] == ["ocp-2025-01-1.parquet"]
    assert cluster.count() == count
    assert everything(cluster) == before
    files = [one.file for one in cluster.archive()]
    assert sorted(cluster.parquet.iterdir()) == files
    assert everything(cluster) == before


def test_a_file_that_is_missing_is_said(cluster: Archivable) -> None:
    """Whoever asks for what is in it is told which file; whoever asks for something else is answered."""
    january, february = cluster.archive()
    february.file.unlink()
    for ask in (
        lambda: list(cluster.ledger.pods("ocp", FIRST, FIRST + 3 * DAY)),
        lambda: cluster.again("2025-02-01", "2025-03-01"),
        lambda: cluster.ledger.knows_pods("ocp", at("2025-02-10")),
    ):
        with pytest.raises(ConfigurationError, match=r"ocp-2025-02-1\.parquet is missing"):
            ask()
    assert list(cluster.ledger.pods("ocp", FIRST, FIRST + DAY))
    assert list(cluster.ledger.pods("ocp", BEFORE, LAST))
    january.file.unlink()
    with pytest.raises(ConfigurationError, match=r"ocp-2025-01-1\.parquet is missing"):
        list(cluster.ledger.pods("ocp", FIRST, FIRST + DAY))


def exported_up_to(cluster: Archivable, until: str) -> None:
    """Read all, but export only what was known at a day's beginning."""
    cluster.collect(until, [one for one in pods() if one.until <= at(until)])
    cluster.export()
    cluster.collect("2025-02-28", [one for one in pods() if at(until) < one.until <= at("2025-02-28")])
    cluster.collect("2025-03-12", pod("last", ("2025-03-01 10:00", "2025-03-01 12:00", demand())))


def test_what_was_not_exported_stays(make: Make) -> None:
    """Pods of days that XDMoD was not told of are where exports look for them."""
    cluster = make()
    exported_up_to(cluster, "2025-02-01")
    done = cluster.archive()
    assert [f"{one.month:%Y-%m}" for one in done] == ["2025-01"]
    # The last day's pods may be told by the next day's file.
    assert all(life.key not in pod_keys("edge") for life in archived_lives(cluster))
    cluster.export()
    assert [f"{one.month:%Y-%m}" for one in cluster.archive()] == ["2025-01", "2025-02"]


def archived_lives(cluster: Archivable) -> list[Any]:
    return [life for life in cluster.ledger.pods("ocp", FIRST, LAST) if not cluster.count(life.key)]


def test_what_a_dead_export_was_to_hand_on_stays(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was handed on before it is finished."""
    cluster = make()
    cluster.collect("2025-02-28", [one for one in pods() if one.until <= at("2025-02-28")])
    cluster.collect("2025-03-12")
    with monkeypatch.context() as broken:
        broken.setattr("ledger.exports.Exports.finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            cluster.export()
    assert cluster.archive() == []
    cluster.export()
    cluster.collect("2025-03-13", pod("last", ("2025-03-12 10:00", "2025-03-12 12:00", demand())))
    assert cluster.archive()


def test_a_cluster_that_is_never_exported_is_archived(make: Make) -> None:
    """A site may only report."""
    cluster = make()
    cluster.collect("2025-02-28", [one for one in pods() if one.until <= at("2025-02-28")])
    cluster.collect("2025-03-12", pod("last", ("2025-03-01 10:00", "2025-03-01 12:00", demand())))
    before = everything(cluster)
    assert len(cluster.archive()) == 2
    assert everything(cluster) == before
    assert sum(file.records for done in cluster.export() for file in done.files) > 50


def test_what_may_still_live_stays(make: Make) -> None:
    """Of a cluster that is not read any more, nobody knows what became of the pods of its last day."""
    cluster = make()
    ended = pod("ended", ("2025-01-29 10:00", "2025-01-29 12:00", demand()))
    cluster.collect("2025-01-31", ended, pod("there", ("2025-01-29 10:00", "2025-01-31 00:00", demand()), told=False))
    other = pod("other", ("2025-03-01 10:00", "2025-03-01 12:00", demand()))
    collected(cluster.ledger, "2025-03-12", other, "another")
    (done,) = cluster.archive(at("2025-03-01"))
    assert (done.gone, done.records) == (1, 1)


@pytest.mark.parametrize("uid", ["uid-1", ""])
def test_a_window_that_is_read_again_makes_no_other_pods(tmp_path: Path, uid: str) -> None:
    """The collector finds what it archived: no record, key or id is new, also of pods that only a name tells apart."""
    ledger = Archivable(tmp_path, JobForm("ocp", cpu="millicores"))
    with Thanos(now=at("2025-03-06 12:00")) as thanos:
        thanos.pod("gone", every(at("2025-03-02 20:00"), at("2025-03-03 07:00")), uid=uid)
        thanos.pod("alive", every(at("2025-03-04 20:00"), at("2025-03-06")), uid="uid-2")
        source = OpenShiftSource("ocp", "ocp", url=thanos.url, first_days=4)
        assert len(list(collect_openshift(ledger.ledger, source, lambda *_: None))) == 4
        ledger.export()
        before, count = list(ledger.ledger.pods("ocp", FIRST, LAST)), ledger.count()
        (done,) = ledger.archive(at("2025-04-01"))
        assert (done.gone, done.records) == (1, 2)
        for day in ("2025-03-02", "2025-03-03", "2025-03-04"):
            window = at(day), at(day) + DAY
            read = read_window(Prometheus(source), source, ledger.ledger, *window, lambda *_: None, accept_empty=False)
            with ledger.ledger.writer("ocp") as writer:
                run = writer.begin(Mode.CHANGES, None)
                assert writer.finish(run, at("2025-03-06"), at("2025-03-06"), read.records)["appended"] == 0
    assert list(ledger.ledger.pods("ocp", FIRST, LAST)) == before
    assert ledger.count() == count - 2
    files = ledger.files()
    ledger.again("2025-03-01", "2025-03-06")
    assert ledger.files() == files


def test_a_month_is_not_held_in_memory(make: Make) -> None:
    """Bodies go through in handfuls."""
    cluster, padding = make(), {"label_x": "x" * 8000}
    for number in range(4):
        names = range(number * 40, number * 40 + 40)
        some = [
            pod(f"p{name}", ("2025-01-01 10:00", "2025-01-28 10:00", demand()), told=False, labels=padding)
            for name in names
        ]
        cluster.collect("2025-01-29", *some)
    cluster.collect("2025-02-10", pod("last", ("2025-02-01 10:00", "2025-02-01 11:00", demand())))
    cluster.ledger.engine.dispose()
    tracemalloc.start()
    (done,) = cluster.archive()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert done.records == 160 * 28
    assert peak < done.records * 8000 / 3


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[tuple[datetime, list[Pod], bool]], list[Pod]]:
    """When a cluster was read up to, what was told then, and whether it was exported; and what is told afterwards."""
    records, starts = list[Pod](), (LAST - 2 * DAY - FIRST) // STEP
    for number in range(draw(st.integers(1, 5))):
        begin = now = FIRST + draw(st.integers(0, starts)) * STEP
        parts = []
        for _ in range(draw(st.integers(1, 3))):
            end = now + draw(st.one_of(st.integers(1, 30), st.integers(80, 1500))) * STEP
            parts.append((f"{now:%Y-%m-%d %H:%M}", f"{end:%Y-%m-%d %H:%M}", demand(str(draw(st.integers(1, 3))))))
            now = end + draw(st.sampled_from([0, 1, 100])) * STEP
        who: dict[str, Any] = draw(st.sampled_from([{}, {"uid": None, "begun": begin}]))
        records += pod(f"p{number}", *parts, told=draw(st.booleans()), **who)
    days = sorted(draw(st.sets(st.integers(2, 49), min_size=1, max_size=4)))
    history, since = list[tuple[datetime, list[Pod], bool]](), at("2025-01-01")
    for until in [*(FIRST + day * DAY for day in days), LAST]:
        news = [one for one in records if since < one.until <= until]
        again = [one for one in records if one.until <= since]
        retold = draw(st.sets(st.integers(0, len(again) - 1), max_size=3)) if again else set()
        corrected = [replace(again[one], phase="Failed", completed=again[one].until - STEP) for one in sorted(retold)]
        history.append((until, [*news, *corrected], draw(st.booleans())))
        since = until
    after = [one for one in records if one.until > LAST]
    return history, [
        *after,
        *(replace(one, owner_name="x", started=one.since) for one in records[:: len(records) // 3 or 1]),
    ]


def holds(site: Archivable, twin: Archivable, history: Any, after: list[Pod], before: datetime) -> None:
    """Archived or not, a cluster tells the same, and goes on the same."""
    for one in (site, twin):
        for until, records, exported in history:
            one.collect(f"{until:%Y-%m-%d}", records)
            if exported:
                one.export()
    expected = told(twin, "report")
    site.archive(before)
    assert_same(told(site, "report"), expected)
    until = max([LAST, *(one.until for one in after)])
    for one in (site, twin):
        one.collect(f"{until:%Y-%m-%d}", after)
    assert [done._replace(quarantine=None) for done in site.export()] == [
        done._replace(quarantine=None) for done in twin.export()
    ]
    site.archive(at("2025-04-01"))
    assert_same(told(site, "report"), told(twin, "report"))


BEFORES = st.sampled_from([at("2025-02-01"), BEFORE, at("2025-04-01")])


@settings(max_examples=5, deadline=None)
@given(histories(), BEFORES, st.sampled_from(["day", "life"]))
def test_an_archived_cluster_is_as_one_that_is_not(
    tmp_path_factory: pytest.TempPathFactory, lives: tuple[Any, list[Pod]], before: datetime, per: Per
) -> None:
    """Whatever its pods did, whenever it was read, corrected and exported: reports and files are the same."""
    folder, form = tmp_path_factory.mktemp("cluster"), JobForm("r", cpu="millicores", per=per)
    holds(Archivable(folder / "site", form), Archivable(folder / "twin", form), *lives, before)


@settings(max_examples=2, deadline=None)
@given(histories(), BEFORES)
def test_an_archived_cluster_in_mariadb_is_as_one_in_sqlite(
    tmp_path_factory: pytest.TempPathFactory, mariadb: MariaDB, lives: tuple[Any, list[Pod]], before: datetime
) -> None:
    """There, too, it tells the same."""
    folder, form = tmp_path_factory.mktemp("cluster"), JobForm("r", cpu="millicores")
    site = Archivable(folder / "site", form, url=mariadb.url(mariadb.database()))
    holds(site, Archivable(folder / "twin", form), *lives, before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site with one cluster, as a configuration names it."""
    cluster = '[[openshift]]\nname = "ocp"\nresource = "openshift"\nurl = "http://localhost:9"\ncpu = "millicores"\n'
    (tmp_path / "xdmod-cloud.toml").write_text(cluster)
    ledger = empty_ledger(tmp_path)
    for until, records in (
        ("2025-02-28", [one for one in pods() if one.until <= at("2025-02-28")]),
        ("2025-03-12", []),
    ):
        collected(ledger, until, records)
    collected(ledger, "2025-03-13", pod("last", ("2025-03-12 10:00", "2025-03-12 11:00", demand())))
    return tmp_path


def said(folder: Path, *words: str) -> str:
    done = call_at(folder, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands(folder: Path) -> Iterator[Any]:
    """What a user sees of the past."""
    for month in ("2025-01", "2025-02"):
        yield said(folder, "report", "openshift", "--month", month, "--json")
    yield said(folder, "export", "openshift", "--from", "2025-01-01", "--to", "2025-03-01", "--json")
    for place in ("reports", "outbox"):
        yield {path: path.read_bytes() for path in sorted((folder / place).rglob("*")) if path.is_file()}


def test_the_command_archives_clusters(folder: Path) -> None:
    """By the same policy as clouds; the report and the window of an export are the same bytes afterwards."""
    said(folder, "export", "openshift")
    before = list(commands(folder))
    assert len(before[-1]) > 30
    printed = said(folder, "ledger", "archive", "--older-than", "2025-03")
    assert "ocp-2025-02-1.parquet" in printed
    assert "5 pods" in printed
    assert list(commands(folder)) == before
    assert json.loads(said(folder, "ledger", "archive", "--older-than", "2025-03", "--json")) == []
    assert load(folder / "xdmod-cloud.toml").ledger_archive == folder / "ledger-archive"
