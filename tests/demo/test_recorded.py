"""The server repeats the answers of a real cloud, microversion by microversion."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.replay import Replay
from tests.demo.conftest import Connect

LIFE = "6487be68-091f-4339-82ce-4da6c59b6069"
HOST = "a4cf7f90-6c37-4e90-8498-e54a644fdb52"


class Recorded:
    """A server of the recorded answers, and its clients."""

    def __init__(self, folder: Path, server: Replay, compute: Any) -> None:
        self._folder = folder
        self._url = server.url
        self._compute = compute

    def body(self, name: str) -> Any:
        """The body of a recorded answer."""
        return json.loads((self._folder / f"{name}.json").read_text())["body"]

    def server(self, server: str, version: str) -> Any:
        """One server at a microversion, as the server answers."""
        return self._compute.get(f"/servers/{server}", microversion=version).json()["server"]

    def both(self, name: str) -> tuple[Any, Any]:
        """What the real cloud and what the server answer to the same request, on the recorded endpoint."""
        recorded = json.loads((self._folder / f"{name}.json").read_text())
        service, _, path = recorded["request"].removeprefix("GET ").partition(":")
        root = {"compute": "compute/v2.1", "identity": "identity/v3", "placement": "placement"}[service]
        headers = {"X-Auth-Token": self._compute.get_token()}
        if recorded["microversion"]:
            headers["OpenStack-API-Version"] = f"{service} {recorded['microversion']}"
        answer = requests.get(f"{self._url}/{root}{path}", headers=headers, timeout=5)
        body = json.loads(answer.text.replace(self._url, "http://controller"))
        return (recorded["status"], recorded["body"]), (answer.status_code, body)


@pytest.fixture
def recorded(openstack_data: Path, connect: Connect) -> Iterator[Recorded]:
    """A server of the recorded answers."""

    def body(name: str) -> Any:
        return json.loads((openstack_data / f"{name}.json").read_text())["body"]

    whole = {action["request_id"]: action for action in body("actions-deleted-server")["instanceActions"]}
    for path in openstack_data.glob("action-*.json"):
        action = json.loads(path.read_text())["body"]["instanceAction"]
        if "as-member" not in path.name:
            whole.update({action["request_id"]: action} if action["request_id"] in whole else {})
    actions = {LIFE: list(whole.values())}
    for name in ("deleted-while-stopped", "no-valid-host-deleted", "shelved-then-deleted"):
        others = body(f"actions-{name}")["instanceActions"]
        actions[others[0]["instance_uuid"]] = others
    snapshot = {
        "at": "2026-11-22T04:00:00Z",
        "servers": body("servers-detail-changes-since")["servers"],
        "actions": actions,
        "hypervisors": body("hypervisors-detail-mv2.87")["hypervisors"],
        "providers": body("placement-providers")["resource_providers"],
        "inventories": {HOST: body("placement-inventories")},
        **{kind: body(f"keystone-{kind}")[kind] for kind in ("projects", "users", "domains")},
        "role_assignments": body("keystone-role-assignments")["role_assignments"],
    }
    with Replay({"snapshots": [snapshot]}) as server:
        yield Recorded(openstack_data, server, connect(server).compute)


@pytest.mark.parametrize(
    "name",
    [
        "action-confirmResize",
        "action-create",
        "action-delete",
        "action-live-migration",
        "action-resetState",
        "action-resize",
        "action-shelve",
        "action-stop",
        "action-unshelve",
        "actions-changes-since",
        "actions-deleted-server",
        "actions-deleted-server-mv2.1",
        "actions-deleted-server-mv2.21",
        "actions-deleted-server-mv2.51",
        "actions-deleted-server-mv2.58",
        "actions-deleted-server-mv2.96",
        "actions-deleted-while-stopped",
        "actions-no-valid-host-deleted",
        "actions-paged",
        "actions-shelved-then-deleted",
        "hypervisors-detail-mv2.87",
        "hypervisors-detail-mv2.88",
        "hypervisors-detail-mv2.96",
        "keystone-domains",
        "keystone-projects",
        "keystone-role-assignments",
        "keystone-user-gone",
        "keystone-users",
        "nova-versions",
        "placement-inventories",
        "placement-providers",
        "server-deleted-get",
        "servers-detail-changes-since",
        "servers-detail-limit-too-big",
        "servers-marker-deleted",
        "servers-paged-1",
        "servers-paged-2",
    ],
)
def test_same_answer(recorded: Recorded, name: str) -> None:
    """Status and body are those of the real cloud."""
    real, ours = recorded.both(name)
    assert ours == real


@pytest.mark.parametrize("version", ["2.1", "2.46", "2.47", "2.73", "2.90", "2.96", "2.100"])
def test_same_keys_of_a_server(recorded: Recorded, version: str) -> None:
    """A server has the keys that it has at each microversion."""
    [real] = recorded.body(f"servers-detail-mv{version}")["servers"]
    ours = recorded.server(real["id"], version)
    assert ours.keys() == real.keys()
