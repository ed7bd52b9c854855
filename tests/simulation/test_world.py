"""What happens to a cloud besides the operations, and how a script sees it."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.simulation import BigCloud, SimulatedCloud
from tests.simulation.shown import actions, body

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(("bump", "updated"), [(True, "2026-10-05T15:00:00Z"), (False, "2026-10-05T13:00:02Z")])
def test_late_record(cloud: SimulatedCloud, bump: bool, updated: str) -> None:
    """What happens is hidden until it appears, with the time of its appearance or its own."""
    server = cloud.boot("vm")
    cloud.late(server, NOON + timedelta(hours=3), bump=bump)
    cloud.at(NOON + timedelta(hours=1))
    cloud.stop(server)
    cloud.at(NOON + timedelta(hours=2))
    assert body(cloud, server)["status"] == "ACTIVE"
    assert len(actions(cloud, server)) == 1
    cloud.at(NOON + timedelta(hours=3))
    assert (body(cloud, server)["status"], body(cloud, server)["updated"]) == ("SHUTOFF", updated)
    assert actions(cloud, server)[0]["start_time"] == "2026-10-05T13:00:00.000000"


def test_late_actions_of_a_punctual_record(cloud: SimulatedCloud) -> None:
    """Only the actions may be late."""
    server = cloud.boot("vm")
    cloud.late(server, NOON + timedelta(hours=3), record=False)
    cloud.stop(server)
    assert body(cloud, server)["status"] == "SHUTOFF"
    assert len(actions(cloud, server)) == 1


@pytest.mark.parametrize("recorded", [False, True])
def test_guest_that_stops_itself(cloud: SimulatedCloud, recorded: bool) -> None:
    """The state changes with no action, or with one that names no user."""
    server = cloud.boot("vm")
    cloud.stop_itself(server, recorded=recorded)
    assert body(cloud, server)["status"] == "SHUTOFF"
    assert [action["user_id"] for action in actions(cloud, server)][:-1] == [None] * recorded


def test_purge_and_loss(cloud: SimulatedCloud) -> None:
    """Archived and lost servers are gone from every answer."""
    deleted, lost, kept = cloud.boot("deleted"), cloud.boot("lost"), cloud.boot("kept")
    cloud.delete(deleted)
    cloud.advance(days=1)
    assert cloud.purge() == 1
    cloud.lose(lost)
    assert [server.id for server in cloud.servers()] == [kept]
    assert cloud.place(deleted) is None


def test_identities_have_a_history(cloud: SimulatedCloud) -> None:
    """Users and projects are renamed and deleted at a time, and a name may come back with another id."""
    server = cloud.boot("vm", project="astro", user="alice")
    cloud.advance(days=1)
    cloud.rename_project("astro", "astronomy")
    alice = cloud.user("alice")
    cloud.delete_user("alice")
    assert {project["name"] for project in cloud.identities("projects").values()} == {"admin", "astronomy"}
    assert alice not in cloud.identities("users")
    assert body(cloud, server)["user_id"] == alice
    assert cloud.user("alice") != alice
    cloud.at(NOON)
    assert alice in cloud.identities("users")


def test_hosts(cloud: SimulatedCloud) -> None:
    """A hypervisor counts what runs on it; a dead one is down and its servers say so."""
    server = cloud.boot("vm", flavor="m1.large", host="compute1")
    cloud.add_host("compute1", up=False)
    [first, _] = cloud.hypervisors()
    assert (first["vcpus_used"], first["running_vms"], first["state"]) == (4, 1, "down")
    assert body(cloud, server)["host_status"] == "DOWN"
    cloud.remove_host("compute2")
    assert [provider["name"] for provider in cloud.providers()] == ["compute1"]


def test_history_is_the_truth(cloud: SimulatedCloud) -> None:
    """What really happened can be read beside what the API shows."""
    server = cloud.boot("vm")
    cloud.late(server, NOON + timedelta(days=9))
    cloud.stop(server)
    assert [state.vm_state for state in cloud.history(server)] == [
        "building",
        "building",
        "active",
        "active",
        "stopped",
    ]


def test_same_script_same_cloud() -> None:
    """Nothing in a cloud is left to chance."""
    assert BigCloud(50, now=NOON).snapshot() == BigCloud(50, now=NOON).snapshot()


def test_big_cloud() -> None:
    """Every server has its actions, and a change is one more for the fraction asked for."""
    cloud = BigCloud(200, 6, now=NOON)
    assert {len(cloud.actions(server.id)) for server in cloud.servers()} == {6}
    assert sum(server.deleted for server in cloud.servers()) == 20
    assert cloud.change(0.05) == 10
    assert sum(len(cloud.actions(server.id)) == 7 for server in cloud.servers()) == 10
    assert sum(server.changed >= NOON for server in cloud.servers()) == 10
