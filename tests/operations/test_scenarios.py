"""The same cloud, read under bad circumstances, ends in the same sessions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.replay import Replay
from tests.simulation import Flavor, SimulatedCloud
from tests.site import Site
from usage import Session

START = datetime(2026, 10, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


@contextmanager
def site_of(cloud: SimulatedCloud, folder: Path) -> Iterator[Site]:
    """A site beside a cloud."""
    with Replay(cloud) as server:
        yield Site.beside(server, folder)


def lived(cloud: SimulatedCloud) -> dict[str, str]:
    """Let some servers live for a day; returns their ids by name."""
    ids = {
        name: cloud.boot(name, project=project) for name, project in [("web", "astro"), ("db", "bio"), ("gpu", "bio")]
    }
    script: list[tuple[float, Callable[[], object]]] = [
        (3.2, lambda: cloud.stop(ids["web"])),
        (6.4, lambda: cloud.start(ids["web"])),
        (5.1, lambda: cloud.pause(ids["db"])),
        (7.7, lambda: cloud.unpause(ids["db"])),
        (9.3, lambda: cloud.shelve(ids["db"])),
        (13.9, lambda: cloud.unshelve(ids["db"])),
        (4.5, lambda: cloud.suspend(ids["gpu"])),
        (8.5, lambda: cloud.resume(ids["gpu"])),
        (12.25, lambda: cloud.delete(ids["gpu"])),
    ]
    for hours, act in sorted(script, key=lambda step: step[0]):
        cloud.at(START + hours * HOUR)
        act()
    return ids


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Session]:
    """The sessions of that day, read every twenty minutes."""
    cloud = SimulatedCloud(START)
    lived(cloud)
    with site_of(cloud, tmp_path_factory.mktemp("undisturbed")) as site:
        site.rounds(START + timedelta(minutes=10), START + 20 * HOUR, timedelta(minutes=20))
        return site.sessions()


def test_five_hours_without_the_collector(tmp_path: Path, undisturbed: list[Session]) -> None:
    """An outage that the actions bridge leaves no trace in the sessions."""
    cloud = SimulatedCloud(START)
    lived(cloud)
    with site_of(cloud, tmp_path / "outage") as site:
        site.rounds(START + timedelta(minutes=10), START + 4 * HOUR, timedelta(minutes=20))
        site.rounds(START + timedelta(hours=9, minutes=10), START + 20 * HOUR, timedelta(minutes=20))
        site.round(START + 20 * HOUR - timedelta(minutes=10))
        assert site.sessions() == undisturbed


@pytest.mark.parametrize("record", [True, False], ids=["record and actions", "actions only"])
def test_an_action_that_is_recorded_late(tmp_path: Path, undisturbed: list[Session], record: bool) -> None:
    """What becomes known late, after heartbeats of the time were written, ends in the same sessions."""
    cloud = SimulatedCloud(START)
    ids = lived(cloud)
    with site_of(cloud, tmp_path / "late") as site:
        site.rounds(START + timedelta(minutes=10), START + 3 * HOUR, timedelta(minutes=20))
        for id in ids.values():
            cloud.late(id, START + 8 * HOUR + timedelta(minutes=5), record=record)
        site.rounds(START + timedelta(hours=3, minutes=10), START + 20 * HOUR, timedelta(minutes=20))
        assert site.sessions() == undisturbed


def test_a_back_fill(tmp_path: Path, undisturbed: list[Session]) -> None:
    """A first reading of a cloud that has been running finds all that reading on would have found."""
    cloud = SimulatedCloud(START)
    lived(cloud)
    with site_of(cloud, tmp_path / "back-fill") as site:
        site.round(START + 20 * HOUR - timedelta(minutes=10))
        assert site.sessions() == undisturbed


def test_what_xdmod_was_told_too_much_is_made_harmless(tmp_path: Path, undisturbed: list[Session]) -> None:
    """Heartbeats that XDMoD has already, and should not, add no active second once the truth is known."""
    cloud = SimulatedCloud(START)
    ids = lived(cloud)
    with site_of(cloud, tmp_path / "shredded") as site:
        shredded = tmp_path / "shredded-files"
        shredded.mkdir()
        site.rounds(START + timedelta(minutes=10), START + 3 * HOUR, timedelta(minutes=20))
        for id in ids.values():
            cloud.late(id, START + 8 * HOUR + timedelta(minutes=5))
        site.rounds(START + timedelta(hours=3, minutes=10), START + 8 * HOUR, timedelta(minutes=20))
        for file in site.outbox.glob("*.json"):
            file.rename(shredded / file.name)
        site.rounds(START + timedelta(hours=8, minutes=10), START + 20 * HOUR, timedelta(minutes=20))
        assert active(site.sessions(shredded, site.outbox)) == active(undisturbed)


def active(sessions: list[Session]) -> list[tuple[str, int, int]]:
    """When each server ran (state 1), without what lasted no second."""
    return [
        (session.instance, session.start_time_ts, session.end_time_ts)
        for session in sessions
        if session.instance_state_id == 1 and session.wallduration
    ]


def test_a_year_at_once(tmp_path: Path) -> None:
    """A back-fill of a year, with a heartbeat a day, gives the sessions that reading every ten days gives."""

    def year() -> SimulatedCloud:
        cloud = SimulatedCloud(START - timedelta(days=365))
        steady, moody = cloud.boot("steady"), cloud.boot("moody", host="compute1")
        for day in range(20, 360, 30):
            cloud.at(START - timedelta(days=365 - day))
            cloud.stop(moody)
            cloud.at(START - timedelta(days=365 - day - 9, hours=5))
            cloud.start(moody)
        cloud.at(START - timedelta(days=2))
        cloud.live_migrate(steady)
        return cloud

    end = START + timedelta(minutes=10)
    with site_of(year(), tmp_path / "steps") as site:
        site.rounds(end - timedelta(days=360), end, timedelta(days=10))
        by_and_by = site.sessions()
    with site_of(year(), tmp_path / "at-once") as site:
        site.round(end)
        assert site.sessions() == by_and_by
        beats = [event for event in site.events() if event["event_type"] == "compute.instance.exists"]
        assert len(beats) < 2 * 366 + 50


def test_a_second_round_over_an_unchanged_cloud_adds_nothing(tmp_path: Path) -> None:
    """Nothing is appended, and nothing handed on, where nothing happened."""
    cloud = SimulatedCloud(START)
    lived(cloud)
    with site_of(cloud, tmp_path) as site:
        site.round(START + 20 * HOUR)
        before = site.bytes()
        for sweep in (False, True):
            assert site.collect(sweep=sweep).counts["appended"] == 0
        site.export()
        assert site.bytes() == before


def test_a_past_window_is_exported_byte_for_byte_again(tmp_path: Path) -> None:
    """Asking for a past window twice gives the same files, one for each day."""
    cloud = SimulatedCloud(START)
    lived(cloud)
    with site_of(cloud, tmp_path) as site:
        site.server.at = START + 20 * HOUR
        site.collect()
        window = ("--from", "2026-10-01", "--to", "2026-10-03")
        site.run("export", "openstack", *window)
        first = site.bytes()
        site.run("export", "openstack", *window)
        assert site.bytes() == first
        assert list(first) == [
            "2026-10-01T00:00:00_2026-10-01T23:59:59.json",
            "2026-10-02T00:00:00_2026-10-02T03:54:59.json",
        ]


def test_a_flavor_that_was_made_anew_in_another_size(tmp_path: Path) -> None:
    """Two sizes of one name are told apart, for XDMoD would lose the sessions of one; the first keeps the name."""

    def cloud() -> SimulatedCloud:
        cloud = SimulatedCloud(START)
        cloud.boot("old", flavor=Flavor("m1.small", 1, 2048, 20))
        cloud.at(START + HOUR)
        cloud.boot("new", flavor=Flavor("m1.small", 2, 4096, 20))
        return cloud

    for folder, first in (("at-once", START + 3 * HOUR), ("by-and-by", START + HOUR / 2)):
        with site_of(cloud(), tmp_path / folder) as site:
            site.round(first)
            site.round(START + 3 * HOUR)
            sizes = {(session.instance_type, session.num_cores) for session in site.sessions()}
            assert sizes == {("m1.small", 1), ("m1.small~2x4096", 2)}
