"""What the collector takes for granted about Keystone, Nova and Placement, asked of real ones."""

from typing import Any

import pytest
from openstack.connection import Connection

from tests.real.openstack.cloud import MICROVERSION, Cloud
from tests.real.openstack.life import LIVES, Life

#: Operation of a life -> the action Nova records for it; the others are recorded under the same name.
ACTIONS = {
    "boot": "create",
    "confirm": "confirmResize",
    "revert": "revertResize",
    "live-migrate": "live-migration",
    "force-delete": "delete",
}

#: Operations around a server, of which it knows nothing.
UNRECORDED = {"delete-flavor", "delete-user", "rename-project"}

EVERYTHING = "all_tenants=1&changes-since=2000-01-01T00:00:00Z"


def get(cloud: Connection, service: str, path: str, microversion: str | None = None) -> Any:
    """The body of an answer that must be a good one."""
    answer = getattr(cloud, service).get(path, microversion=microversion)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def collector(real_cloud: Cloud) -> Connection:
    """The account that can read everything and change nothing."""
    return real_cloud.connect("collector")


@pytest.fixture(scope="module")
def actions(collector: Connection, real_lives: dict[str, Life]) -> dict[str, list[dict[str, Any]]]:
    """The listed actions of each life, newest first."""
    path = "/servers/{}/os-instance-actions"
    return {
        name: get(collector, "compute", path.format(life.server), MICROVERSION)["instanceActions"]
        for name, life in real_lives.items()
    }


def test_changes_since_lists_deleted_servers_too(collector: Connection, real_lives: dict[str, Life]) -> None:
    """One sweep with `changes-since` has every server that ever was, with the status it ended in."""
    listed = get(collector, "compute", f"/servers/detail?{EVERYTHING}", MICROVERSION)["servers"]
    seen = {server["id"]: server["status"] for server in listed}
    assert seen == {life.server: life.steps[-1].status for life in real_lives.values()}


def test_a_deleted_server_ends_at_terminated_at(collector: Connection, real_lives: dict[str, Life]) -> None:
    """`terminated_at` of a deleted server lies between the request and its effect."""
    listed = get(collector, "compute", f"/servers/detail?{EVERYTHING}", MICROVERSION)["servers"]
    ended = {server["id"]: server["OS-SRV-USG:terminated_at"] for server in listed}
    for name in ("everything", "force-deleted", "deleted-while-stopped", "user-deleted"):
        last = real_lives[name].steps[-1]
        assert f"{last.asked:%FT%T}" <= ended[real_lives[name].server] <= f"{last.seen:%FT%T}.999999"


@pytest.mark.parametrize("name", LIVES)
def test_the_actions_are_the_operations(
    name: str, actions: dict[str, list[dict[str, Any]]], real_lives: dict[str, Life]
) -> None:
    """Nova lists an action for each operation, also of a deleted server, started when it was asked for."""
    steps = [step for step in real_lives[name].steps if step.operation.split()[0] not in UNRECORDED]
    verbs = [step.operation.split()[0] for step in steps]
    listed = actions[name][::-1]
    assert [action["action"] for action in listed] == [ACTIONS.get(verb, verb) for verb in verbs]
    for step, action in zip(steps, listed, strict=True):
        assert f"{step.asked:%FT%T}" <= action["start_time"] <= f"{step.seen:%FT%T}.999999"


def test_a_finished_action_needs_no_events(
    collector: Connection, actions: dict[str, list[dict[str, Any]]], real_lives: dict[str, Life]
) -> None:
    """The list's `updated_at` is the finish of the last event, and its `message` tells whether one failed."""
    for name, listed in actions.items():
        for action in listed:
            path = f"/servers/{real_lives[name].server}/os-instance-actions/{action['request_id']}"
            events = get(collector, "compute", path, MICROVERSION)["instanceAction"]["events"]
            if events:
                assert action["updated_at"] == max(event["finish_time"] for event in events), (name, action)
            assert (action["message"] == "Error") == any(event["result"] == "Error" for event in events), (name, action)


def test_the_collector_may_list_owners_and_hosts(collector: Connection, real_cloud: Cloud) -> None:
    """Projects, users and domains, hypervisors with their size up to 2.87, and Placement's inventories."""
    for kind in ("projects", "users", "domains"):
        everyone = {body["id"] for body in get(real_cloud.admin, "identity", f"/{kind}")[kind]}
        assert {body["id"] for body in get(collector, "identity", f"/{kind}")[kind]} == everyone
    hosts = get(collector, "compute", "/os-hypervisors/detail", "2.87")["hypervisors"]
    assert sorted(host["hypervisor_hostname"] for host in hosts) == ["compute1", "compute2"]
    assert all(host["vcpus"] and host["memory_mb"] for host in hosts)
    assert "vcpus" not in get(collector, "compute", "/os-hypervisors/detail", "2.88")["hypervisors"][0]
    for provider in get(collector, "placement", "/resource_providers", "1.39")["resource_providers"]:
        path = f"/resource_providers/{provider['uuid']}/inventories"
        assert {"VCPU", "MEMORY_MB"} <= get(collector, "placement", path, "1.39")["inventories"].keys()


def test_the_collector_can_change_nothing(collector: Connection, real_lives: dict[str, Life]) -> None:
    """The access rules of its application credential turn away whatever is not a `GET`, though its user is admin."""
    stays = real_lives["stays"].server
    for answer in (
        collector.compute.post(f"/servers/{stays}/action", json={"os-stop": None}, raise_exc=False),
        collector.compute.delete(f"/servers/{stays}", raise_exc=False),
        collector.identity.post("/domains", json={"domain": {"name": "new"}}, raise_exc=False),
    ):
        assert answer.status_code == 401
    assert get(collector, "compute", f"/servers/{stays}", MICROVERSION)["server"]["status"] == "ACTIVE"


def test_a_member_is_refused_the_servers_of_others(real_cloud: Cloud) -> None:
    """`all_tenants` is a 403, and without it `deleted` is ignored in silence."""
    member = real_cloud.connect("astro").compute
    assert member.get("/servers/detail?all_tenants=1", raise_exc=False).status_code == 403
    listed = member.get("/servers/detail?deleted=True", microversion=MICROVERSION).json()["servers"]
    assert "DELETED" not in {server["status"] for server in listed}


@pytest.mark.parametrize(
    ("service", "path", "status"),
    [
        ("identity", "/projects", 200),
        ("identity", "/users", 200),
        ("identity", "/domains", 200),
        ("compute", "/servers/detail?all_tenants=1", 403),
        ("compute", "/os-hypervisors/detail", 403),
        ("placement", "/resource_providers", 403),
    ],
)
def test_a_system_reader_sees_owners_only(real_cloud: Cloud, service: str, path: str, status: int) -> None:
    """Nova and Placement take project tokens only: role `reader` in system scope reads Keystone and nothing else."""
    reader = real_cloud.connect("reader")
    assert getattr(reader, service).get(path, raise_exc=False).status_code == status


@pytest.mark.parametrize(
    ("service", "path"), [("compute", "/servers"), ("identity", "/projects"), ("placement", "/resource_providers")]
)
def test_answers_are_dated(collector: Connection, service: str, path: str) -> None:
    """Each API's answer has the server's clock in its `Date`; it comes from the web server, here waitress."""
    assert getattr(collector, service).get(path).headers["Date"].endswith(" GMT")
