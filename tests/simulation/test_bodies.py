"""The simulated cloud answers in the shapes of a real one."""

import pytest

from tests.simulation import SimulatedCloud
from tests.simulation.cloud import Outcome
from tests.simulation.shown import actions, body

#: The keys that a real Nova showed of every server at 2.96, and those that only some have.
SERVER_KEYS = {
    "accessIPv4",
    "accessIPv6",
    "addresses",
    "created",
    "flavor",
    "hostId",
    "id",
    "image",
    "links",
    "metadata",
    "name",
    "status",
    "tenant_id",
    "user_id",
    "updated",
    "OS-DCF:diskConfig",
    "OS-EXT-AZ:availability_zone",
    "config_drive",
    "key_name",
    "OS-SRV-USG:launched_at",
    "OS-SRV-USG:terminated_at",
    "OS-EXT-SRV-ATTR:host",
    "OS-EXT-SRV-ATTR:instance_name",
    "OS-EXT-SRV-ATTR:hypervisor_hostname",
    "OS-EXT-SRV-ATTR:hostname",
    "OS-EXT-SRV-ATTR:kernel_id",
    "OS-EXT-SRV-ATTR:launch_index",
    "OS-EXT-SRV-ATTR:ramdisk_id",
    "OS-EXT-SRV-ATTR:reservation_id",
    "OS-EXT-SRV-ATTR:root_device_name",
    "OS-EXT-SRV-ATTR:user_data",
    "OS-EXT-STS:task_state",
    "OS-EXT-STS:vm_state",
    "OS-EXT-STS:power_state",
    "os-extended-volumes:volumes_attached",
    "locked",
    "description",
    "tags",
    "trusted_image_certificates",
    "locked_reason",
    "pinned_availability_zone",
    "host_status",
}
ACTION_KEYS = {
    "action",
    "instance_uuid",
    "request_id",
    "user_id",
    "project_id",
    "start_time",
    "message",
    "updated_at",
    "events",
}
EVENT_KEYS = {"event", "start_time", "finish_time", "result", "traceback", "host", "hostId", "details"}


@pytest.mark.parametrize(
    ("outcome", "more"),
    [("active", {"progress", "security_groups"}), ("no valid host", {"fault"})],
)
def test_keys_of_a_server(cloud: SimulatedCloud, outcome: Outcome, more: set[str]) -> None:
    """A server has exactly the keys of a real one in its state."""
    assert body(cloud, cloud.boot("vm", outcome=outcome)).keys() == SERVER_KEYS | more


def test_keys_of_a_deleted_server(cloud: SimulatedCloud) -> None:
    """On deletion metadata, addresses and volumes vanish; flavor, host and image stay."""
    server = cloud.boot("vm", metadata={"k": "v"})
    cloud.attach_volume(server)
    before = body(cloud, server)
    cloud.delete(server)
    after = body(cloud, server)
    assert after.keys() == SERVER_KEYS
    assert (after["metadata"], after["addresses"], after["os-extended-volumes:volumes_attached"]) == ({}, {}, [])
    assert all(after[key] == before[key] for key in ("flavor", "image", "OS-EXT-SRV-ATTR:host", "hostId"))


def test_keys_of_an_action(cloud: SimulatedCloud) -> None:
    """An action and its events have exactly the keys of real ones."""
    [create] = actions(cloud, cloud.boot("vm"))
    assert create.keys() == ACTION_KEYS
    assert create["events"][0].keys() == EVENT_KEYS


def test_forms_of_times(cloud: SimulatedCloud) -> None:
    """`created` and `updated` end in Z, all other times have six zeros."""
    server = body(cloud, cloud.boot("vm"))
    assert server["created"] == "2026-10-05T12:00:00Z"
    assert server["updated"] == "2026-10-05T12:00:04Z"
    assert server["OS-SRV-USG:launched_at"] == "2026-10-05T12:00:04.000000"
