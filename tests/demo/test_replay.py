"""openstacksdk meets the server as it would meet a cloud."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from keystoneauth1 import exceptions

from demo.replay import (
    DROPPED,
    INTERNAL_ERROR,
    LOGIN_PAGE,
    TRUNCATED,
    UNAVAILABLE,
    Account,
    Fault,
    Replay,
    slow,
    too_many_requests,
)
from tests.demo.conftest import Connect
from tests.simulation import SimulatedCloud

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
ALL = "/servers/detail?all_tenants=1"


@pytest.fixture
def cloud() -> SimulatedCloud:
    """Three servers: one that runs, one that was stopped, one that was deleted."""
    cloud = SimulatedCloud(NOON)
    cloud.boot("runs")
    cloud.stop(cloud.boot("stopped", project="bio", user="bob"))
    cloud.delete(cloud.boot("deleted"))
    return cloud


@pytest.fixture
def server(cloud: SimulatedCloud) -> Iterator[Replay]:
    """A server of that cloud."""
    with Replay(cloud) as server:
        yield server


@pytest.fixture
def compute(server: Replay, connect: Connect) -> Any:
    """openstacksdk's compute proxy, connected to the server."""
    return connect(server).compute


def ids(cloud: SimulatedCloud) -> dict[str, str]:
    """The servers' ids by name."""
    return {json.loads(server.body)["name"]: server.id for server in cloud.servers()}


def names(compute: Any, path: str) -> list[str]:
    """The names of the servers that a path lists."""
    return [server["name"] for server in compute.get(path, microversion="2.96").json()["servers"]]


def test_sdk_lists_the_living_servers_of_all_projects(compute: Any) -> None:
    """A listing without filters has no deleted server."""
    assert [server.name for server in compute.servers(all_projects=True)] == ["stopped", "runs"]


def test_changes_since_lists_live_and_deleted_servers(compute: Any) -> None:
    """One sweep with changes-since brings both, newest first."""
    listed = list(compute.servers(all_projects=True, changes_since="2026-10-05T00:00:00Z"))
    assert [(server.name, server.status) for server in listed] == [
        ("deleted", "DELETED"),
        ("stopped", "SHUTOFF"),
        ("runs", "ACTIVE"),
    ]


def test_changes_since_leaves_out_what_did_not_change(cloud: SimulatedCloud, compute: Any) -> None:
    """The time is inclusive, and compared with the last change of each server's row."""
    [runs] = (server for server in cloud.servers() if server.id == ids(cloud)["runs"])
    since = f"{runs.changed:%Y-%m-%dT%H:%M:%SZ}"
    after = f"{runs.changed + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
    assert "runs" in names(compute, f"{ALL}&changes-since={since}")
    assert "runs" not in names(compute, f"{ALL}&changes-since={after}")
    assert names(compute, f"{ALL}&changes-since=2000-01-01T00:00:00Z&changes-before={since}") == ["runs"]


def test_deleted_alone_and_with_changes_since(compute: Any) -> None:
    """`deleted` narrows either listing to deleted servers."""
    assert names(compute, f"{ALL}&deleted=True") == ["deleted"]
    assert names(compute, f"{ALL}&deleted=True&changes-since=2000-01-01T00:00:00Z") == ["deleted"]
    assert names(compute, f"{ALL}&deleted=False&changes-since=2000-01-01T00:00:00Z") == ["stopped", "runs"]


def test_pages_through_2500_servers(connect: Connect) -> None:
    """Nova cuts every page at its limit, whatever is asked for, and names the next one until a page is not full."""
    cloud = SimulatedCloud(NOON)
    for number in range(2500):
        cloud.boot(f"server-{number}", seconds=0)
    with Replay(cloud, max_limit=1000) as server:
        headers = signed(connect(server).compute)
        pages = list(followed(f"{server.url}/compute/v2.1{ALL}&limit=5000", headers))
    assert [len(page) for page in pages] == [1000, 1000, 500]
    assert [name for page in pages for name in page] == [f"server-{number}" for number in reversed(range(2500))]


def followed(url: str | None, headers: dict[str, str]) -> Iterator[list[str]]:
    """The names on each page, along the links."""
    while url:
        body = requests.get(url, headers=headers, timeout=5).json()
        yield [found["name"] for found in body["servers"]]
        url = next((link["href"] for link in body.get("servers_links", [])), None)


def test_sdk_pages(connect: Connect) -> None:
    """openstacksdk follows the links by itself."""
    cloud = SimulatedCloud(NOON)
    for number in range(250):
        cloud.boot(f"server-{number}", seconds=0)
    with Replay(cloud, max_limit=100) as server:
        listed = list(connect(server).compute.servers(all_projects=True))
        asked = [seen for seen in server.requests if "/servers/detail" in seen.path]
    assert len({found.id for found in listed}) == 250
    assert len(asked) == 3


def test_marker_that_nova_does_not_know(compute: Any) -> None:
    """An unknown marker is an error, a deleted server's is not."""
    answer = compute.get(f"{ALL}&marker=00000000-0000-4000-8000-000000000000", microversion="2.96")
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"] == "marker [00000000-0000-4000-8000-000000000000] not found"


def test_marker_of_a_deleted_server(cloud: SimulatedCloud, compute: Any) -> None:
    """Paging goes on after a server that was deleted meanwhile."""
    assert names(compute, f"{ALL}&marker={ids(cloud)['deleted']}") == ["stopped", "runs"]


def test_deleted_server_is_not_found_but_its_actions_are(cloud: SimulatedCloud, compute: Any) -> None:
    """A deleted server can only be listed; its actions are shown from 2.21 on."""
    path = f"/servers/{ids(cloud)['deleted']}"
    assert compute.get(path, microversion="2.96").status_code == 404
    assert compute.get(f"{path}/os-instance-actions", microversion="2.1").status_code == 404
    actions = compute.get(f"{path}/os-instance-actions", microversion="2.21").json()["instanceActions"]
    assert [action["action"] for action in actions] == ["delete", "create"]
    assert all("updated_at" not in action for action in actions)


def test_actions_page_by_page(cloud: SimulatedCloud, compute: Any) -> None:
    """The list of actions is paged by request id, and has no events; a single action has them."""
    path = f"/servers/{ids(cloud)['stopped']}/os-instance-actions"
    first = compute.get(f"{path}?limit=1", microversion="2.96").json()
    assert [action["action"] for action in first["instanceActions"]] == ["stop"]
    assert "events" not in first["instanceActions"][0]
    rest = requests.get(first["links"][0]["href"], headers=signed(compute), timeout=5).json()
    assert [action["action"] for action in rest["instanceActions"]] == ["create"]
    request = rest["instanceActions"][0]["request_id"]
    whole = compute.get(f"{path}/{request}", microversion="2.96").json()["instanceAction"]
    assert [event["event"] for event in whole["events"]] == ["compute__do_build_and_run_instance"]
    assert compute.get(f"{path}?marker=req-unknown", microversion="2.96").status_code == 400
    assert compute.get(f"{path}/req-unknown", microversion="2.96").status_code == 404


def signed(compute: Any) -> dict[str, str]:
    """Headers for a request that goes past openstacksdk."""
    return {"X-Auth-Token": compute.get_token(), "X-OpenStack-Nova-API-Version": "2.96"}


def test_wrong_password(cloud: SimulatedCloud, connect: Connect, server: Replay) -> None:
    """openstacksdk raises what a check of the configuration is to catch, on Keystone's own words."""
    connection = connect(server)
    with Replay(cloud, accounts=[Account(password="another")]) as other:
        connection.session.auth.auth_url = f"{other.url}/identity/v3"
        with pytest.raises(exceptions.Unauthorized, match="The request you have made requires authentication"):
            connection.session.get_token()


def test_scopes(server: Replay) -> None:
    """A token is for the system, a domain or a project, and none is given for a project that is not there."""
    user = {"name": "xdmod-reader", "domain": {"id": "default"}, "password": "secret"}
    identity = {"methods": ["password"], "password": {"user": user}}

    def scoped(scope: dict[str, Any]) -> Any:
        body = {"auth": {"identity": identity, "scope": scope}}
        answer = requests.post(f"{server.url}/identity/v3/auth/tokens", json=body, timeout=5)
        return answer.json()["token"] if answer.ok else answer.status_code

    assert scoped({"system": {"all": True}})["system"] == {"all": True}
    assert scoped({"domain": {"name": "Default"}})["domain"]["id"] == "default"
    assert scoped({"project": {"name": "astro", "domain": {"name": "Default"}}})["project"]["name"] == "astro"
    assert scoped({"project": {"name": "astro", "domain": {"name": "other"}}}) == 401


def test_revoked_token_is_renewed(server: Replay, compute: Any) -> None:
    """A client that is told 401 logs in again."""
    assert list(compute.servers(all_projects=True))
    server.revoke_tokens()
    assert list(compute.servers(all_projects=True))
    assert sum(seen.method == "POST" for seen in server.requests) == 2


def test_no_token(server: Replay) -> None:
    """Every service but the version documents wants a token."""
    paths = ("/compute/v2.1/servers/detail", "/identity/v3/projects", "/placement/resource_providers")
    assert {requests.get(server.url + path, timeout=5).status_code for path in paths} == {401}
    free = ("/compute/", "/compute/v2.1/", "/identity/v3", "/placement/")
    assert {requests.get(server.url + path, timeout=5).status_code for path in free} == {200}


def test_plain_member(cloud: SimulatedCloud, connect: Connect) -> None:
    """A member may not list all tenants, and `deleted` is ignored without a word."""
    with Replay(cloud, accounts=[Account("alice", role="member", project="astro")]) as server:
        connection = connect(server)
        refused = connection.compute.get(ALL, microversion="2.96")
        assert refused.status_code == 403
        assert refused.json()["forbidden"]["message"] == (
            "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed."
        )
        assert names(connection.compute, "/servers/detail?deleted=True") == ["runs"]
        assert connection.identity.get("/projects").status_code == 403
        assert connection.compute.get("/os-hypervisors/detail", microversion="2.87").status_code == 403


@pytest.mark.parametrize(
    ("version", "has", "lacks"),
    [("2.53", "vcpus", "uptime"), ("2.87", "memory_mb", "uptime"), ("2.88", "uptime", "vcpus")],
)
def test_hypervisors_lose_their_sizes(compute: Any, version: str, has: str, lacks: str) -> None:
    """From 2.88 on Nova no longer says how big a host is."""
    bodies = compute.get("/os-hypervisors/detail", microversion=version).json()["hypervisors"]
    assert [body["hypervisor_hostname"] for body in bodies] == ["compute1", "compute2"]
    assert all(has in body and lacks not in body for body in bodies)


def test_placement_has_the_sizes(server: Replay, connect: Connect) -> None:
    """Each host is a resource provider with inventories."""
    placement = connect(server).placement
    provider = placement.get("/resource_providers").json()["resource_providers"][0]
    inventories = placement.get(f"/resource_providers/{provider['uuid']}/inventories").json()["inventories"]
    assert inventories["VCPU"]["total"] == 64
    assert placement.get("/resource_providers/unknown/inventories").status_code == 404


def test_identities(server: Replay, cloud: SimulatedCloud, connect: Connect) -> None:
    """Projects, users and domains are listed, and a deleted user is not found."""
    identity = connect(server).identity
    assert {project.name for project in identity.projects()} == {"admin", "astro", "bio"}
    bob = cloud.user("bob")
    assert identity.get_user(bob).name == "bob"
    cloud.delete_user("bob")
    gone = identity.get(f"/users/{bob}")
    assert gone.json() == {"error": {"code": 404, "message": f"Could not find user: {bob}.", "title": "Not Found"}}


def test_keystone_tells_only_who_asks_for_pages(cloud: SimulatedCloud, connect: Connect) -> None:
    """A list ends at the site's limit without a word; with `limit` it links to the next page, down to an empty one."""
    with Replay(cloud, max_db_limit=2) as server:
        identity = connect(server).identity
        cut = identity.get("/projects").json()
        assert (len(cut["projects"]), cut["links"]["next"], "truncated" in cut) == (2, None, False)
        first = identity.get("/projects?limit=9").json()
        assert (len(first["projects"]), first["truncated"]) == (2, True)
        second = requests.get(first["links"]["next"], headers=signed(identity), timeout=5).json()
        assert (len(second["projects"]), second["links"]["next"], "truncated" in second) == (1, None, False)
        unknown = identity.get("/projects?limit=2&marker=unknown")
        assert unknown.json()["error"] == {
            "code": 404,
            "message": "Marker unknown could not be found.",
            "title": "Not Found",
        }


def test_roles(cloud: SimulatedCloud, server: Replay, connect: Connect) -> None:
    """As they were given, or what follows from them; with names or without; `effective=false` means yes."""
    astro, group = cloud.project("astro"), cloud.group("staff", "alice")
    cloud.grant("member", group=group, project=astro)

    def roles(query: str) -> Any:
        return connect(server).identity.get(f"/role_assignments{query}").json()["role_assignments"]

    [given] = roles("?effective=0")
    assert (given["group"], given["scope"]) == ({"id": group}, {"project": {"id": astro}})
    member, reader = roles("?effective=false&include_names")
    domain = {"id": "default", "name": "Default"}
    assert member["user"] == {"id": cloud.user("alice"), "name": "alice", "domain": domain}
    assert member["scope"] == {"project": {"id": astro, "name": "astro", "domain": domain}}
    assert [held["role"]["name"] for held in (member, reader)] == ["member", "reader"]
    assert (member["links"].keys(), reader["links"].keys()) == (
        {"assignment", "membership"},
        {"assignment", "membership", "prior_role"},
    )
    cloud.advance(hours=1)
    cloud.grant("member", group=group, project=astro, revoked=True)
    assert roles("") == []


def test_microversions(cloud: SimulatedCloud, connect: Connect) -> None:
    """A cloud says how new it is, shows which microversion it used, and refuses a newer one."""
    with Replay(cloud, newest=(2, 79)) as server:
        compute = connect(server).compute
        assert compute.get_endpoint_data().max_microversion == (2, 79)
        answer = compute.get(ALL, microversion="2.79")
        assert answer.headers["OpenStack-API-Version"] == "compute 2.79"
        assert "pinned_availability_zone" not in answer.json()["servers"][0]
        refused = requests.get(
            f"{server.url}/compute/v2.1{ALL}",
            headers=signed(compute) | {"X-OpenStack-Nova-API-Version": "2.80"},
            timeout=5,
        )
    assert refused.status_code == 406


@pytest.mark.parametrize(
    ("fault", "status"),
    [(INTERNAL_ERROR, 500), (UNAVAILABLE, 503), (too_many_requests(7), 429), (LOGIN_PAGE, 200)],
)
def test_faults_with_a_status(server: Replay, compute: Any, fault: Fault, status: int) -> None:
    """A fault that is asked for once happens once."""
    headers = signed(compute)
    server.fault = lambda _method, path, _query, nth: fault if path.endswith("/detail") and nth == 1 else None
    url = f"{server.url}/compute/v2.1{ALL}"
    spoilt = requests.get(url, headers=headers, timeout=5)
    assert (spoilt.status_code, spoilt.content) == (status, fault.body)
    assert spoilt.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert len(requests.get(url, headers=headers, timeout=5).json()["servers"]) == 2


@pytest.mark.parametrize("fault", [TRUNCATED, DROPPED])
def test_faults_of_the_connection(server: Replay, compute: Any, fault: Fault) -> None:
    """A client that counts bytes notices an answer that breaks off."""
    headers = signed(compute)
    server.fault = lambda _method, _path, _query, nth: fault if nth == 1 else None
    url = f"{server.url}/compute/v2.1{ALL}"
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        requests.get(url, headers=headers, timeout=5)
    assert requests.get(url, headers=headers, timeout=5).ok


def test_slow_answer(server: Replay, compute: Any) -> None:
    """A client with a shorter patience gives up."""
    headers = signed(compute)
    server.fault = lambda *_: slow(2)
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(f"{server.url}/compute/v2.1{ALL}", headers=headers, timeout=0.2)


def test_delays_run_side_by_side(cloud: SimulatedCloud) -> None:
    """Many waiting clients wait no longer than one."""
    with Replay(cloud, delay=0.3) as server, ThreadPoolExecutor(10) as clients:
        began = time.monotonic()
        answers = clients.map(lambda _: requests.get(f"{server.url}/compute/", timeout=5).status_code, range(10))
        assert list(answers) == [200] * 10
    assert 0.3 <= time.monotonic() - began < 2.5


def test_recording_is_served_as_of_the_clock(cloud: SimulatedCloud, connect: Connect) -> None:
    """The newest snapshot that is not later than the clock is shown, and dates are the clock's."""
    first = cloud.snapshot()
    cloud.at(NOON + timedelta(days=1))
    cloud.delete(ids(cloud)["runs"])
    with Replay({"snapshots": [first, cloud.snapshot()]}) as server:
        compute = connect(server).compute
        assert names(compute, ALL) == ["stopped"]
        server.at = NOON + timedelta(hours=23)
        answer = compute.get(ALL, microversion="2.96")
        assert [found["name"] for found in answer.json()["servers"]] == ["stopped", "runs"]
        assert answer.headers["Date"] == "Tue, 06 Oct 2026 11:00:00 GMT"
        assert compute.get(f"/servers/{ids(cloud)['runs']}/os-instance-actions", microversion="2.96").ok


def test_process_serves_a_recording(cloud: SimulatedCloud, tmp_path: Path) -> None:
    """As a process it prints its URL when it is ready."""
    recording = tmp_path / "recording.json"
    recording.write_text(json.dumps({"snapshots": [cloud.snapshot()]}))
    command = [sys.executable, "-m", "demo.replay", str(recording)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        version = requests.get(f"{url}/compute/v2.1", timeout=5).json()["version"]
        process.terminate()
    assert version["version"] == "2.104"
