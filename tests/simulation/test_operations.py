"""Each operation leaves what it leaves in a real cloud."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.simulation import OPERATIONS, Conflict, Flavor, SimulatedCloud
from tests.simulation.shown import actions, body

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def test_operation_unfolds_with_the_clock(cloud: SimulatedCloud) -> None:
    """While an operation runs, its task shows, and its action has neither finish nor result."""
    server = cloud.boot("vm")
    cloud.at(NOON + timedelta(hours=1))
    cloud.stop(server, seconds=600, wait=False)
    assert body(cloud, server)["OS-EXT-STS:task_state"] == "powering-off"
    [event] = actions(cloud, server)[0]["events"]
    assert (event["finish_time"], event["result"]) == (None, None)
    cloud.advance(minutes=10)
    assert body(cloud, server)["status"] == "SHUTOFF"
    [event] = actions(cloud, server)[0]["events"]
    assert (event["finish_time"], event["result"]) == ("2026-10-05T13:10:00.000000", "Success")
    assert actions(cloud, server)[0]["updated_at"] == "2026-10-05T13:10:00.000000"


def test_busy_server_refuses(cloud: SimulatedCloud) -> None:
    """A server's life goes forward only, one operation after the other."""
    server = cloud.boot("vm", wait=False)
    with pytest.raises(Conflict, match="busy until"):
        cloud.stop(server)
    cloud.advance(seconds=4)
    with pytest.raises(Conflict, match="Nova refuses to start vm, which is active"):
        cloud.start(server)
    assert cloud.possible(server) == [
        name for name, operation in OPERATIONS.items() if name != "boot" and "active" in (operation.needs or ["active"])
    ]


def test_clock_may_be_set_back_for_another_server(cloud: SimulatedCloud) -> None:
    """Servers are scripted one after another, and the API shows the moment of the clock."""
    first = cloud.boot("first")
    cloud.advance(hours=5)
    cloud.delete(first)
    cloud.at(NOON + timedelta(hours=1))
    second = cloud.boot("second")
    assert body(cloud, first)["status"] == "ACTIVE"
    assert body(cloud, second)["status"] == "ACTIVE"
    cloud.at(NOON)
    assert body(cloud, second) is None


def test_failed_operation_changes_nothing(cloud: SimulatedCloud) -> None:
    """The message says Error, the event's result too, and the state stays."""
    server = cloud.boot("vm")
    cloud.resize(server, "m1.large", fails=True)
    shown = body(cloud, server)
    assert (shown["status"], shown["flavor"]["original_name"]) == ("ACTIVE", "m1.small")
    resize = actions(cloud, server)[0]
    assert resize["message"] == "Error"
    assert [event["result"] for event in resize["events"]] == ["Error", "Success", "Success", "Success", "Success"]


def test_no_valid_host(cloud: SimulatedCloud) -> None:
    """A server that was never scheduled has no host and was never launched."""
    server = cloud.boot("vm", flavor="x.huge", outcome="no valid host")
    shown = body(cloud, server)
    assert (shown["status"], shown["OS-EXT-SRV-ATTR:host"], shown["OS-SRV-USG:launched_at"]) == ("ERROR", None, None)
    assert shown["fault"]["message"] == "No valid host was found. "
    assert [event["event"] for event in actions(cloud, server)[0]["events"]] == [
        "conductor_schedule_and_build_instances"
    ]
    cloud.delete(server)
    assert actions(cloud, server)[0]["events"] == []


def test_rescheduled_boot(cloud: SimulatedCloud) -> None:
    """A boot that failed on one host and went through on another says Error, and the server runs."""
    server = cloud.boot("vm", outcome="rescheduled", host="compute1")
    create = actions(cloud, server)[0]
    assert create["message"] == "Error"
    assert [(event["host"], event["result"]) for event in create["events"]] == [
        ("compute1", "Success"),
        ("compute2", "Error"),
    ]
    assert body(cloud, server)["status"] == "ACTIVE"


def test_resize(cloud: SimulatedCloud) -> None:
    """The new flavor shows before the confirmation, launched_at is reset, and the five events of Nova are there."""
    server = cloud.boot("vm", host="compute1")
    cloud.resize(server, "m1.large")
    shown = body(cloud, server)
    assert (shown["status"], shown["flavor"]["vcpus"], shown["OS-EXT-SRV-ATTR:host"]) == (
        "VERIFY_RESIZE",
        4,
        "compute2",
    )
    assert shown["OS-SRV-USG:launched_at"] == "2026-10-05T12:00:12.000000"
    assert [(event["event"], event["host"]) for event in actions(cloud, server)[0]["events"]] == [
        ("compute_finish_resize", "compute2"),
        ("compute_resize_instance", "compute1"),
        ("compute_prep_resize", "compute2"),
        ("cold_migrate", "controller"),
        ("conductor_migrate_server", "controller"),
    ]
    cloud.confirm_resize(server)
    assert body(cloud, server)["status"] == "ACTIVE"
    assert actions(cloud, server)[0]["events"][0]["host"] == "compute1"


def test_reverted_resize_of_a_stopped_server(cloud: SimulatedCloud) -> None:
    """Flavor, host and state are those from before."""
    server = cloud.boot("vm", flavor=Flavor("own", 3, 3000, 3), host="compute1")
    cloud.stop(server)
    cloud.resize(server, "m1.large")
    cloud.revert_resize(server)
    shown = body(cloud, server)
    assert (shown["status"], shown["flavor"]["original_name"], shown["OS-EXT-SRV-ATTR:host"]) == (
        "SHUTOFF",
        "own",
        "compute1",
    )


def test_shelved_server_has_no_host(cloud: SimulatedCloud) -> None:
    """Offloading at once leaves no action of its own; deleting the server leaves no event."""
    server = cloud.boot("vm")
    cloud.shelve(server)
    shown = body(cloud, server)
    assert (shown["status"], shown["OS-EXT-SRV-ATTR:host"], shown["OS-EXT-AZ:availability_zone"]) == (
        "SHELVED_OFFLOADED",
        None,
        "",
    )
    cloud.delete(server)
    assert [action["action"] for action in actions(cloud, server)] == ["delete", "shelve", "create"]
    assert actions(cloud, server)[0]["events"] == []


def test_moves(cloud: SimulatedCloud) -> None:
    """A live migration keeps launched_at; an evacuation resets it and leaves the server stopped."""
    server = cloud.boot("vm", host="compute1")
    launched = body(cloud, server)["OS-SRV-USG:launched_at"]
    cloud.live_migrate(server, "compute2")
    shown = body(cloud, server)
    assert (shown["OS-EXT-SRV-ATTR:host"], shown["OS-SRV-USG:launched_at"]) == ("compute2", launched)
    cloud.evacuate(server, "compute1")
    shown = body(cloud, server)
    assert (shown["OS-EXT-SRV-ATTR:host"], shown["status"]) == ("compute1", "SHUTOFF")
    assert shown["OS-SRV-USG:launched_at"] > launched
    assert actions(cloud, server)[0]["user_id"] != shown["user_id"]


def test_volumes_leave_the_row_alone(cloud: SimulatedCloud) -> None:
    """Attaching a volume is an action that does not move `updated`."""
    server = cloud.boot("vm")
    updated = body(cloud, server)["updated"]
    volume = cloud.attach_volume(server)
    assert body(cloud, server)["os-extended-volumes:volumes_attached"][0]["id"] == volume
    cloud.detach_volume(server, volume)
    assert body(cloud, server)["os-extended-volumes:volumes_attached"] == []
    assert body(cloud, server)["updated"] == updated
    assert len(actions(cloud, server)) == 3


def test_soft_deletion(cloud: SimulatedCloud) -> None:
    """A soft-deleted server can be brought back, or deleted for good."""
    server = cloud.boot("vm")
    cloud.soft_delete(server)
    assert body(cloud, server)["status"] == "SOFT_DELETED"
    assert cloud.servers()[0].listed_as_deleted
    cloud.restore(server)
    assert body(cloud, server)["status"] == "ACTIVE"
    cloud.soft_delete(server)
    cloud.force_delete(server)
    assert [action["action"] for action in actions(cloud, server)][:2] == ["delete", "softDelete"]


def test_deletion_in_the_midst_of_a_boot(cloud: SimulatedCloud) -> None:
    """What was running never finishes, and what it would have led to never comes."""
    server = cloud.boot("vm", seconds=60, wait=False)
    cloud.advance(seconds=10)
    cloud.delete(server)
    cloud.advance(hours=1)
    assert body(cloud, server)["status"] == "DELETED"
    assert body(cloud, server)["OS-SRV-USG:launched_at"] is None
    assert actions(cloud, server)[1]["events"][0]["finish_time"] is None


def test_other_actions(cloud: SimulatedCloud) -> None:
    """What changes no session is recorded all the same; what is no action is not."""
    server = cloud.boot("vm")
    cloud.other(server, "lock")
    cloud.other(server, "createImage")
    cloud.reboot(server)
    cloud.reset_state(server, "error")
    cloud.rename(server, "renamed")
    cloud.set_metadata(server, k="v")
    shown = body(cloud, server)
    assert (shown["locked"], shown["status"], shown["name"], shown["metadata"]) == (
        True,
        "ERROR",
        "renamed",
        {"k": "v"},
    )
    assert [action["action"] for action in actions(cloud, server)] == [
        "resetState",
        "reboot",
        "createImage",
        "lock",
        "create",
    ]
