"""What a simulated cloud has besides servers: domains, projects, users and hosts, each with its history."""

import random
from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from typing import Generic, Literal, TypeVar

from msgspec import Struct

from demo.replay import Body
from demo.replay.roles import INHERITED, role_id
from demo.replay.store import IDENTITIES

Value = TypeVar("Value")

KEYSTONE = "http://controller/identity/v3"
BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Host(Struct, frozen=True):
    """A compute host; memory in MiB, disk in GB."""

    name: str
    id: str
    service: str
    vcpus: int = 64
    memory: int = 524288
    disk: int = 10000
    kind: str = "QEMU"
    up: bool = True


class Grant(Struct, frozen=True):
    """A role that somebody was given; all but the role by their ids, and `inherited` by the projects below."""

    role: str
    actor: Literal["user", "group"]
    who: str
    scope: Literal["project", "domain"]
    where: str
    inherited: bool = False


class History(Generic[Value]):
    """A value that changes over time; None where there is none."""

    def __init__(self, value: Value | None) -> None:
        self._times = [BEGINNING]
        self._values: list[Value | None] = [value]

    def enter(self, at: datetime, value: Value | None) -> None:
        """Have this value from a time on."""
        place = bisect_right(self._times, at)
        self._times.insert(place, at)
        self._values.insert(place, value)

    def at(self, moment: datetime) -> Value | None:
        """The value at a moment."""
        return self._values[bisect_right(self._times, moment) - 1]


class Estate:
    """The identities and hosts of one cloud; what is named first exists since ever."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._kinds: dict[str, dict[str, History[Body]]] = {kind: {} for kind in IDENTITIES}
        self._grants: dict[Grant, History[Grant]] = {}
        self._ids: dict[tuple[str, str], str] = {}
        self._hosts: dict[str, History[Host]] = {}
        self._enter("domains", "Default", "default", {"description": "The default domain", "tags": []})

    def domain(self, name: str) -> str:
        """The id of a domain, made if it is new."""
        return self._ids.get(("domains", name)) or self._enter(
            "domains", name, self._hex(), {"description": "", "tags": []}
        )

    def project(
        self, name: str, domain: str = "Default", *, parent: str = "", tags: Iterable[str] = (), enabled: bool = True
    ) -> str:
        """The id of a project, made if it is new, inside another one where that is named."""
        if known := self._ids.get(("projects", name)):
            return known
        owner = self.domain(domain)
        above = self.project(parent, domain) if parent else owner
        details = {"domain_id": owner, "description": f"Project of {name}", "parent_id": above, "is_domain": False}
        return self._enter("projects", name, self._hex(), details | {"enabled": enabled, "tags": sorted(tags)})

    def user(self, name: str, domain: str = "Default") -> str:
        """The id of a user, made if it is new."""
        if known := self._ids.get(("users", name)):
            return known
        details = {"domain_id": self.domain(domain), "email": f"{name}@example.org", "password_expires_at": None}
        return self._enter("users", name, self._hex(), details)

    def group(self, name: str, users: Iterable[str], at: datetime) -> str:
        """The id of a group, made if it is new, that has these users from a time on."""
        id_ = self._ids.get(("groups", name)) or self._enter(
            "groups", name, self._hex(), {"domain_id": "default", "description": "", "users": []}
        )
        history = self._kinds["groups"][id_]
        history.enter(at, (history.at(at) or {}) | {"users": [self.user(user) for user in users]})
        return id_

    def grant(self, grant: Grant, at: datetime, *, revoked: bool = False) -> None:
        """Let a role be held from a time on, or no longer."""
        history = self._grants.setdefault(grant, History(None))
        history.enter(at, None if revoked else grant)

    def assignments(self, at: datetime) -> list[Body]:
        """The roles that were given, as Keystone lists them with names; those of what is deleted are gone."""
        items = {kind: self.identities(f"{kind}s", at) for kind in ("user", "group", "project", "domain")}
        held = [grant for history in self._grants.values() if (grant := history.at(at))]
        return [
            assignment_body(grant, items[grant.actor][grant.who], items[grant.scope][grant.where], items["domain"])
            for grant in held
            if grant.who in items[grant.actor] and grant.where in items[grant.scope]
        ]

    def rename(self, kind: str, name: str, new: str, at: datetime) -> None:
        """Give a project or user another name; the id stays."""
        id_ = self._ids[kind, new] = self._ids.pop((kind, name))
        history = self._kinds[kind][id_]
        body = history.at(at)
        if body is None:
            raise KeyError(name)
        history.enter(at, body | {"name": new})

    def delete(self, kind: str, name: str, at: datetime) -> None:
        """Take a project or user out of Keystone; the name may be given anew, to another id."""
        self._kinds[kind][self._ids.pop((kind, name))].enter(at, None)

    def identities(self, kind: str, at: datetime) -> dict[str, Body]:
        """The domains, projects or users at a moment, by id."""
        found = ((id_, history.at(at)) for id_, history in self._kinds[kind].items())
        return {id_: body for id_, body in found if body is not None}

    def add_host(self, name: str, at: datetime, *, vcpus: int, memory: int, disk: int, kind: str, up: bool) -> None:
        """Have a host from a time on, or change it."""
        history = self._hosts.get(name)
        last = history.at(at) if history else None
        host = Host(name, self._uuid(), self._uuid(), vcpus, memory, disk, kind, up)
        if history is None:
            self._hosts[name] = history = History(host)
        history.enter(at, Host(name, last.id, last.service, vcpus, memory, disk, kind, up) if last else host)

    def remove_host(self, name: str, at: datetime) -> None:
        """Take a host out of the cloud."""
        self._hosts[name].enter(at, None)

    def hosts(self, at: datetime) -> dict[str, Host]:
        """The hosts at a moment, by name."""
        found = ((name, history.at(at)) for name, history in self._hosts.items())
        return {name: host for name, host in found if host is not None}

    def _enter(self, kind: str, name: str, id_: str, details: Body) -> str:
        links = {"self": f"{KEYSTONE}/{kind}/{id_}"}
        body = {"id": id_, "name": name, "enabled": True, "options": {}, "links": links} | details
        self._kinds[kind][id_] = History(body)
        self._ids[kind, name] = id_
        return id_

    def _hex(self) -> str:
        return f"{self._chance.getrandbits(128):032x}"

    def _uuid(self) -> str:
        text = self._hex()
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def assignment_body(grant: Grant, actor: Body, scope: Body, domains: dict[str, Body]) -> Body:
    """A role as GET /role_assignments?include_names has it."""

    def named(item: Body) -> Body:
        owner = {"domain": named(domains[item["domain_id"]])} if "domain_id" in item else {}
        return {"id": item["id"], "name": item["name"], **owner}

    role = {"id": role_id(grant.role), "name": grant.role}
    path = f"{grant.scope}s/{grant.where}/{grant.actor}s/{grant.who}/roles/{role['id']}"
    link = f"{KEYSTONE}/OS-INHERIT/{path}/inherited_to_projects" if grant.inherited else f"{KEYSTONE}/{path}"
    below = {INHERITED: "projects"} if grant.inherited else {}
    return {
        "links": {"assignment": link},
        "scope": {grant.scope: named(scope), **below},
        grant.actor: named(actor),
        "role": role,
    }


#: What runs on a host: vcpus, memory in MiB, disk in GB, servers.
Load = tuple[int, int, int, int]


def hypervisor_body(host: Host, load: Load) -> Body:
    """A host as GET /os-hypervisors/detail has it at 2.87."""
    vcpus, memory, disk, running = load
    return {
        "id": host.id,
        "hypervisor_hostname": host.name,
        "state": "up" if host.up else "down",
        "status": "enabled",
        "hypervisor_type": host.kind,
        "hypervisor_version": 8002000,
        "host_ip": "127.0.0.1",
        "service": {"id": host.service, "host": host.name, "disabled_reason": None},
        "vcpus": host.vcpus,
        "memory_mb": host.memory,
        "local_gb": host.disk,
        "vcpus_used": vcpus,
        "memory_mb_used": memory + 512,
        "local_gb_used": disk,
        "free_ram_mb": host.memory - memory - 512,
        "free_disk_gb": host.disk - disk,
        "current_workload": 0,
        "running_vms": running,
        "disk_available_least": 0,
        "cpu_info": {
            "arch": "x86_64",
            "model": "Nehalem",
            "vendor": "Intel",
            "features": ["pge", "clflush"],
            "topology": {"cores": 1, "threads": 1, "sockets": 4},
        },
    }


def provider_body(host: Host) -> Body:
    """A host as Placement's resource provider."""
    base = f"/resource_providers/{host.id}"
    names: Iterable[str] = ("inventories", "usages", "aggregates", "traits", "allocations")
    return {
        "uuid": host.id,
        "name": host.name,
        "generation": 1,
        "links": [{"rel": "self", "href": base}, *({"rel": name, "href": f"{base}/{name}"} for name in names)],
        "parent_provider_uuid": None,
        "root_provider_uuid": host.id,
    }


def inventories_body(host: Host) -> Body:
    """What a host has to give."""
    have = (("VCPU", host.vcpus, 0, 4.0), ("MEMORY_MB", host.memory, 512, 1.0), ("DISK_GB", host.disk, 0, 1.0))
    return {
        "resource_provider_generation": 1,
        "inventories": {
            name: {
                "total": total,
                "reserved": reserved,
                "min_unit": 1,
                "max_unit": total,
                "step_size": 1,
                "allocation_ratio": ratio,
            }
            for name, total, reserved, ratio in have
        },
    }
