"""Record the demo's month, `demo/recording.json`: `python -m tests.real.openstack.record` (about ten minutes).

The bodies are a real cloud's own answers, with three changes: times are stretched so that the minutes of the recording
become the month of `month.py`, links and tracebacks are left out, and addresses and paths of this machine are replaced.
"""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from openstack.connection import Connection

from tests.real.openstack import month
from tests.real.openstack.cloud import DIRECTORY, MICROVERSION, Cloud, started
from tests.real.openstack.life import Step, booted, operate
from tests.real.openstack.stretch import Pair, stretched

RECORDING = Path(__file__).parents[3] / "demo" / "recording.json"

#: Seconds of silence after each event: what is stretched to hours.
REST = 2.5

SECOND = timedelta(seconds=1)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def record(cloud: Cloud) -> dict[str, Any]:
    """Let the month happen, and return it as it is to be shown."""
    prepare(cloud)
    reader = cloud.connect("collector")
    servers: dict[str, tuple[str, Step]] = {}
    snapshots: list[dict[str, Any]] = []
    busy: list[Pair] = []
    anchors: list[Pair] = []
    for planned, name, operation in month.events():
        time.sleep(REST)
        begin = datetime.now(UTC).replace(microsecond=0)
        anchors.append((begin, planned))
        if operation == "snapshot":
            snapshots.append(snapshot(reader, begin))
        else:
            member, flavor = month.SERVERS[name]
            if operation == "boot":
                servers[name] = booted(cloud, name, flavor, member)
            else:
                server, before = servers[name]
                servers[name] = server, operate(cloud, server, operation, before, member)
            time.sleep(1)  # the action ends a little after its effect is seen
            busy.append((begin, datetime.now(UTC).replace(microsecond=0) + SECOND))
        print(f"{planned:%d %b %H:%M}  {name:16} {operation}", flush=True)
    return {"snapshots": [shown(body, stretched(busy, anchors)) for body in snapshots]}


def prepare(cloud: Cloud) -> None:
    """Leave only the month's own projects and users, besides those of the cloud itself."""
    for kind, name in (("user", "ada"), ("user", "carl"), ("project", "astro"), ("project", "climate")):
        cloud.admin.identity.delete(f"/{kind}s/{cloud.identified(kind, name)}").raise_for_status()
    for name, (vcpus, ram, disk) in month.FLAVORS.items():
        cloud.create_flavor(name, vcpus, ram, disk)
    for member, _ in month.SERVERS.values():
        cloud.member(member)


def snapshot(cloud: Connection, at: datetime) -> dict[str, Any]:
    """The whole cloud as it answers now."""

    def get(service: str, path: str, microversion: str | None = None) -> Any:
        answer = getattr(cloud, service).get(path, microversion=microversion)
        answer.raise_for_status()
        return answer.json()

    everything = "/servers/detail?all_tenants=1&changes-since=2000-01-01T00:00:00Z"
    servers = get("compute", everything, MICROVERSION)["servers"]
    actions = {}
    for server in servers:
        server.get("fault", {}).pop("details", None)  # a traceback
        path = f"/servers/{server['id']}/os-instance-actions"
        listed = get("compute", path, MICROVERSION)["instanceActions"]
        one = (get("compute", f"{path}/{action['request_id']}", MICROVERSION) for action in listed)
        actions[server["id"]] = [body["instanceAction"] for body in one]
    providers = get("placement", "/resource_providers", "1.39")["resource_providers"]
    return {
        "at": f"{at:%FT%TZ}",
        "servers": servers,
        "actions": actions,
        "hypervisors": get("compute", "/os-hypervisors/detail", "2.87")["hypervisors"],
        "providers": providers,
        "inventories": {
            provider["uuid"]: get("placement", f"/resource_providers/{provider['uuid']}/inventories", "1.39")
            for provider in providers
        },
        **{kind: get("identity", f"/{kind}")[kind] for kind in ("projects", "users", "domains")},
    }


def shown(body: Any, show: Callable[[datetime], datetime]) -> Any:
    """A body as it is to be shown: times stretched, and rid of what belongs to the machine it was recorded on."""
    match body:
        case dict():
            return {key: shown(value, show) for key, value in body.items() if key not in {"links", "traceback"}}
        case list():
            return [shown(value, show) for value in body]
        case str():
            text = TIME.sub(lambda time: f"{show(datetime.fromisoformat(f'{time[0]}+00:00')):%FT%T}", body)
            return re.sub(r"http://127\.0\.0\.1:\d+", "http://controller", text).replace(str(DIRECTORY), "/srv")
        case _:
            return body


def lines(body: Any, depth: int = 0) -> str:
    """JSON with one body per line: collections are laid out, what is in them is not."""
    if depth == 4 or not body or not isinstance(body, dict | list):
        return json.dumps(body, separators=(",", ":"))
    if isinstance(body, dict):
        inner = ",\n".join(f"{json.dumps(key)}: {lines(value, depth + 1)}" for key, value in body.items())
        return f"{{\n{inner}\n}}"
    return "[\n" + ",\n".join(lines(value, depth + 1) for value in body) + "\n]"


if __name__ == "__main__":
    with started() as cloud:
        RECORDING.write_text(lines(record(cloud)) + "\n")
    print(f"{RECORDING}: {RECORDING.stat().st_size // 1000} kB")
