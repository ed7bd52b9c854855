"""What is appended stays, once, in order, and with the watermark or not at all."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from ledger import Action, Flavor, Kind, Ledger, Mode, Named, Record, Rejected, Server, Size, SourceUnavailable
from ledger.database import connect, reading, upgrade
from ledger.exports import Exports, WrittenFile
from ledger.records import InstanceId, ProjectId, UserId
from ledger.store import Seq
from ledger.tables import latest, record

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def server(name: str = "web", status: str = "ACTIVE", number: int = 1, **fields: object) -> Server:
    """A server that was made at noon."""
    made = Server(
        id=InstanceId(f"00000000-0000-4000-8000-{number:012d}"),
        name=name,
        project=ProjectId("astro"),
        user=UserId("alice"),
        status=status,
        vm_state=status.lower(),
        power_state=1,
        created=NOON,
        updated=NOON,
        size=Size("m1.small", 1, 2048, 20),
    )
    return replace(made, **fields)


def read(
    ledger: Ledger, hour: int, *records: Record, source: str = "sim", rejected: tuple[Rejected, ...] = ()
) -> dict[str, int]:
    """One reading that told those records so many hours after noon; returns its counts."""
    at = NOON + hour * HOUR
    with ledger.writer(source) as writer:
        run = writer.begin(Mode.SWEEP, None)
        return writer.finish(run, at, at, records, rejected)


def bodies(ledger: Ledger, source: str = "sim") -> list[str]:
    """All that the ledger holds of a source, in its order."""
    chosen = select(record.c.body).where(record.c.source_id == ledger.source_id(source)).order_by(record.c.seq)
    with reading(ledger.engine) as connection:
        return list(connection.scalars(chosen))


def states(ledger: Ledger) -> list[str]:
    """The states of all servers that were recorded, in the ledger's order."""
    entries = ledger.entries("sim", Kind.SERVER, Seq(10**9))
    return [entry.record.status for entry in entries if isinstance(entry.record, Server)]


def test_the_same_observation_again_appends_nothing(ledger: Ledger) -> None:
    """Neither in the same reading nor in a later one; the watermark moves all the same."""
    stop = Action(server().id, "stop", "req-1", NOON, NOON)
    assert read(ledger, 1, server(), stop, server(), stop)["appended"] == 2
    before = bodies(ledger)
    assert read(ledger, 2, server(), stop)["appended"] == 0
    assert bodies(ledger) == before
    mark = ledger.watermark("sim")
    assert mark is not None
    assert (mark.at, mark.seq) == (NOON + 2 * HOUR, 2)


def test_what_is_as_it_was_before_the_last_time_is_news(ledger: Ledger) -> None:
    """A, B and A again are three records, whether a reading lies between them or not."""
    for hour, status in enumerate(["ACTIVE", "SHUTOFF", "ACTIVE"]):
        read(ledger, hour, server(status=status))
    assert states(ledger) == ["ACTIVE", "SHUTOFF", "ACTIVE"]
    again = ["SHUTOFF", "ACTIVE", "SHUTOFF", "ACTIVE"]
    read(ledger, 4, *(server(status=status) for status in again))
    assert states(ledger)[3:] == again
    assert [known.status for known in ledger.newest("sim", Server)] == ["ACTIVE"]
    assert read(ledger, 5, server(status="ACTIVE"))["appended"] == 0


def test_latest_always_names_the_newest_record(ledger: Ledger) -> None:
    """However many records a reading has, and however often it says something of the same thing."""
    for hour in range(3):
        read(ledger, hour, *(server(f"{hour}-{turn}", number=number) for turn in range(2) for number in range(600)))
    with reading(ledger.engine) as connection:
        rows = connection.execute(select(record.c.subject, record.c.kind, record.c.seq).order_by(record.c.seq))
        newest = {(kind, subject): seq for subject, kind, seq in rows}
        told = {(kind, subject): seq for kind, subject, seq in connection.execute(
            select(latest.c.kind, latest.c.subject, latest.c.seq)
        )}  # fmt: skip
    assert told == newest
    assert len(bodies(ledger)) == 3 * 2 * 600


@pytest.mark.parametrize("count", [0, 3, 1234])
def test_a_reading_that_breaks_off_leaves_nothing(ledger: Ledger, count: int) -> None:
    """Neither records nor a watermark, however many records came before."""
    read(ledger, 1, server())
    before = bodies(ledger), ledger.watermark("sim")

    def breaking_off() -> Iterator[Record]:
        yield from (server(number=number, status="SHUTOFF") for number in range(count))
        raise RuntimeError("the source went away")

    with ledger.writer("sim") as writer:
        run = writer.begin(Mode.CHANGES, None)
        with pytest.raises(RuntimeError):
            writer.finish(run, NOON + 9 * HOUR, NOON + 9 * HOUR, breaking_off(), [Rejected("why", "{}")])
        writer.fail(run, "the source went away")
    assert (bodies(ledger), ledger.watermark("sim")) == before
    assert ledger.quarantined("sim") == []
    assert [known.status for known in ledger.newest("sim", Server)] == ["ACTIVE"]


def test_runs_are_recorded_however_they_end(ledger: Ledger) -> None:
    """Done, failed and died ones, with what they counted or why they failed."""
    read(ledger, 1, server())
    with ledger.writer("sim") as writer:
        writer.fail(writer.begin(Mode.CHANGES, NOON), "Nova does not answer")
    with ledger.writer("sim") as writer:
        writer.begin(Mode.CHANGES, NOON)
    read(ledger, 2)
    runs = ledger.runs("sim")
    assert [run["outcome"] for run in runs] == ["done", "failed", "died", "done"]
    assert [run["error"] for run in runs] == [
        None,
        "Nova does not answer",
        "The process ended before the run did.",
        None,
    ]
    assert runs[0]["counts"] == '{"appended":1,"rejected":0}'
    mark = ledger.watermark("sim")
    assert mark is not None
    assert mark.at == NOON + 2 * HOUR


def test_a_run_of_another_source_is_not_taken_for_dead(ledger: Ledger) -> None:
    """Only who holds a source's lock knows that its run has ended."""
    with ledger.writer("one") as one:
        run = one.begin(Mode.SWEEP, None)
        read(ledger, 1, source="two")
        one.finish(run, NOON, NOON, [])
    assert [row["outcome"] for row in ledger.runs("one")] == ["done"]


def test_the_same_thing_is_set_aside_once(ledger: Ledger) -> None:
    """Whole, with the reason and when it was seen first."""
    odd = Rejected("no flavor", '{"id": "\N{SNOWMAN}"}')
    assert read(ledger, 1, rejected=(odd, odd))["rejected"] == 2
    assert read(ledger, 2, rejected=(odd,))["rejected"] == 1
    assert read(ledger, 3, rejected=(replace(odd, body="{}"),))["rejected"] == 1
    aside = [(row["reason"], row["body"], row["observed"]) for row in ledger.quarantined("sim")]
    assert aside == [("no flavor", odd.body, NOON + HOUR), ("no flavor", "{}", NOON + 3 * HOUR)]


@pytest.mark.parametrize("name", ["ÆØÅ – Überraschung", "日本語", "\N{GRINNING FACE} \N{ROCKET}", "a\x00b\n'\"\\%", ""])
def test_names_come_back_as_they_were(ledger: Ledger, name: str) -> None:
    """Whatever people call their servers and projects."""
    read(ledger, 1, server(name), Named(Kind.PROJECT, "astro", name))
    assert [known.name for known in ledger.newest("sim", Server)] == [name]
    assert [known.name for known in ledger.newest("sim", Named, Kind.PROJECT)] == [name]
    assert read(ledger, 2, server(name), Named(Kind.PROJECT, "astro", name))["appended"] == 0


def test_ids_that_differ_in_case_only_are_two_things(ledger: Ledger) -> None:
    """Keystone's ids come from elsewhere at some sites, and are compared as they are."""
    people = [Named(Kind.USER, id, id) for id in ("Alice", "alice", "álice")]
    assert read(ledger, 1, *people)["appended"] == len(people)
    assert {known.id for known in ledger.newest("sim", Named, Kind.USER)} == {"Alice", "alice", "álice"}


def test_times_come_back_to_the_microsecond(ledger: Ledger) -> None:
    """In bodies and in columns, for a day in the past as for one in the future."""
    times = [datetime(year, 3, 29, 1, 59, 59, 123456, tzinfo=UTC) for year in (1999, 2026, 2262)]
    for number, time_ in enumerate(times):
        with ledger.writer("sim") as writer:
            writer.finish(writer.begin(Mode.SWEEP, time_), time_, time_, [server(number=number, updated=time_)])
    assert ledger.watermarks("sim", Seq(99)) == times
    entries = list(ledger.entries("sim", Kind.SERVER, Seq(99)))
    assert [entry.observed for entry in entries] == times
    assert [run["window_from"] for run in ledger.runs("sim")] == times


def test_sources_do_not_mix(ledger: Ledger) -> None:
    """The same ids in two clouds are two things, each with its own watermark."""
    read(ledger, 1, server("here"), source="here")
    read(ledger, 2, server("there"), source="there")
    assert [known.name for known in ledger.newest("here", Server)] == ["here"]
    assert [known.name for known in ledger.newest("there", Server)] == ["there"]
    marks = [ledger.watermark(source) for source in ("here", "there")]
    assert [mark and mark.at for mark in marks] == [NOON + HOUR, NOON + 2 * HOUR]
    assert ledger.watermark("elsewhere") is None


def test_one_writer_of_a_source_at_a_time(ledger: Ledger, url: str) -> None:
    """A second one is sent away at once; when the first has ended, it may."""
    other = Ledger.open(url)
    with ledger.writer("sim"):
        began = time.monotonic()
        with pytest.raises(SourceUnavailable, match="Another xdmod-cloud is writing sim"), other.writer("sim"):
            pytest.fail("two writers of one source")
        assert time.monotonic() - began < 5
        with other.writer("another"):
            pass
    with other.writer("sim"), pytest.raises(SourceUnavailable), ledger.writer("sim"):
        pytest.fail("two writers of one source")


def test_ledgers_beside_each_other_do_not_lock_each_other(ledger: Ledger, new_url: Callable[[], str]) -> None:
    """Two sites may keep theirs on one machine, and call their clouds the same."""
    second = new_url()
    upgrade(connect(second))
    with ledger.writer("sim"), Ledger.open(second).writer("sim"):
        pass


def test_a_lock_dies_with_its_process(ledger: Ledger, url: str) -> None:
    """A collector that is killed keeps nobody from the next run."""
    program = (
        "import sys, time; from ledger import Ledger, Mode\n"
        "with Ledger.open(sys.argv[1]).writer('sim') as writer:\n"
        "    writer.begin(Mode.SWEEP, None); print('locked', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(SourceUnavailable), ledger.writer("sim"):
            pytest.fail("two writers of one source")
        holder.kill()
        holder.wait()
        _until_free(ledger)
    assert [run["outcome"] for run in ledger.runs("sim")] == ["died", "done"]


def _until_free(ledger: Ledger) -> None:
    """A server of databases notices a moment later that a connection has ended."""
    for _ in range(50):
        try:
            read(ledger, 1)
        except SourceUnavailable:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the lock outlived its process")


@pytest.mark.parametrize("filled", [0, 5], ids=["first readings", "later readings"])
def test_two_sources_are_written_at_once(ledger: Ledger, url: str, filled: int) -> None:
    """Each gets all of its records, and the order of what was learned holds for each."""
    for number in range(filled):
        read(ledger, 0, server(number=number), source="one")
        read(ledger, 0, server(number=number), source="two")
    ledger.source_id("one", create=True)
    ledger.source_id("two", create=True)
    both_began = [Event(), Event()]

    def written(source: str, mine: Event, other: Event) -> dict[str, int]:
        def slowly() -> Iterator[Record]:
            for number in range(1600):
                if number == 550:
                    mine.set()
                    # The other one waits for this transaction, or goes ahead; nobody may wait for ever.
                    other.wait(0.5)
                yield server("again", number=number)

        with Ledger.open(url).writer(source) as writer:
            return writer.finish(writer.begin(Mode.SWEEP, None), NOON + HOUR, NOON + HOUR, slowly())

    with ThreadPoolExecutor(2) as pool:
        turns = [
            pool.submit(written, source, mine, other)
            for source, mine, other in zip(("one", "two"), both_began, reversed(both_began), strict=True)
        ]
        assert [turn.result(60)["appended"] for turn in turns] == [1600, 1600]
    for source in ("one", "two"):
        assert len(bodies(ledger, source)) == 1600 + filled
        assert len(list(ledger.newest(source, Server))) == 1600


def test_reading_sees_one_state(ledger: Ledger, url: str) -> None:
    """What is appended while somebody reads is not seen by half."""
    read(ledger, 1, *(server(number=number) for number in range(3000)))
    mark = ledger.watermark("sim")
    assert mark is not None
    lives = ledger.lives("sim", mark.seq)
    next(lives)
    read(Ledger.open(url), 2, *(server(number=number, status="SHUTOFF") for number in range(3000)))
    assert sum(len(entries) for _, entries in lives) == 2999


def test_an_export_is_decided_once(ledger: Ledger, url: str) -> None:
    """Begun by a process that died, it is the same for whoever finishes it."""
    read(ledger, 1, server())
    first = Exports(ledger, "sim", "events")
    begun = first.begin(Seq(1), NOON)
    again = Exports(Ledger.open(url), "sim", "events")
    assert (again.begun(), again.last()) == (begun, None)
    again.finish(begun, [WrittenFile("b", 2, "00"), WrittenFile("a", 1, "11")])
    assert (first.begun(), first.last()) == (None, begun)
    assert [file.name for file in first.files()] == ["a", "b"]
    following = first.begin(Seq(5), NOON + HOUR)
    assert (following.seq_from, following.horizon_from) == (1, NOON)
    first.finish(following, [], [WrittenFile("a", 0, "22")])
    assert first.files() == [WrittenFile("a", 0, "22"), WrittenFile("b", 2, "00")]
    assert Exports(ledger, "sim", "facts").last() is None


@pytest.mark.parametrize("name", ["x" * 255, "Big", "Big "])
def test_flavors_of_any_name_are_told_apart(ledger: Ledger, name: str) -> None:
    """Long names, and names that differ in a trailing blank only."""
    read(ledger, 1, Flavor("Big", 1, 1024))
    assert read(ledger, 2, Flavor(name, 1, 1024), Flavor(name, 2, 2048))["appended"] == (1 if name == "Big" else 2)
