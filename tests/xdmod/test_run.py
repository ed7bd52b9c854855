"""The whole way, from a simulated cloud and those who know whose its projects are into the stand-in for XDMoD."""

import json
import random
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.replay import Replay
from demo.replay.faults import UNAVAILABLE
from tests.cli.here import impatient
from tests.collectors.thanos import Thanos, every
from tests.collectors.thanos import at as thanos_at
from tests.hierarchy.served import Served, served
from tests.real.keycloak import Fault
from tests.simulation import SimulatedCloud
from tests.xdmod.place import CLUSTER, DAY, Place, event, job
from tests.xdmod.test_kill import STEPS, killer, plain

NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)
RESOURCES = ("openstack", "openshift")
SEED, KILLS = 4711, 8


@dataclass
class World:
    """The cloud, its server, the servers that know the owners, and the site that reads them all."""

    cloud: SimulatedCloud
    server: Replay
    owners: Served
    place: Place

    def at(self, moment: datetime) -> None:
        """Set all clocks."""
        self.server.at = moment
        self.owners.at(moment)

    def away(self) -> None:
        """Let Nova be down."""
        self.server.fault = lambda *asked: UNAVAILABLE if "servers" in asked[1] else None


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One server has been booted; nothing has been read yet."""
    place = Place(tmp_path / "site")
    place.resources(*RESOURCES)
    cloud = SimulatedCloud(NOW - timedelta(hours=5))
    cloud.boot("web")
    with served(place.folder) as owners, Replay(cloud) as server, impatient():
        server.clouds_yaml(place.folder / "clouds.yaml")
        owners.write(xdmod={"bin": "bin", "configuration": "state"})
        world = World(cloud, server, owners, place)
        world.at(NOW)
        yield world


def programs(place: Place) -> list[str]:
    """What XDMoD was asked for, in order, in short."""
    short = {"-f": 2, "-t": 2}
    return [words[short.get(words[1], 1)] for words in place.calls() if words]


def test_from_the_cloud_into_xdmod(world: World) -> None:
    """Owners come before sessions, and each step comes once; then there is nothing to do."""
    told = world.place.json("run")
    assert told["collected"]["stack"]["servers"] == 1
    assert [one["file"] for one in told["imported"]] == ["hierarchy.csv", "group.csv", "names.csv", "pi2project.csv"]
    (events, facts) = told["shredded"]
    written = told["written"][0]
    assert events["exported"] + facts["exported"] == events["read"] + facts["read"] == written["records"]
    steps = programs(world.place)
    assert steps[:8] == [
        "hierarchy",
        "group-to-hierarchy",
        "names",
        "cloud-project-to-pi",
        "openstack",
        "cloudresourcespecs",
        "--datatype=openstack",
        "--aggregate=cloud",
    ]
    assert {row[0] for row in world.place.rows("aggregated")} == {"cloud", "resourcespecs"}
    assert [name for name in world.place.files() if name.startswith("outbox")] == []
    done = len(world.place.calls())
    again = world.place.json("run")
    assert (again["shredded"], again["imported"], again["retried"]) == ([], [], 0)
    assert len(world.place.calls()) == done


def test_verify_finds_the_files(world: World) -> None:
    """Wherever a file is on its way, nobody has to tell `verify` of it."""
    world.place.fault("away in xdmod-shredder", 6)
    world.place.fails(75, "run")
    assert "0 differences" in world.place.run("verify", "openstack")
    world.place.run("run")
    assert "0 differences" in world.place.run("verify", "openstack")


def test_as_a_table(world: World) -> None:
    """A person sees what was read, imported, shredded and archived."""
    said = world.place.run("run")
    assert "hierarchy: XDMoD imported group.csv (2 lines)" in said
    assert "openstack: archived" in said
    assert "once more" in said


def test_a_pi_who_moves(world: World) -> None:
    """XDMoD is told, and ingests again from the day on from which its usage shows under the old owner."""
    world.place.run("run")
    done = len(world.place.calls())
    world.at(NOW + timedelta(hours=1))
    world.owners.person("pi-a", "University B", "engineering", firstName="Pi", lastName="A")
    told = world.place.json("run")
    assert told["imported"][0]["file"] == "hierarchy.csv"
    assert told["ingested"]["again"][0][0] == f"{NOW - timedelta(hours=5):%Y-%m-%d}"
    assert "--start-date" in programs(world.place)[done:]


def test_what_has_to_be_ingested_again_outlives_a_crash(world: World) -> None:
    """After the import nobody else knows any more from which day on."""
    world.place.run("run")
    world.at(NOW + timedelta(hours=1))
    world.owners.person("pi-a", "University B", "engineering", firstName="Pi", lastName="A")
    world.place.fault("kill all at import of hierarchy ends")
    assert world.place.killed("run")
    done = len(world.place.calls())
    told = world.place.json("run")
    assert told["ingested"]["again"] != []
    assert "--start-date" in programs(world.place)[done:]


def test_a_cloud_that_is_away(world: World) -> None:
    """It ends with 75, and what lies in the outbox of others goes its way."""
    world.away()
    world.place.put(f"openshift/jobs/{DAY}.log", f"{job(1)}\n")
    assert "stack: Nova" in world.place.fails(75, "run")
    assert [row[0] for row in world.place.rows("aggregated")] == ["job"]
    world.server.fault = None
    world.place.run("run")
    assert {row[0] for row in world.place.rows("aggregated")} == {"cloud", "job", "resourcespecs"}


def test_owners_that_are_away(world: World) -> None:
    """What happened in the cloud goes its way; XDMoD is told of the owners next time, and reckons again."""
    world.owners.listing.fault = Fault("", 404, b"{}")
    assert "hierarchy: ColdFront" in world.place.fails(2, "run")
    assert {row[0] for row in world.place.rows("aggregated")} == {"cloud", "resourcespecs"}
    world.owners.listing.fault = None
    told = world.place.json("run")
    assert len(told["imported"]) == 4
    assert told["ingested"]["again"] != []


def test_without_its_owners_nothing_is_ingested(world: World) -> None:
    """An import that fails stops what comes after it; then everything goes its way."""
    world.place.fault("rollback")
    assert "hand-over to XDMoD: xdmod-import-csv" in world.place.fails(1, "run")
    assert world.place.calls("xdmod-shredder") == []
    assert any(name.startswith("outbox/openstack/events") for name in world.place.files())
    world.place.run("run")
    assert {row[0] for row in world.place.rows("aggregated")} == {"cloud", "resourcespecs"}


def test_one_cloud_of_several(world: World) -> None:
    """Whoever names a cloud gets that one; one that is not there is an error before anything is done."""
    world.place.put(f"openshift/jobs/{DAY}.log", f"{job(1)}\n")
    world.place.run("run", "stack")
    assert world.place.rows("slurm") == []
    assert "it has: stack, ocp-prod" in world.place.fails(2, "run", "elsewhere")


def test_what_was_taken_back_after_it_was_claimed(world: World) -> None:
    """Files that XDMoD may have read are corrected by further events, and never changed any more."""
    world.place.fault("away in xdmod-shredder", 6)
    world.place.fails(75, "run")
    before = {name: body for name, body in world.place.files().items() if "claimed" in name}
    assert before
    world.at(NOW + timedelta(hours=2))
    world.place.run("run")
    after = world.place.files()
    assert {name.replace("outbox", "archive").replace("/claimed", ""): it for name, it in before.items()}.items() <= (
        after.items()
    )


def test_killed_somewhere_on_the_whole_way(world: World, tmp_path: Path) -> None:
    """The chain may die anywhere between the cloud and the archive: run again, it ends the same."""
    start = tmp_path / "start"
    shutil.copytree(world.place.folder, start)

    def fresh() -> Place:
        shutil.rmtree(world.place.folder)
        shutil.copytree(start, world.place.folder)
        return world.place

    steps = _steps(world.place)
    # What is exported once more, and is not new to XDMoD, stays in the outbox.
    world.place.run("run")
    files, known = plain(world.place), world.place.known()
    for number in sorted(random.Random(SEED).sample(range(1, steps), KILLS)):
        place = fresh()
        assert place.killed("run", prepare=killer(number)), number
        place.run("run")
        place.run("run")
        assert plain(place) == files, number
        assert place.known() == known, number


def _steps(place: Place) -> int:
    """How many steps an undisturbed run has."""
    log = place.folder.with_name("steps")

    def prepare() -> None:
        file = log.open("ab", buffering=0)

        def note(name: str, _: tuple[Any, ...]) -> None:
            if name in STEPS:
                file.write(b".")

        sys.addaudithook(note)

    assert not place.killed("run", prepare=prepare)
    return log.stat().st_size


def test_events_of_one_instance(world: World) -> None:
    """A file that others put into the outbox of a resource is shredded like ours."""
    world.place.put(f"openstack/events/{DAY}T00:00:00_{DAY}T23:59:59.json", f"[{json.dumps(event('theirs', 1))}]")
    world.place.run("shred", "openstack")
    assert [row[1] for row in world.place.rows("raw")] == ["theirs"]


def test_pods_that_are_known_better_too_late(place: Place) -> None:
    """What a cluster tells of a day that XDMoD has already is said, for it stays as it was told."""
    with Thanos(now=thanos_at(1, day=1)) as thanos:
        place.configure(f'[[openshift]]\nname = "pods"\nresource = "{CLUSTER}"\nurl = "{thanos.url}"\nfirst_days = 1\n')
        thanos.pod(samples=every(thanos_at(10), thanos_at(12, day=1)))
        assert place.json("run")["warnings"] == []
        thanos.now, began = thanos_at(1, day=2), thanos_at(9, 50)
        who = {"namespace": "space", "pod": "pod-1", "uid": "uid-1"}
        thanos.tell("start_time", {thanos_at(12, day=1): str(int(began.timestamp()))}, **who)
        (warning,) = place.json("run")["warnings"]
    assert warning.startswith("pods: 1 pod")
    assert "(0 seconds too long, 600 too short)" in warning
