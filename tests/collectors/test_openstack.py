"""What a reading asks of a cloud, and what it takes the answers for."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from demo.replay import INTERNAL_ERROR, Body, Fault, Replay
from demo.replay.shapes import Microversion
from ledger import Action, ConfigurationError, Hypervisor, Kind, Ledger, Named, Server, SourceUnavailable
from ledger.store import Seq
from tests.simulation import BigCloud, SimulatedCloud
from tests.site import Site

START = datetime(2026, 10, 1, 8, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
#: Hours between sweeps, so that only the first reading is one.
NEVER = 10**6


@contextmanager
def site_of(
    cloud: SimulatedCloud, folder: Path, *, max_limit: int = 1000, newest: Microversion = (2, 104), **source: int
) -> Iterator[Site]:
    """A site beside a cloud, that reads everything once only."""
    with Replay(cloud, max_limit=max_limit, newest=newest) as server:
        yield Site.beside(server, folder, **{"sweep_hours": NEVER, **source})


def asked(site: Site, part: str) -> list[str]:
    """The requests since the last question, whose path has that part."""
    paths = [path for _, path in site.server.requests if part in path]
    site.server.requests.clear()
    return paths


def ledger_of(site: Site) -> Ledger:
    return site.opened()[0]


def servers(site: Site) -> dict[str, Server]:
    """The newest record of each server, by name."""
    return {server.name: server for server in ledger_of(site).newest("sim", Server)}


def actions(site: Site, server: str) -> list[str]:
    """The words for all that was recorded of a server."""
    entries = ledger_of(site).entries("sim", Kind.ACTION, Seq(10**9))
    return [e.record.action for e in entries if isinstance(e.record, Action) and e.record.server == server]


@pytest.mark.parametrize("max_limit", [1, 7, 20, 23, 24, 1000])
def test_every_page_is_read(tmp_path: Path, max_limit: int) -> None:
    """Whatever Nova's limit, with the last page full or not; servers, actions and hypervisors."""
    cloud = SimulatedCloud(START, hosts=[f"compute{number}" for number in range(23)])
    busy = cloud.boot("busy")
    for _ in range(11):
        cloud.stop(busy)
        cloud.start(busy)
    for number in range(23):
        cloud.boot(f"server-{number}")
    cloud.advance(hours=1)
    with site_of(cloud, tmp_path, max_limit=max_limit) as site:
        site.collect()
        assert len(servers(site)) == 24
        assert actions(site, busy) == ["create", *["stop", "start"] * 11]
        hosts = list(ledger_of(site).newest("sim", Hypervisor))
        assert (len(hosts), any(host.gone for host in hosts)) == (23, False)
        site.collect(sweep=True)
        assert not any(host.gone for host in ledger_of(site).newest("sim", Hypervisor))


def test_what_came_and_went_between_two_readings(tmp_path: Path) -> None:
    """A server that nobody saw alive is recorded with its whole life."""
    cloud = SimulatedCloud(START)
    cloud.boot("stays")
    with site_of(cloud, tmp_path) as site:
        cloud.advance(minutes=10)
        site.collect()
        short = cloud.boot("short")
        cloud.advance(minutes=3)
        cloud.delete(short)
        cloud.advance(minutes=7)
        site.collect()
        seen = servers(site)["short"]
        assert seen.status == "DELETED"
        assert seen.terminated == cloud.history(short)[-1].terminated
        assert actions(site, short) == ["create", "delete"]


def test_servers_deleted_long_before_the_first_reading(tmp_path: Path) -> None:
    """A first reading brings what Nova still knows."""
    cloud = SimulatedCloud(START - timedelta(days=300))
    cloud.delete(cloud.boot("old"))
    cloud.at(START)
    with site_of(cloud, tmp_path) as site:
        site.collect()
        assert servers(site)["old"].ended
        assert actions(site, servers(site)["old"].id) == ["create", "delete"]


def test_only_what_changed_is_asked_for(tmp_path: Path) -> None:
    """A reading takes as many requests as there are pages and changed servers, and a few."""
    cloud = BigCloud(200, 4, now=START, projects=5, users=5, hosts=4)
    with site_of(cloud, tmp_path, max_limit=50) as site:
        cloud.advance(hours=1)
        site.collect()
        site.server.requests.clear()
        changed = cloud.change(0.1)
        cloud.advance(minutes=30)
        site.collect()
        requests = asked(site, "")
        assert len([path for path in requests if "os-instance-actions" in path]) == changed
        assert len(requests) <= changed + 1 + 8
        cloud.advance(minutes=30)
        assert site.collect().counts["appended"] == 0
        assert len(asked(site, "")) <= 8


@pytest.mark.parametrize("sweep", [False, True])
def test_what_was_settled_is_not_asked_for_again(tmp_path: Path, sweep: bool) -> None:
    """A server seen moments after it changed is asked for once more, not each time that it is listed."""
    cloud = SimulatedCloud(START)
    ids = [cloud.boot(f"server-{number}") for number in range(5)]
    with site_of(cloud, tmp_path) as site:
        for server in ids:
            cloud.stop(server)
        cloud.advance(seconds=5)
        site.collect()
        site.server.requests.clear()
        counts = []
        for _ in range(4):
            cloud.advance(minutes=1, seconds=10)
            site.collect(sweep=sweep)
            counts.append(len(asked(site, "os-instance-actions")))
        assert counts == [5, 0, 0, 0]


@pytest.mark.parametrize("overlap", [0, 300])
def test_a_finish_that_nova_writes_late_is_not_missed(tmp_path: Path, overlap: int) -> None:
    """An action that was under way is read again once it has finished."""
    cloud = SimulatedCloud(START)
    server = cloud.boot("web")
    with site_of(cloud, tmp_path, overlap_seconds=overlap) as site:
        cloud.advance(minutes=10)
        site.collect()
        began = cloud.now
        cloud.attach_volume(server, seconds=100)
        cloud.at(began + timedelta(seconds=40))
        site.collect()
        cloud.at(began + timedelta(seconds=400))
        site.collect(sweep=True)
        [attached] = [
            action for known in ledger_of(site).known_servers("sim", [servers(site)["web"].id]).values()
            for action in known.actions if action.action == "attach_volume"
        ]  # fmt: skip
        assert attached.finish == began + timedelta(seconds=100)


# Microversions


def test_a_nova_that_is_too_old_is_refused(tmp_path: Path) -> None:
    """With the microversion that it has, and the one that is needed."""
    with site_of(SimulatedCloud(START), tmp_path, newest=(2, 57)) as site:
        done = site.call("collect", "openstack")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert '"demo" knows microversions up to 2.57; 2.58 is needed' in done.stderr


@pytest.mark.parametrize("newest", [(2, 58), (2, 61), (2, 79), (2, 87), (2, 88), (2, 96), (2, 104)])
def test_novas_of_all_ages_tell_the_same(tmp_path: Path, newest: Microversion) -> None:
    """Servers, actions and hypervisors are recorded as from any other; before 2.62 without the hosts of moves."""
    cloud = SimulatedCloud(START)
    server = cloud.boot("web", host="compute1")
    cloud.stop(server)
    cloud.start(server)
    cloud.live_migrate(server)
    cloud.delete(cloud.boot("gone"))
    cloud.advance(hours=1)
    with site_of(cloud, tmp_path, newest=newest) as site:
        site.collect()
        assert {name: seen.status for name, seen in servers(site).items()} == {"web": "ACTIVE", "gone": "DELETED"}
        assert servers(site)["web"].host == "compute2"
        assert actions(site, server) == ["create", "stop", "start", "live-migration"]
        hosts = [(host.name, host.vcpus, host.memory_mb) for host in ledger_of(site).newest("sim", Hypervisor)]
        assert hosts == [("compute1", 64, 524288), ("compute2", 64, 524288)]
        [moved] = [
            entry.record
            for entry in ledger_of(site).entries("sim", Kind.ACTION, Seq(99))
            if isinstance(entry.record, Action) and entry.record.action == "live-migration"
        ]
        assert bool(moved.hosts) == (newest >= (2, 62))
        site.server.requests.clear()


class UncountedCloud(SimulatedCloud):
    """A cloud whose Nova does not say what its hypervisors hold, as it will be when it forgets older microversions."""

    def hypervisors(self) -> list[Body]:
        unsaid = ("vcpus", "memory_mb")
        return [{name: value for name, value in body.items() if name not in unsaid} for body in super().hypervisors()]


def test_placement_says_what_nova_does_not(tmp_path: Path) -> None:
    """The capacity is the total of the inventory; a host without one has none yet."""
    cloud = UncountedCloud(START)
    with site_of(cloud, tmp_path) as site:
        site.collect()
        hosts = [(host.name, host.vcpus, host.memory_mb) for host in ledger_of(site).newest("sim", Hypervisor)]
        assert hosts == [("compute1", 64, 524288), ("compute2", 64, 524288)]
        assert len(asked(site, "/inventories")) == 2


# What ended, and what only looks like it


def test_a_server_without_a_trace_has_vanished_at_the_next_sweep(tmp_path: Path) -> None:
    """Readings of changes say nothing of it; a sweep records its end, and another one says nothing new."""
    cloud = SimulatedCloud(START)
    lost = cloud.boot("lost")
    cloud.boot("stays")
    cloud.advance(hours=1)
    with site_of(cloud, tmp_path) as site:
        site.collect()
        cloud.lose(lost)
        cloud.advance(hours=1)
        assert site.collect().counts["vanished"] == 0
        assert not servers(site)["lost"].ended
        cloud.advance(hours=1)
        assert site.collect(sweep=True).counts["vanished"] == 1
        assert servers(site)["lost"].vanished
        assert not servers(site)["stays"].ended
        cloud.advance(hours=1)
        again = site.collect(sweep=True).counts
        assert (again["vanished"], again["appended"]) == (0, 0)


def test_a_purged_server_keeps_the_end_that_was_seen(tmp_path: Path) -> None:
    """What was recorded as deleted is not recorded as vanished when Nova forgets it."""
    cloud = SimulatedCloud(START)
    server = cloud.boot("web")
    cloud.delete(server)
    cloud.advance(hours=1)
    with site_of(cloud, tmp_path) as site:
        site.collect()
        assert cloud.purge() == 1
        cloud.advance(hours=1)
        assert site.collect(sweep=True).counts["vanished"] == 0
        assert not servers(site)["web"].vanished


def test_a_deletion_older_than_the_overlap_is_found_by_a_sweep(tmp_path: Path) -> None:
    """What became visible too late for the readings of changes is looked up among the deleted servers."""
    cloud = SimulatedCloud(START)
    server = cloud.boot("web")
    cloud.advance(hours=1)
    with site_of(cloud, tmp_path) as site:
        site.collect()
        cloud.late(server, cloud.now + 2 * HOUR, bump=False)
        cloud.delete(server)
        for _ in range(4):
            cloud.advance(hours=1)
            site.collect()
        assert site.collect(sweep=True).counts["vanished"] == 0
        seen = servers(site)["web"]
        assert (seen.status, seen.vanished) == ("DELETED", False)
        assert seen.terminated == START + HOUR + timedelta(seconds=6)
        assert actions(site, server) == ["create", "delete"]


def test_softly_deleted_servers_have_not_vanished(tmp_path: Path) -> None:
    """They stand in no list of live servers, and can be restored."""
    cloud = SimulatedCloud(START)
    server = cloud.boot("web")
    cloud.advance(hours=1)
    with site_of(cloud, tmp_path) as site:
        site.collect()
        cloud.soft_delete(server)
        for sweep in (False, True, True):
            cloud.advance(hours=1)
            assert site.collect(sweep=sweep).counts["vanished"] == 0
            assert servers(site)["web"].status == "SOFT_DELETED"
            assert not servers(site)["web"].ended
        cloud.restore(server)
        cloud.advance(hours=1)
        site.collect()
        assert servers(site)["web"].status == "ACTIVE"


def test_a_vanished_server_that_comes_back_lives(tmp_path: Path) -> None:
    """A list that was wrong once is corrected by the next one."""
    cloud = SimulatedCloud(START)
    cloud.boot("web")
    cloud.boot("db")
    cloud.advance(hours=1)
    with site_of(cloud, tmp_path) as site:
        site.collect()
        empty = msgspec.json.encode({"servers": []})
        site.server.fault = lambda _, path, __, ___: Fault(200, empty) if path.endswith("/servers/detail") else None
        cloud.advance(hours=1)
        site.run("collect", "openstack", "--sweep", "--accept-vanished")
        assert all(server.vanished for server in servers(site).values())
        site.server.fault = None
        cloud.advance(hours=1)
        site.collect(sweep=True)
        assert not any(server.ended for server in servers(site).values())


def test_an_empty_answer_is_no_empty_cloud(tmp_path: Path) -> None:
    """A Nova that suddenly lists no server at all is not believed, however few there were."""
    cloud = SimulatedCloud(START)
    cloud.boot("web")
    cloud.advance(hours=1)
    with site_of(cloud, tmp_path) as site:
        site.collect()
        empty = msgspec.json.encode({"servers": []})
        site.server.fault = lambda _, path, __, ___: Fault(200, empty) if path.endswith("/servers/detail") else None
        with pytest.raises(ConfigurationError, match="--accept-vanished"):
            site.collect(sweep=True)
        assert not any(server.ended for server in servers(site).values())


# Names


def named(site: Site, kind: Kind) -> list[tuple[str | None, bool]]:
    """Every name that was recorded of that kind, in the order in which it was learned, and whether it was gone."""
    entries = ledger_of(site).entries("sim", kind, Seq(10**9))
    return [(entry.record.name, entry.record.gone) for entry in entries if isinstance(entry.record, Named)]


def test_a_renamed_project_has_both_names(tmp_path: Path) -> None:
    """The new one from the next sweep on; events of before keep the old one."""
    cloud = SimulatedCloud(START)
    cloud.boot("web", project="astro")
    with site_of(cloud, tmp_path) as site:
        cloud.advance(hours=3)
        site.collect()
        cloud.rename_project("astro", "astrophysics")
        cloud.advance(hours=3)
        site.collect(sweep=True)
        cloud.advance(hours=3)
        site.collect(sweep=True)
        assert named(site, Kind.PROJECT) == [("astro", False), ("astrophysics", False)]


def test_a_deleted_user_keeps_the_name(tmp_path: Path) -> None:
    """Marked as gone, once, with a warning; whoever comes under the same name later is another."""
    cloud = SimulatedCloud(START)
    cloud.boot("web", user="bob")
    with site_of(cloud, tmp_path) as site:
        cloud.advance(hours=1)
        site.collect()
        cloud.delete_user("bob")
        cloud.advance(hours=1)
        [warning] = site.collect(sweep=True).warnings
        assert "bob" in warning
        cloud.boot("other", user="bob")
        cloud.advance(hours=1)
        assert site.collect(sweep=True).warnings == []
        assert named(site, Kind.USER) == [("bob", False), ("bob", True), ("bob", False)]
        assert len({user.id for user in ledger_of(site).newest("sim", Named, Kind.USER)}) == 2


def test_a_user_who_was_gone_before_the_first_reading(tmp_path: Path) -> None:
    """Nobody knows the name, and that is said."""
    cloud = SimulatedCloud(START)
    cloud.boot("web", user="bob")
    bob = cloud.user("bob")
    cloud.delete_user("bob")
    cloud.advance(hours=1)
    with site_of(cloud, tmp_path) as site:
        [warning] = site.collect().warnings
        assert bob in warning
        assert "no name was seen" in warning
        assert named(site, Kind.USER) == [(None, True)]


# Several clouds


@pytest.mark.parametrize("broken", [0, 1])
def test_clouds_do_not_wait_for_each_other(tmp_path: Path, broken: int) -> None:
    """One that fails is named, and does not keep the other from its turn, whichever comes first."""
    clouds = [SimulatedCloud(START), SimulatedCloud(START, seed=1)]
    for cloud in clouds:
        cloud.boot("web")
        cloud.advance(hours=1)
    with Replay(clouds[0]) as first, Replay(clouds[1]) as second:
        site = Site.beside(first, tmp_path)
        _configure(site, [("kaizen", "here", None), ("nerc", "there", None)])
        texts = [server.clouds_yaml(tmp_path / f"{name}.yaml", name=name).read_text()
                 for server, name in ((first, "here"), (second, "there"))]  # fmt: skip
        (tmp_path / "clouds.yaml").write_text(texts[0] + texts[1].removeprefix("clouds:\n"))
        [first, second][broken].fault = lambda _, path, __, ___: INTERNAL_ERROR if "detail" in path else None
        done = site.call("collect", "openstack")
        names = ["kaizen", "nerc"]
        assert done.returncode == 75
        assert len(done.stderr.splitlines()) == 1
        assert f"{names[broken]}: Nova of cloud" in done.stderr
        assert f"{names[1 - broken]}: read sweep" in done.stdout
        ledger = ledger_of(site)
        assert ledger.watermark(names[broken]) is None
        assert ledger.watermark(names[1 - broken]) is not None
        assert [run["outcome"] for run in ledger.runs(names[broken])] == ["failed"]
        assert site.call("collect", "openstack", names[1 - broken]).returncode == 0


def test_regions_of_one_cloud_are_sources_of_their_own(tmp_path: Path) -> None:
    """Each with its watermark; a region that is not in the catalog is named."""
    cloud = SimulatedCloud(START)
    cloud.boot("web")
    cloud.advance(hours=1)
    with Replay(cloud, regions=("RegionOne", "RegionTwo")) as server:
        site = Site.beside(server, tmp_path)
        text = site.clouds_yaml.read_text()
        site.clouds_yaml.write_text(text.replace("region_name: RegionOne", "regions: [RegionOne, RegionTwo]"))
        _configure(site, [("one", "demo", "RegionOne"), ("two", "demo", "RegionTwo"), ("three", "demo", "RegionThree")])
        done = site.call("collect", "openstack")
        assert done.returncode == 2
        [line] = done.stderr.splitlines()
        assert "three:" in line
        assert "RegionThree" in line
        assert [ledger_of(site).watermark(name) is not None for name in ("one", "two", "three")] == [True, True, False]


def _configure(site: Site, sources: list[tuple[str, str, str | None]]) -> None:
    tables = [
        f'[[openstack]]\nname = "{name}"\ncloud = "{cloud}"\nresource = "{name}"\n'
        + (f'region = "{region}"\n' if region else "")
        for name, cloud, region in sources
    ]
    (site.folder / "xdmod-cloud.toml").write_text("\n".join(tables))


def test_no_answer_about_a_server_that_lives_is_not_taken_for_no_actions(tmp_path: Path) -> None:
    """A proxy that answers 404 stops the reading, and the next one catches up."""
    cloud = SimulatedCloud(START)
    web = cloud.boot("web")
    cloud.advance(hours=1)
    with site_of(cloud, tmp_path) as site:
        site.collect()
        cloud.stop(web)
        cloud.advance(hours=1)
        lost = Fault(404, b"<html>not here</html>", content_type="text/html")
        site.server.fault = lambda _, path, __, ___: lost if path.endswith("/os-instance-actions") else None
        with pytest.raises(SourceUnavailable):
            site.collect()
        site.server.fault = None
        site.collect()
        assert actions(site, web) == ["create", "stop"]


def test_a_cloud_from_the_future_is_not_believed(tmp_path: Path) -> None:
    """One wrong clock would otherwise stop all readings until its time has come."""
    cloud = SimulatedCloud(START)
    cloud.boot("web")
    with site_of(cloud, tmp_path) as site:
        cloud.at(datetime.now(UTC).replace(microsecond=0) + timedelta(days=300))
        with pytest.raises(SourceUnavailable, match="clock"):
            site.collect()
