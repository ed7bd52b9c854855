"""`xdmod-cloud check`: every part of the configuration, against the services that it names."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.replay import Replay
from demo.replay.faults import UNAVAILABLE
from tests.cli.here import impatient
from tests.hierarchy.served import CLOUDS, served
from tests.real.keycloak import Fault
from tests.real.mariadb import MariaDB
from tests.real.test_warehouse import server as warehouse_server
from tests.simulation import SimulatedCloud
from tests.xdmod.place import CLOUD, Place, event
from tests.xdmod.test_run import World

__all__ = ["warehouse_server"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A site of which everything is as it should be, by today's clock."""
    place = Place(tmp_path / "site")
    place.resources("openstack", "openshift")
    now = datetime.now(UTC)
    cloud = SimulatedCloud(now - timedelta(hours=5))
    cloud.boot("web")
    with served(place.folder) as owners, Replay(cloud) as server, impatient():
        server.clouds_yaml(place.folder / "clouds.yaml")
        owners.write(xdmod={"bin": "bin", "configuration": "state"})
        world = World(cloud, server, owners, place)
        world.at(now)
        yield world


def findings(place: Place, code: int) -> dict[str, tuple[str, str]]:
    """What the command says of each part: its state, and the words."""
    done = place.call("check", "--json")
    assert done.returncode == code, done.stdout
    return {one["part"]: (one["state"], one["said"]) for one in json.loads(done.stdout)}


def wrong(place: Place, code: int) -> dict[str, tuple[str, str]]:
    """The parts that are not fine."""
    return {part: said for part, said in findings(place, code).items() if said[0] != "fine"}


def test_a_site_where_all_is_well(world: World) -> None:
    """Every part is named, with what was seen of it, and nothing has changed."""
    before = world.place.files()
    found = findings(world.place, 0)
    assert {state for state, _ in found.values()} == {"fine"}
    parts = {"configuration", "ledger", "outbox", "archive", "xdmod-shredder", "acl-config", "jq", "ColdFront"}
    assert found.keys() >= {*parts, "Keycloak", "OpenStack stack", "clock of OpenStack stack", "resource openshift"}
    assert "tells 4" in found["ColdFront"][1]
    assert world.place.files() == before
    assert world.place.calls() == []
    assert "Nova 2.96" in world.place.run("check")


def test_one_part_does_not_hide_another(world: World) -> None:
    """Everything that is wrong is said at once; a person is asked for before anybody waits."""
    (world.place.folder / "bin" / "acl-config").unlink()
    world.place.resources("openshift")
    world.server.fault = lambda *asked: UNAVAILABLE if "servers" in asked[1] else None
    (world.place.folder / "keycloak.secret").write_text("wrong\n")
    found = wrong(world.place, 2)
    assert {part: state for part, (state, _) in found.items()} == {
        "acl-config": "missing",
        "resource openstack": "missing",
        "OpenStack stack": "later",
        "ColdFront": "missing",
        "Keycloak": "missing",
    }
    assert "add it with xdmod-setup" in found["resource openstack"][1].lower()


def test_only_a_service_is_down(world: World) -> None:
    """That ends with 75."""
    world.owners.listing.fault = Fault("", 503, b"")
    found = wrong(world.place, 75)
    assert list(found) == ["ColdFront"]


def test_an_account_that_sees_too_little(world: World) -> None:
    """A member of one project is refused, before a run takes its servers for all."""
    world.server.fault = lambda *asked: (
        UNAVAILABLE.__class__(403, b'{"forbidden": {"code": 403, "message": "no"}}') if "servers" in asked[1] else None
    )
    assert "may read all projects" in wrong(world.place, 2)["OpenStack stack"][1]


def test_clusters(world: World) -> None:
    """A Prometheus that does not answer is away; a token that is not there is for a person."""
    (world.place.folder / "token").write_text("t0ken\n")
    clouds = CLOUDS + 'url = "http://127.0.0.1:1"\ntoken_file = "token"\n'
    world.owners.write(cloud=clouds, xdmod={"bin": "bin", "configuration": "state"})
    found = wrong(world.place, 75)
    assert list(found) == ["OpenShift ocp-prod"]
    assert "t0ken" not in found["OpenShift ocp-prod"][1]
    (world.place.folder / "token").unlink()
    assert "token_file" in wrong(world.place, 2)["OpenShift ocp-prod"][1]


def test_the_sites_own_files(world: World) -> None:
    """What is wrong in a file of owners is said before a collection trips over it."""
    (world.place.folder / "owners.toml").write_text("[[share]]\nproject = 1\n")
    world.owners.write(hierarchy={"ownership": ["owners.toml"]}, xdmod={"bin": "bin", "configuration": "state"})
    assert "owners.toml" in wrong(world.place, 2)["hierarchy.ownership"][1]


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_clock_that_is_wrong(world: World, seconds: int) -> None:
    """It is told by how much, and which."""
    world.server.at = datetime.now(UTC) + timedelta(seconds=seconds)
    (said,) = wrong(world.place, 2).values()
    assert f"{'ahead of' if seconds > 0 else 'behind'} this machine's" in said[1]


def test_a_ledger_that_is_not_there(world: World) -> None:
    """The table says how to make it, and goes on."""
    (world.place.folder / "ledger.sqlite").unlink()
    found = wrong(world.place, 2)
    assert "xdmod-cloud ledger upgrade" in found["ledger"][1]
    assert list(found) == ["ledger"]


def test_a_folder_that_cannot_be_written(world: World) -> None:
    """A file stands where the archive should be."""
    (world.place.folder / "archive").write_text("")
    assert "archive" in wrong(world.place, 2)["archive"][1]


def test_a_configuration_that_cannot_be_read(place: Place) -> None:
    """There is nothing else to look at, and it is said why."""
    (place.folder / "xdmod-cloud.toml").write_text("[[openstack]]\nnam = 1\n")
    found = wrong(place, 2)
    assert list(found) == ["configuration"]


def test_a_host_without_xdmod(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collecting needs no XDMoD; nobody is told to install one."""
    world.owners.write()
    monkeypatch.setenv("PATH", "/nonexistent")
    found = findings(world.place, 0)
    assert "not on this host" in found["XDMoD"][1]
    assert "jq" not in found


def test_xdmods_resources(world: World) -> None:
    """A list that cannot be read is told from one without the resource."""
    (world.place.folder / "state" / "resources.json").write_text("{")
    assert "cannot be read" in wrong(world.place, 2)["resource openstack"][1]


# XDMoD's database


@pytest.fixture
def database(warehouse_server: MariaDB) -> Any:
    """A real warehouse of XDMoD, its cloud's resource being called openstack."""
    return warehouse_server


def test_xdmods_database(world: World, database: MariaDB) -> None:
    """Its version is told, and each table is tried that is read there."""
    world.owners.write(xdmod={"bin": "bin", "configuration": "state", "url": database.url("")})
    assert "XDMoD 11.0" in findings(world.place, 0)["XDMoD's database"][1]
    database.execute(
        "CREATE USER IF NOT EXISTS nobody@localhost", "GRANT SELECT ON modw_cloud.session_records TO nobody@localhost"
    )
    world.owners.write(xdmod={"bin": "bin", "configuration": "state", "url": database.url("", "nobody")})
    assert "GRANT SELECT ON" in wrong(world.place, 2)["XDMoD's database"][1]


def test_a_database_that_is_away(world: World) -> None:
    """That is for later, and its password is not shown."""
    url = "mysql+pymysql://reader:geheim@127.0.0.1:1/"
    world.owners.write(xdmod={"bin": "bin", "configuration": "state", "url": url})
    (said,) = wrong(world.place, 75).values()
    assert "geheim" not in said[1]


def test_sessions_are_counted(place: Place, database: MariaDB) -> None:
    """How many sessions XDMoD has before and after, of the resources that it has."""
    place.resources("openstack")
    url_file = place.folder / "url"
    url_file.write_text(f"{database.url('')}\n")
    place.configure(CLOUDS, url_file="url")
    place.put("openstack/events/2026-10-05T00:00:00_2026-10-05T23:59:59.json", json.dumps([event("a", 1)]))
    place.run("shred", "openstack")
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM modw_cloud.session_records")
        (number,) = cursor.fetchone() or (0,)
    told = place.json("ingest")["ingested"]["sessions"]
    assert told == {"openstack": [number, number]}


def test_a_wrong_url_of_the_database_is_not_repeated(place: Place) -> None:
    """It may hold a password."""
    place.configure(url="x")
    file = place.folder / "xdmod-cloud.toml"
    file.write_text(file.read_text().replace('url = "x"', 'url = ["geheim"]'))
    done = place.call("shred")
    assert (done.returncode, "geheim" in done.stderr, "xdmod.url" in done.stderr) == (2, False, True)
    file.write_text(file.read_text().replace('url = ["geheim"]', 'url = "geheim"\nurl_file = "geheim"'))
    done = place.call("shred")
    assert (done.returncode, "geheim" in done.stderr) == (2, False)
    assert CLOUD not in done.stdout
