"""An event as XDMoD's openstack schema has it: fields, widths, encoding."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from exporters.openstack.life import Life, Running, Transition
from exporters.openstack.vocabulary import HEARTBEAT, State
from ledger import Flavor, Kind, Server, Size
from ledger.records import Named
from ledger.store import Entry
from ledger.text import DOMAIN_WIDTH, HOST_WIDTH, PROJECT_WIDTH, fitted

__all__ = ["Event", "Names", "Owner", "heartbeat", "owner_at", "stamp", "transition"]


class Event(Struct, frozen=True, omit_defaults=True):
    """One event. `generated` is UTC without a suffix; memory in MiB, disks in GB; what is not known is left out.

    `generated` and `instance_id` come first, so that encoded events sort by time and then by server.
    """

    generated: str
    instance_id: str
    event_type: str
    state: str
    instance_type: str
    instance_type_id: int
    vcpus: int
    memory_mb: int
    root_gb: int
    disk_gb: str
    ephemeral_gb: str
    project_id: str
    project_name: str
    tenant_id: str
    user_id: str
    user_name: str
    resource_id: str
    service: str
    request_id: str
    domain: str | UnsetType = UNSET
    host: str | UnsetType = UNSET
    volume_id: str | UnsetType = UNSET


class Owner(NamedTuple):
    """Names as they were at some time; an id stands in for a name that was never known."""

    project: str
    user: str
    domain: str | None


class Names:
    """What projects, users, domains and sizes were called when, from the ledger's records of one source."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._called: dict[tuple[Kind, str], list[tuple[datetime, Named]]] = {}
        self._flavors: dict[str, Flavor] = {}
        for _, observed, found in entries:
            if isinstance(found, Named) and found.name is not None:
                self._called.setdefault((found.kind, found.id), []).append((observed, found))
            elif isinstance(found, Flavor):
                self._flavors.setdefault(found.name, found)

    def at(self, kind: Kind, id: str, time: datetime) -> Named | None:
        """The name at a time (UTC), or the first that is known; none where none ever was."""
        called = self._called.get((kind, id))
        if not called:
            return None
        return next((named for observed, named in reversed(called) if observed <= time), called[0][1])

    def told(self, size: Size) -> Size:
        """A size with a name that stands for it alone.

        Of two sizes that a flavor's name has at one time, XDMoD loses the sessions of one. So the first that was seen
        keeps the name, and any other has its cores and MiB behind it.
        """
        first = self._flavors.get(size.name)
        if first is None or (first.vcpus, first.memory_mb) == (size.vcpus, size.memory_mb):
            return size
        return replace(size, name=f"{size.name}~{size.vcpus}x{size.memory_mb}")

    def changes(self, server: Server) -> list[datetime]:
        """When (UTC) a name changed that a server's events carry."""
        ids = [(Kind.PROJECT, server.project), (Kind.USER, server.user)]
        domains = {named.domain for _, named in self._called.get(ids[0], ()) if named.domain}
        called = [self._called.get(id, []) for id in [*ids, *((Kind.DOMAIN, domain) for domain in domains)]]
        return sorted(observed for names in called for observed, _ in names[1:])


def owner_at(names: Names, life: Life, time: datetime) -> Owner:
    """Who a server belonged to, by the names of that time."""
    project = names.at(Kind.PROJECT, life.server.project, time)
    user = names.at(Kind.USER, life.server.user, time)
    domain = names.at(Kind.DOMAIN, project.domain, time) if project and project.domain else None
    return Owner(
        fitted((project and project.name) or life.server.project, PROJECT_WIDTH),
        fitted((user and user.name) or life.server.user, 255),
        fitted(domain.name, DOMAIN_WIDTH) if domain and domain.name else None,
    )


def transition(life: Life, told: Transition, owner: Owner) -> Event:
    """The event that tells a transition."""
    return _event(life, told.at, told.event_type, told.state, told.size, told.host, owner, told.request, told.volume)


def heartbeat(life: Life, running: Running, at: datetime, owner: Owner) -> Event:
    """The event that says that a server ran at a time."""
    return _event(life, at, HEARTBEAT, State.ACTIVE, running.size, running.host, owner, "heartbeat", None)


def _event(
    life: Life,
    at: datetime,
    event_type: str,
    state: State,
    size: Size,
    host: str | None,
    owner: Owner,
    request: str,
    volume: str | None,
) -> Event:
    server = life.server
    return Event(
        generated=stamp(at),
        instance_id=fitted(server.id, 64),
        event_type=event_type,
        state=state,
        instance_type=fitted(size.name, 64),
        instance_type_id=_flavor_number(size),
        vcpus=size.vcpus,
        memory_mb=size.memory_mb,
        root_gb=size.disk_gb,
        disk_gb=str(size.disk_gb + size.ephemeral_gb),
        ephemeral_gb=str(size.ephemeral_gb),
        project_id=fitted(server.project, 64),
        project_name=owner.project,
        tenant_id=fitted(server.project, 64),
        user_id=fitted(server.user, 64),
        user_name=owner.user,
        resource_id=fitted(server.id, 64),
        service="compute",
        request_id=fitted(request, 64),
        domain=owner.domain or UNSET,
        host=fitted(host, HOST_WIDTH) if host else UNSET,
        volume_id=volume or UNSET,
    )


@lru_cache(100_000)  # all servers share the moments of the grid
def stamp(time: datetime) -> str:
    """A UTC time as `generated` has it: six decimals, no suffix."""
    return time.replace(tzinfo=None).isoformat(timespec="microseconds")


def _flavor_number(size: Size) -> int:
    """A number for a size that is the same wherever and whenever it is asked for (31 bits)."""
    return int.from_bytes(sha256(msgspec.json.encode(size)).digest()[:4]) >> 1


def as_record(event: Event) -> dict[str, Any]:
    """The event as the JSON object that its schema describes."""
    record: dict[str, Any] = msgspec.to_builtins(event)
    return record
