"""Our sessions against those of a warehouse: each difference is told, with its reason where that is known."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from demo.replay import Replay
from reporter.xdmod.recorded import recorded, resource_id
from reporter.xdmod.warehouse import VERSIONS, Warehouse, grants
from tests.cli.here import call
from tests.real.mariadb import MariaDB
from tests.real.records import Records
from tests.real.test_warehouse import older, server
from tests.recorded_site import recorded_site
from tests.simulation import SimulatedCloud
from tests.site import Site
from usage import Engine, Session

#: Fixtures, which this module gives to its tests.
__all__ = ["older", "server"]

START = datetime(2026, 10, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALWAYS = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


class Place:
    """A site beside a cloud, and an XDMoD."""

    def __init__(self, site: Site, cloud: SimulatedCloud, records: Records, url: str) -> None:
        self.site, self.cloud, self.records, self.url = site, cloud, records, url
        self.handed_on = site.folder / "handed-on"
        self.handed_on.mkdir()

    def hand_on(self) -> None:
        """Move the event files out of the outbox, as an operator does before XDMoD shreds them."""
        for file in self.site.outbox.glob("*.json"):
            file.rename(self.handed_on / file.name)

    def ingest(self, sessions: list[Session] | None = None, *, modified: datetime | None = None) -> list[Session]:
        """Let XDMoD have the sessions of all that was handed on, or others."""
        self.hand_on()
        told = self.site.sessions(self.handed_on) if sessions is None else sessions
        self.records.put(told, modified=modified)
        return told

    def verify(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """Compare; returns the exit code, and what differs."""
        done = call(self.site, "verify", "xdmod", "--xdmod", self.url, "--json", *words)
        assert not done.stderr, done.stderr
        (told,) = json.loads(done.stdout)
        assert told["compared"].get("sessions", 0) > 0
        return done.returncode, told["differences"]


@pytest.fixture
def place(server: MariaDB, tmp_path: Path) -> Iterator[Place]:
    """A cloud in which two servers lived for a day, read and exported to its end, and ingested."""
    cloud, records = SimulatedCloud(START), Records(server)
    web, db = cloud.boot("web", project="astro"), cloud.boot("db", project="bio")
    with Replay(cloud) as replay:
        site = Site.beside(replay, tmp_path)
        cloud.at(START + 3.2 * HOUR)
        cloud.stop(web)
        site.round(START + 4 * HOUR)
        cloud.at(START + 6 * HOUR)
        cloud.start(web)
        cloud.at(START + 9.5 * HOUR)
        cloud.pause(db)
        site.round(START + 20 * HOUR)
        place = Place(site, cloud, records, server.url(""))
        place.ingest()
        yield place
    records.clear()


def reasons(differences: list[dict[str, Any]]) -> set[str | None]:
    """Why they are."""
    return {one["reason"] for one in differences}


def later(place: Place) -> None:
    """Let a server come and be exported, of which XDMoD has not heard."""
    place.cloud.at(START + 21 * HOUR)
    place.cloud.boot("new", project="bio")
    place.site.round(START + 26 * HOUR)


def test_a_warehouse_gives_the_sessions_that_the_engine_rebuilds(server: MariaDB, xdmod_data: Path) -> None:
    """All of them, each field, in the same order: XDMoD made them of these events."""
    reference = xdmod_data / "reference"
    with Warehouse.open(server.url("")) as opened, Engine(threads=2) as engine:
        engine.read(reference / "openstack", reference / "openstack_error_sessions")
        theirs = [one.session for one in recorded(opened, resource_id(opened, "openstack"), ALWAYS)]
        assert theirs == list(engine.sessions())
        assert len(theirs) == 265


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_differs(place: Place, older: Callable[[str], AbstractContextManager[None]], version: str) -> None:
    """What XDMoD made of our files is what the ledger says, in every version; it is said how much was compared."""
    with older(version):
        done = call(place.site, "verify", "xdmod", "--xdmod", place.url)
    assert done.returncode == 0
    assert (
        done.stdout
        == f"sim: compared {len(place.site.sessions(place.handed_on))} sessions: 0 differences, 0 of them grave.\n"
    )


def test_what_waits_in_the_outbox(place: Place) -> None:
    """New servers, and new ends of old sessions, are benign as long as the files have not left it."""
    later(place)
    code, differences = place.verify()
    assert code == 0
    assert len(differences) == 3
    assert reasons(differences) == {"its events wait in the outbox"}


def test_what_was_exported_after_the_last_ingest(place: Place) -> None:
    """Without the files the times tell that XDMoD cannot have it yet."""
    before = datetime.now(UTC)
    place.records.put(place.site.sessions(place.handed_on), modified=before)
    later(place)
    place.hand_on()
    code, differences = place.verify()
    assert code == 0
    assert len(differences) == 3
    assert reasons(differences) == {f"XDMoD has ingested nothing since {before:%Y-%m-%d %H:%M:%S} UTC"}


def test_what_comes_after_the_last_event_of_xdmod(place: Place) -> None:
    """It ingests, but has nothing of the last days: these were not shredded."""
    told = place.site.sessions(place.handed_on)
    later(place)
    place.ingest(told, modified=datetime.now(UTC) + timedelta(minutes=1))
    code, differences = place.verify()
    assert code == 0
    assert {one[: len("XDMoD has nothing after 2026-10-02")] for one in map(str, reasons(differences))} == {
        "XDMoD has nothing after 2026-10-02"
    }


def test_what_is_late_for_too_long(place: Place) -> None:
    """Files that are not handed on, and an XDMoD that no longer ingests or shreds, are errors at last; all says why."""
    told, ago = place.site.sessions(place.handed_on), datetime.now(UTC) - timedelta(hours=3)
    later(place)
    for file in place.site.outbox.glob("*.json"):
        os.utime(file, (ago.timestamp(), ago.timestamp()))
    waits = {"its events wait in the outbox"}
    for words, code in (("2", 1), ("4", 0)):
        assert (done := place.verify("--patience", words))[0] == code
        assert reasons(done[1]) == waits
    place.hand_on()
    place.records.put(told, modified=ago)
    for words, code in (("2", 1), ("4", 0)):
        assert (done := place.verify("--patience", words))[0] == code
        assert all("has ingested nothing" in str(why) for why in reasons(done[1]))
    place.records.put(told, modified=datetime.now(UTC) + timedelta(minutes=1))
    for words, code in (("5", 1), ("7", 0)):
        assert (done := place.verify("--patience", words))[0] == code
        assert all("has nothing after" in str(why) for why in reasons(done[1]))


def test_a_session_that_xdmod_lacks(place: Place) -> None:
    """Amid all others no reason is known, and that is an error."""
    told = place.ingest()
    lost = next(one for one in told if one.start_event_type_id == 45)
    place.records.put(one for one in told if one is not lost)
    code, (difference,) = place.verify()
    assert code == 1
    assert (difference["identity"], difference["reason"], difference["benign"]) == (lost.instance, None, False)
    assert "2026-10-01 11:12" in difference["what"]
    assert "XDMoD has no such session" in difference["what"]


def test_a_session_with_something_else_in_it(place: Place) -> None:
    """Each field is named with what it is in XDMoD and what it should be; letters of either case are alike there."""
    told = place.ingest()
    place.records.put(
        replace(one, num_cores=7, host="elsewhere", username="FRIDA") if number == 0 else one
        for number, one in enumerate(
            replace(one, username="frida" if one.username is None else one.username) for one in told
        )
    )
    code, (difference,) = place.verify()
    assert code == 1
    assert f"num_cores is 7, not {told[0].num_cores}" in difference["what"]
    assert f"host is elsewhere, not {told[0].host}" in difference["what"]


def test_names_in_other_letters_are_alike(place: Place) -> None:
    """XDMoD's tables overlook the case of letters, so that of two spellings it keeps the first."""
    told = place.ingest()
    place.records.put(
        replace(one, project=(one.project or "").upper(), host=one.host and one.host.upper()) for one in told
    )
    assert place.verify() == (0, [])


def test_heartbeats_that_did_not_come(place: Place) -> None:
    """A session that ends early while others go on lacks events."""
    told = place.ingest()
    web = next(one for one in reversed(told) if one.end_event_type_id == 16)
    shorter = replace(web, end_time_ts=web.end_time_ts - 7200, wallduration=web.wallduration - 7200)
    other = replace(web, instance="zz-other", start_time_ts=web.start_time_ts + 1)
    place.records.put([*(shorter if one is web else one for one in told), other])
    code, differences = place.verify()
    assert code == 1
    assert [one["reason"][:38] for one in differences if one["identity"] == web.instance] == [
        "XDMoD has none of its heartbeats after"
    ]


def test_sessions_by_another_exporter(place: Place) -> None:
    """From before the ledger began they are what is to be expected; later ones are not."""
    told = place.ingest()
    old = replace(told[0], instance="0-old", start_time_ts=int((START + HOUR).timestamp()))
    place.records.put([*told, old])
    code, (difference,) = place.verify()
    assert (code, difference["identity"], difference["benign"]) == (0, "0-old", True)
    assert difference["reason"].startswith("it begins before the ledger does (2026-10-01 12:00")
    place.records.put([*told, replace(old, start_time_ts=int((START + 5 * HOUR).timestamp()))])
    code, (difference,) = place.verify()
    assert (code, difference["benign"]) == (1, False)
    assert difference["reason"] == "the ledger never knew the server: by events of another exporter"


def test_a_flavor_of_two_sizes(place: Place) -> None:
    """XDMoD lost the session, for the flavor's name stood for another size at that time."""
    told = place.ingest()
    lost = next(one for one in told if one.start_event_type_id == 45)
    place.records.put(one for one in told if one is not lost)
    for number, cores in enumerate((lost.num_cores, 64)):
        place.records.define(lost.instance_type, cores, lost.memory_mb, lost.start_time_ts - 100 + number)
    code, (difference,) = place.verify()
    assert code == 1
    assert f"{lost.instance_type} is 64 cores and {lost.memory_mb} MiB in XDMoD at that time" in difference["reason"]


def test_the_first_name_of_a_project(place: Place) -> None:
    """XDMoD keeps it, where we are asked only about days on which it was called otherwise; a foreign name is none."""
    place.cloud.at(START + 30 * HOUR)
    place.cloud.delete(place.site.sessions(place.handed_on)[0].instance)
    place.cloud.delete(place.site.sessions(place.handed_on)[-1].instance)
    place.cloud.rename_project("bio", "biology")
    place.site.collect(sweep=True)
    place.cloud.at(START + 100 * HOUR)
    place.cloud.boot("late", project="biology")
    place.site.round(START + 110 * HOUR, sweep=True)
    told = place.ingest()
    late = [one for one in told if one.start_time_ts >= (START + 99 * HOUR).timestamp()]
    assert {one.project for one in late} == {"bio"}
    code, (difference,) = place.verify("--days", "1")
    assert (code, difference["identity"], difference["benign"]) == (0, "project biology", True)
    assert difference["what"] == f"{len(late)} sessions are of bio in XDMoD"
    place.records.put(replace(one, project="nonsense") for one in told)
    code, (difference,) = place.verify("--days", "1")
    assert (code, difference["reason"]) == (1, None)


def test_servers_with_corrections_are_left_out(place: Place) -> None:
    """Their sessions are cut otherwise, and mean the same; how many they are is said."""
    told = place.ingest()
    file = next(place.handed_on.glob("*.json"))
    events = json.loads(file.read_bytes())
    file.write_text(json.dumps([*events, {**events[-1], "request_id": "correction"}]))
    place.records.put(one for one in told if one.instance != events[-1]["instance_id"])
    assert place.verify("--events", str(place.handed_on)) == (0, [])
    assert place.verify()[0] == 1


def test_what_cannot_be_compared(place: Place, tmp_path: Path) -> None:
    """No such resource, no such XDMoD, nothing exported: each is said in a line that names the way out."""
    place.records.clear()
    done = call(place.site, "verify", "xdmod", "--xdmod", place.url)
    assert done.returncode == 2
    assert 'XDMoD has no resource "sim" (it has: cinder, openshift_prod, openstack).' in done.stderr
    done = call(place.site, "verify", "xdmod", "--xdmod", "mysql+pymysql://root:secret@127.0.0.1:1/")
    assert done.returncode == 75
    assert "does not answer" in done.stderr
    assert "secret" not in done.stderr
    with Replay(SimulatedCloud(START)) as replay:
        done = call(Site.beside(replay, tmp_path / "empty"), "verify", "xdmod", "--xdmod", place.url)
    assert done.returncode == 1
    assert "Nothing of sim was exported yet. First: xdmod-cloud export openstack" in done.stderr


def test_the_grants_are_enough_and_none_is_too_many(place: Place, server: MariaDB) -> None:
    """With all of them nothing is refused; without one of them the message says which."""
    server.execute("CREATE OR REPLACE USER reader@localhost")
    try:
        statements = grants("reader@localhost", realms=(), reports=("verify",))
        server.execute(*statements)
        words = ("verify", "xdmod", "--xdmod", server.url("", "reader"))
        assert call(place.site, *words).returncode == 0
        for statement in statements:
            server.execute(statement.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
            refused = call(place.site, *words)
            assert (refused.returncode, refused.stdout) == (2, "")
            assert f"may not read {statement.split()[3]} of" in refused.stderr
            server.execute(statement)
    finally:
        server.execute("DROP USER reader@localhost")


def test_whose_sessions_are(server: MariaDB, tmp_path: Path) -> None:
    """A PI that XDMoD has no more is benign if the project was his at another time; unknown ones ask for an import."""
    records, site = Records(server), recorded_site(tmp_path, "sim")
    told = site.sessions(site.outbox)
    assert len(told) > 100
    nodes = {"galaxy-formation": "AMARA Okafor", "protein-folding": "Ines Duarte", "nlp-archive": "Somebody Else"}
    try:
        records.put(told, node=lambda one: nodes.get(one.project or "", "Dalia Haddad"))
        done = call(site, "verify", "xdmod", "--xdmod", server.url(""), "--days", "60", "--json")
    finally:
        records.clear()
    (result,) = json.loads(done.stdout)
    assert done.returncode == 1
    assert result["compared"] == {"sessions": len(told), "owners of sessions": len(told)}
    found = {one["identity"]: one for one in result["differences"]}
    benign, grave = found.pop("project protein-folding"), found.pop("project nlp-archive")
    assert not found
    assert (benign["reason"], benign["benign"]) == ("XDMoD keeps the owner of its ingest", True)
    assert grave["what"] == "14 sessions count for Somebody Else in XDMoD, and began while it was Farid Rahimi's"
    assert grave["reason"].endswith("import the hierarchy, then ingest again")
