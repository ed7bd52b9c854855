"""The list of sessions has what a report of the period is made of, row by row, with the owners of the time."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import schemas
from demo.__main__ import CONFIGURATION, RECORDING
from demo.owners import CLIENT, REALM, Owners
from demo.replay import Recording, Replay
from hierarchy.owners import ALWAYS, Label, Owner
from ledger import DataError
from reporter import Period
from reporter.csvs import cell
from reporter.session_list import Chosen, heading, session_lines
from tests.cli.here import call
from tests.reporter.conftest import Desk, desk
from tests.reporter.histories import event
from tests.simulation import SimulatedCloud
from tests.site import Site
from usage import Engine

__all__ = ["desk"]

START = datetime(2026, 10, 1, 8, tzinfo=UTC)
OCTOBER = Period.month("2026-10")


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a list, each as the schema has it."""
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    for row in rows:
        schemas.validator("session-list-csv").validate(row)
    return rows


def listed(engine: Engine, *owners: Owner, chosen: Chosen | None = None) -> list[dict[str, str]]:
    """The sessions of October that an engine has."""
    return rows_of(heading() + "".join(session_lines(engine, "sim", OCTOBER, owners, chosen or Chosen())))


def owner(institution: str, project: str = "physics") -> Owner:
    """Who has always owned a project."""
    known: dict[str, Any] = dict.fromkeys(Owner._fields, "x")
    known |= {"label": Label(project), "since": ALWAYS[0], "until": ALWAYS[1], "institution": institution}
    return Owner(**known)


# The demo's recording: a PI moves in the middle of the month.


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that has read the demo's cloud, and whose it is, four times."""
    folder = tmp_path_factory.mktemp("demo")
    recording = Recording.read(RECORDING)
    owners = Owners(clock=lambda: recording.now)
    with Replay(recording, mounts=owners.mounts) as server:
        owners.write_secret(folder / "keycloak.secret")
        site = Site.beside(server, folder)
        written = CONFIGURATION.format(url=server.url, realm=REALM, client=CLIENT)
        (folder / "xdmod-cloud.toml").write_text(written)
        for moment in recording.moments:
            server.at = moment
            for what in ("openstack", "hierarchy"):
                assert call(site, "collect", what).returncode == 0
        yield site


def test_the_list_adds_up_to_the_report(site: Site) -> None:
    """For each institution, PI, project and user, to the second."""
    folder = site.folder / "reports"
    assert call(site, "report", "usage", "--month", "2026-10", "--output", str(folder)).returncode == 0
    summed, reported = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for row in rows_of(call(site, "report", "sessions", "--month", "2026-10").stdout):
        key = tuple(row[name] for name in ("institution", "pi", "project", "user", "state"))
        summed[key] += int(row["seconds_in_period"])
        summed[(*key, "core")] += int(row["core_seconds_in_period"])
    with (folder / "demo-cloud" / "usage-2026-10.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            key = tuple(row[name] for name in ("institution", "pi", "project", "user"))
            for state in ("active", "inactive", "shelved", "other"):
                reported[(*key, state)] += int(row[f"{state}_seconds"])
            reported[(*key, "active", "core")] += int(row["core_seconds"])
    assert +summed == +reported
    assert {key[0] for key in summed} == {"Northern University", "Harbor Institute", "Lakeside College"}


def test_a_session_is_cut_where_its_owner_changed(site: Site) -> None:
    """Both parts tell of the whole session, and meet where the PI moved."""
    parts = rows_of(call(site, "report", "sessions", "--month", "2026-10", "--project", "galaxy-formation").stdout)
    cut = [row for row in parts if "2026-10-18T00:00:00Z" in (row["counted_from"], row["counted_to"])]
    assert cut
    for before, after in zip(cut[::2], cut[1::2], strict=True):
        assert (before["institution"], after["institution"]) == ("Northern University", "Harbor Institute")
        assert before["counted_to"] == after["counted_from"]
        assert [before[name] for name in ("instance", "start", "end")] == [
            after[name] for name in ("instance", "start", "end")
        ]


def test_only_an_institution(site: Site) -> None:
    """Its sessions, and no other; together the institutions have all."""
    asked = ("report", "sessions", "--month", "2026-10")
    everything = rows_of(call(site, *asked).stdout)
    parts = [
        rows_of(call(site, *asked, "--institution", name).stdout) for name in {row["institution"] for row in everything}
    ]
    assert sorted(map(str, everything)) == sorted(str(row) for part in parts for row in part)
    done = call(site, *asked, "--institution", "=Nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'institution "=Nowhere" (there are: Harbor Institute, Lakeside College, Northern University)' in done.stderr


def test_days_and_time_zones(site: Site) -> None:
    """A day of Berlin begins two hours before that of UTC; both clip what goes on."""
    asked = ("report", "sessions", "--from", "2026-10-12", "--to", "2026-10-12", "--time-zone", "Europe/Berlin")
    rows = rows_of(call(site, *asked).stdout)
    assert min(row["counted_from"] for row in rows) == "2026-10-11T22:00:00Z"
    assert max(row["counted_to"] for row in rows) == "2026-10-12T22:00:00Z"


def test_a_file_is_whole(site: Site, tmp_path: Path) -> None:
    """It is what would be printed, and nothing lies beside it."""
    file = tmp_path / "new" / "sessions.csv"
    asked = ("report", "sessions", "--month", "2026-10")
    assert call(site, *asked, "--output", str(file)).returncode == 0
    assert file.read_bytes().decode() == call(site, *asked).stdout
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--month", "2026-00"), 2, "is no month"),
        (("--month", "2026-10", "--time-zone", "Berlin"), 2, "is no time zone"),
        (("--month", "2026-10", "--project", "../x"), 2, 'No project "../x" was ever seen in demo'),
        (("--month", "2026-10", "--user", "=x"), 2, 'No user "=x" was ever seen in demo'),
        (("--month", "2026-10", "--output", "/proc/x.csv"), 2, "Cannot write the report into /proc"),
        (("--month", "2025-10"), 0, "demo: the ledger knows no server in 2025-10."),
    ],
)
def test_odd_questions(site: Site, words: tuple[str, ...], code: int, said: str) -> None:
    """They are answered in one line; a period without a session has a heading."""
    done = call(site, "report", "sessions", *words)
    assert (done.returncode, done.stdout) == (code, heading() if code == 0 else "")
    assert said in done.stderr


# A simulated cloud


def test_a_project_and_a_user_by_any_name(tmp_path: Path) -> None:
    """What was renamed is one project, and keeps its first name in XDMoD; who was renamed is one user."""
    cloud = SimulatedCloud(START)
    with Replay(cloud) as server:
        site = Site.beside(server, tmp_path)
        web = cloud.boot("web")
        cloud.boot("db", project="bio", user="bob")
        site.round(START + timedelta(hours=1))
        cloud.at(START + timedelta(hours=2))
        cloud.rename_project("astro", "=1+1")
        cloud.rename_user("alice", "ada")
        site.round(START + timedelta(hours=3), sweep=True)
        cloud.at(START + timedelta(hours=4))
        cloud.stop(web)
        cloud.at(START + timedelta(hours=5))
        cloud.start(web)
        site.round(START + timedelta(hours=6))
    for words in (("--project", "astro"), ("--project", "=1+1"), ("--user", "alice"), ("--user", "ada")):
        rows = rows_of(call(site, "report", "sessions", "--month", "2026-10", *words).stdout)
        assert {row["instance"] for row in rows} == {web}
        assert {(row["project"], row["user"]) for row in rows} == {("astro", "alice"), ("astro", "ada")}
        assert {row["institution"] for row in rows} == {"unknown"}
    done = call(site, "report", "sessions", "--month", "2026-10", "--institution", "x")
    assert (done.returncode, "No institution is known" in done.stderr) == (2, True)


def test_a_cloud_that_was_never_read(tmp_path: Path) -> None:
    """Nothing is known, which is not nothing."""
    with Replay(SimulatedCloud(START)) as server:
        done = call(Site.beside(server, tmp_path), "report", "sessions", "--month", "2026-10")
    assert (done.returncode, done.stdout) == (1, "")


# What the engine writes


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@S", "\t=1", "\r=1", "＝1+1", "'q", 'Ж, "x"\n', "a\rb", "a|b", ""]
)
def test_cells_are_guarded_and_read_back(desk: Desk, name: str) -> None:
    """The engine guards and quotes as the other files of a report do, and the schema's conditions hold."""
    desk.report(
        event("2026-10-01 08:00:00", "create.end", project=name, user=name),
        event("2026-10-01 09:00:00", "delete.end", project=name, user=name),
        event("2026-10-02 08:00:00", "create.end", "i-2", project=None, user=None, flavor="unknown", cores=0),
        event("2026-10-02 09:00:00", "delete.end", "i-2", project=None, user=None, flavor="unknown", cores=0),
    )
    named, unknown = listed(desk.engine, owner(name, name))
    assert {named[column] for column in ("project", "user", "institution")} == {cell(name)}
    assert [unknown[column] for column in ("project", "user", "institution", "flavor", "cores", "memory_mb")] == [
        "unknown"
    ] * 6


def test_a_row_that_the_schema_forbids(desk: Desk) -> None:
    """It is named, with the schema's own reason."""
    desk.report(event("2026-10-01 08:00:00", "create.end"), event("2026-10-01 09:00:00", "delete.end"))
    desk.engine.connection.execute("UPDATE sessions SET memory_mb = -1")
    with pytest.raises(DataError, match=r"instance “i-1”, project “physics”.*Nothing was written"):
        listed(desk.engine)


def test_many_sessions_come_in_order_and_once(desk: Desk) -> None:
    """However they are divided to be sorted: each once, by instance and start."""
    desk.report(event("2026-10-01 08:00:00", "create.end"), event("2026-10-01 09:00:00", "delete.end"))
    desk.engine.connection.execute(
        "CREATE OR REPLACE TABLE sessions AS SELECT s.* REPLACE (md5((i // 7)::VARCHAR) AS instance,"
        " s.start_time_ts + i % 7 AS start_time_ts) FROM sessions s, range(250000) t(i)"
    )
    text = "".join(session_lines(desk.engine, "sim", OCTOBER, [owner("U")], Chosen()))
    rows = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))]
    assert len(rows) == len(set(rows)) == 250_000
    assert rows == sorted(rows, key=lambda row: (row[0], row[8]))
