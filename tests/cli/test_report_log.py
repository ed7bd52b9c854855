"""The transaction log has every action that a cloud recorded, once, at its time and by the names of that time."""

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert, update

import schemas
from demo.__main__ import RECORDING
from demo.replay import Recording, Replay
from ledger import Action, Kind, Mode, Server, Size
from ledger.database import writing
from ledger.records import InstanceId, Named, ProjectId, Record, UserId
from ledger.tables import latest, record
from ledger.tables import run as run_table
from tests.cli.here import call
from tests.simulation import OPERATIONS, SimulatedCloud
from tests.site import Site

START = datetime(2026, 10, 24, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Watched:
    """A site beside a cloud whose script the tests have lived through, and the log that it gives."""

    def __init__(self, site: Site, ids: dict[str, str]) -> None:
        self.site, self.ids = site, ids

    def rows(self, *words: str) -> list[dict[str, str]]:
        """The rows of the log of October in Berlin."""
        asked = ("--month", "2026-10", "--time-zone", "Europe/Berlin", "--format", "csv")
        done = call(self.site, "report", "log", *asked, *words)
        assert done.returncode == 0, done.stderr
        rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
        for row in rows:
            schemas.validator("log-csv").validate(row)
        return rows

    def said(self, *words: str) -> list[str]:
        """The actions of the log, each with the server's name."""
        return [f"{row['server']}: {row['action']}" for row in self.rows(*words)]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A night over the change of the clocks, read every hour."""
    cloud = SimulatedCloud(START)
    with Replay(cloud) as server:
        site = Site.beside(server, tmp_path_factory.mktemp("night"))
        ids = {name: cloud.boot(name, project=project) for name, project in (("web", "astro"), ("db", "=bio"))}
        ids["broken"] = cloud.boot("broken", user="../../bob", outcome="no valid host")
        ids["again"] = cloud.boot("again", outcome="rescheduled")
        site.round(START + HOUR)
        cloud.at(START + 1.5 * HOUR)
        cloud.resize(ids["web"], "m1.large")
        site.round(START + 2 * HOUR)
        cloud.at(START + 2.5 * HOUR)
        cloud.confirm_resize(ids["web"])
        cloud.other(ids["web"], "lock", by="carol")
        cloud.live_migrate(ids["web"])
        cloud.reboot(ids["db"], fails=True)
        site.round(START + 3 * HOUR)
        cloud.at(START + 3.5 * HOUR)
        cloud.rename_project("astro", "astrophysics")
        cloud.rename_user("alice", "alice.b")
        cloud.delete_user("carol")
        cloud.rename(ids["web"], "www")
        site.round(START + 4 * HOUR, sweep=True)
        for hours in (4.5, 5.5):
            cloud.at(START + hours * HOUR)
            (cloud.stop if hours == 4.5 else cloud.start)(ids["web"])
        cloud.lose(ids["db"])
        site.round(START + 6 * HOUR, sweep=True)
        cloud.at(START + 6.5 * HOUR)
        cloud.delete(ids["web"])
        cloud.stop(ids["again"], seconds=7200, wait=False)
        site.round(START + 7 * HOUR, sweep=True)
        yield Watched(site, ids)


def test_everything_is_told_in_its_order(watched: Watched) -> None:
    """Also what failed, what changed no session, what nobody recorded, and what goes on."""
    assert watched.said() == [
        "web: created the server",
        "db: created the server",
        "broken: failed to create the server",
        "again: created the server at a second try",
        "web: resized the server from m1.small to m1.large",
        "web: confirmed the new size or host",
        "web: locked the server",
        "web: moved the running server to another host",
        "db: failed to reboot the server",
        "www: stopped the server",
        "www: started the server",
        "db: the server vanished: it is listed no more, and no deletion was recorded",
        "www: deleted the server",
        "again: began to stop the server; how it ended is not known",
    ]
    times = [row["time"] for row in watched.rows()]
    assert times == sorted(times)


def test_names_are_those_of_the_time(watched: Watched) -> None:
    """A project and a user that were renamed, and one that Keystone no longer has; ids stay."""
    rows = watched.rows("--instance", watched.ids["web"])
    assert [(row["user"], row["project"]) for row in (rows[0], rows[3], rows[4], rows[-1])] == [
        ("alice", "astro"),
        ("carol", "astro"),
        ("admin", "astro"),
        ("alice.b", "astrophysics"),
    ]
    assert len({row["project_id"] for row in rows}) == len({row["instance"] for row in rows}) == 1
    assert rows[4]["acting_project_id"] != rows[4]["project_id"]
    assert all(row["request_id"].startswith("req-") for row in rows)


def test_the_hour_that_comes_twice(watched: Watched) -> None:
    """Both halves of the night have the same local time, and another offset."""
    stopped, started = (
        row for row in watched.rows() if row["nova_action"] in ("stop", "start") and row["server"] == "www"
    )
    assert (stopped["time"], stopped["local_time"]) == ("2026-10-25T00:30:00Z", "2026-10-25T02:30:00+02:00")
    assert (started["time"], started["local_time"]) == ("2026-10-25T01:30:00Z", "2026-10-25T02:30:00+01:00")


@pytest.mark.parametrize("name", ["astro", "astrophysics"])
def test_a_project_by_any_of_its_names(watched: Watched, name: str) -> None:
    """A renamed project is one project."""
    rows = watched.rows("--project", name)
    assert {row["project"] for row in rows} == {"astro", "astrophysics"}
    assert rows == watched.rows("--project", rows[0]["project_id"])


def test_a_user_and_a_project(watched: Watched) -> None:
    """Filters add up; a formula and a path are but names, the formula guarded in its cell."""
    assert watched.said("--user", "carol") == ["web: locked the server"]
    assert watched.said("--user", "../../bob") == ["broken: failed to create the server"]
    assert {row["project"] for row in watched.rows("--project", "=bio")} == {"'=bio"}
    assert watched.said("--project", "=bio", "--user", "carol") == []


def test_a_cloud_that_is_named_twice(watched: Watched) -> None:
    """Each of its actions is told once, and so is each session."""
    assert watched.rows("sim", "sim") == watched.rows("sim")
    asked = ("report", "sessions", "--month", "2026-10")
    assert call(watched.site, *asked, "sim", "sim").stdout == call(watched.site, *asked, "sim").stdout


def test_as_text(watched: Watched) -> None:
    """The same to read: a heading and a line for each."""
    done = call(watched.site, "report", "log", "--from", "2026-10-25", "--to", "2026-10-25")
    assert done.returncode == 0
    heading, *lines = done.stdout.splitlines()
    assert heading == "time | user | project | action | server | ids"
    assert lines[0].startswith(
        "2026-10-25 00:30:00+00:00 | alice.b | astrophysics | stopped the server | www | instance "
    )
    assert len(lines) == 5


def test_a_file_is_whole_or_not_there(watched: Watched, tmp_path: Path) -> None:
    """It is what would be printed; where it cannot be written, it is as it was, and nothing is left beside it."""
    file = tmp_path / "log.csv"
    asked = ("report", "log", "--month", "2026-10", "--format", "csv", "--output", str(file))
    assert call(watched.site, *asked).stdout == ""
    assert file.read_bytes().decode() == call(watched.site, *asked[:-2]).stdout
    before = file.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.report_log.write_rows", _full)
        done = call(watched.site, *asked)
    assert (done.returncode, file.read_bytes(), list(tmp_path.iterdir())) == (75, before, [file])
    done = call(watched.site, *asked[:-1], str(file / "below"))
    assert (done.returncode, "Cannot write the report into" in done.stderr) == (2, True)
    assert call(watched.site, *asked[:-1], "/dev/null").returncode == 2
    assert not Path("/dev/null").is_file()


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_an_empty_period(watched: Watched) -> None:
    """A heading, and on stderr why there is no more; the end of what is known is told, too."""
    done = call(watched.site, "report", "log", "--month", "2026-09")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert "Nothing was done in 2026-09" in done.stderr
    assert "known up to" not in done.stderr
    assert "sim is known up to 2026-10-25 03:00 UTC" in call(watched.site, "report", "log", "--month", "2026-10").stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--month", "2026-13"), 2, "is no month"),
        (("--month", "2026-10", "--to", "2026-10-01"), 2, "Name one period"),
        (("--from", "2026-10-01"), 2, "Name one period"),
        (("--month", "2026-10", "--time-zone", "Mars/Base"), 2, "is no time zone"),
        (("--month", "2026-10", "--project", "../astro"), 2, 'No project "../astro" was ever seen in sim'),
        (("--month", "2026-10", "--user", "=1"), 2, 'No user "=1" was ever seen in sim'),
        (("--month", "2026-10", "--instance", "i-1"), 2, 'No server "i-1" was ever seen in sim'),
        (("other", "--month", "2026-10"), 2, 'has no [[openstack]] "other"'),
    ],
)
def test_wrong_questions(watched: Watched, words: tuple[str, ...], code: int, said: str) -> None:
    """They are refused in one line, and nothing is printed."""
    done = call(watched.site, "report", "log", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_a_cloud_that_was_never_read(tmp_path: Path) -> None:
    """Nothing is known, which is not nothing."""
    with Replay(SimulatedCloud(START)) as server:
        done = call(Site.beside(server, tmp_path), "report", "log", "--month", "2026-10")
    assert (done.returncode, done.stdout) == (1, "")
    assert "has not been collected yet" in done.stderr


def test_the_recording_of_the_demo(tmp_path: Path) -> None:
    """Every action of a real Nova's answers is in the log once, and all have words."""
    recording = Recording.read(RECORDING)
    with Replay(recording) as server:
        site = Site.beside(server, tmp_path)
        for moment in recording.moments:
            server.at = moment
            site.collect()
        listed = {action.request for one in recording.servers() for action in recording.actions(one.id)}
    done = call(site, "report", "log", "--month", "2026-10", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert {row["request_id"] for row in rows if row["nova_action"] != "vanished"} == listed
    assert len(rows) > 80
    assert not any(row["action"].startswith("did ") for row in rows)
    assert "resized the server from cpu-su.4 to cpu-su.8" in {row["action"] for row in rows}


def test_many_actions_in_little_memory(tmp_path: Path) -> None:
    """A hundred times the actions take hardly more memory, and come in order."""
    few, many = (_peak(tmp_path / str(count), count) for count in (2_000, 200_000))
    assert many < few + 48 * 1024


def _peak(folder: Path, count: int) -> int:
    """The most memory, in KiB, that the command takes for the log of so many actions."""
    folder.mkdir()
    site = Site.of(folder / "clouds.yaml", folder, cloud="demo")
    _fill(site, count)
    file = folder / "log.csv"
    words = ("report", "log", "--month", "2026-10", "--format", "csv", "--output", str(file))
    # What a process is said to have taken includes what its parent had when it began; this is its own.
    tell = "atexit.register(lambda: print(open('/proc/self/status').read()))"
    script = f"import atexit; {tell}; import cli.main; cli.main.main()"
    done = subprocess.run(
        [sys.executable, "-c", script, *words], env=site.environment, capture_output=True, text=True, check=True
    )
    with file.open(newline="") as opened:
        times = [row["time"] for row in csv.DictReader(opened)]
    assert len(times) == count
    assert times == sorted(times)
    return next(int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("VmHWM"))


def _fill(site: Site, count: int) -> None:
    """Put servers with ten actions each into the ledger at once: to compare each with what is known takes minutes."""
    ledger, _ = site.opened()
    at, numbered = START + 30 * HOUR, enumerate(_busy_cloud(count), 2)
    with ledger.writer("sim") as writer:
        run = writer.begin(Mode.SWEEP, None)
        writer.finish(run, at, at, [Named(Kind.PROJECT, "p", "astro")])
        known = {"source_id": ledger.source_id("sim"), "run_id": run, "observed": at, "digest": "", "begins": START}
        with writing(ledger.engine) as connection:
            while some := list(islice(numbered, 5000)):
                rows = [
                    {**known, "seq": seq, "kind": one.kind, "subject": one.subject, "identity": one.identity}
                    | {"body": msgspec.json.encode(one).decode()}
                    for seq, one in some
                ]
                for table in (record, latest):
                    columns = table.columns.keys()
                    told = [{name: value for name, value in row.items() if name in columns} for row in rows]
                    connection.execute(insert(table), told)
                connection.execute(update(run_table).values(last_seq=some[-1][0]))
    ledger.engine.dispose()


def _busy_cloud(count: int) -> Iterator[Record]:
    project, user, size = ProjectId("p"), UserId("u"), Size("m1.small", 1, 2048, 20)
    names = [operation.action for operation in islice(OPERATIONS.values(), 10)]
    for number in range(count // len(names)):
        server = InstanceId(f"{number * 7919 % 10007:05}-{number}")
        yield Server(server, "web", project, user, "ACTIVE", "active", 1, START, START, size, launched=START)
        for place, name in enumerate(names):
            at = START + timedelta(seconds=(number * 31 + place * 977) % 86400)
            yield Action(server, name, f"req-{number}-{place}", at, at, user=user, project=project)
