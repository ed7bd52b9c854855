"""What the API shows of a simulated cloud at the moment of its clock."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter

import msgspec
from msgspec import Struct

from demo.replay import Action, Body, Server, server_of
from demo.replay.store import IDENTITIES
from tests.simulation.estate import Estate, Load, hypervisor_body, inventories_body, provider_body
from tests.simulation.instance import Instance, State, server_body, zulu

UNLOADED = frozenset({"deleted", "shelved_offloaded"})


class _Listing(Struct, frozen=True):
    """All servers shown at one moment, and where each stands."""

    edits: int
    now: datetime
    servers: list[Server]
    places: dict[str, int]


class CloudView:
    """The API's side of a simulated cloud: a `Cloud` that a `Replay` can serve."""

    def __init__(self, start: datetime, seed: int) -> None:
        self.now = start
        self._chance = random.Random(seed)
        self._estate = Estate(self._chance)
        self._instances: dict[str, Instance] = {}
        self._edits = 0
        self._rows: dict[str, tuple[State, bool, Server]] = {}
        self._listing: _Listing | None = None

    @property
    def now(self) -> datetime:
        """The clock: whole seconds, UTC."""
        return self._now

    @now.setter
    def now(self, moment: datetime) -> None:
        if moment.tzinfo is None:
            raise ValueError(f"{moment} has no time zone")
        self._now = moment.astimezone(UTC).replace(microsecond=0)

    def servers(self) -> Sequence[Server]:
        """The servers, newest first, deleted ones included."""
        return self._listed().servers

    def place(self, server: str) -> int | None:
        """Where a server stands in `servers()`."""
        return self._listed().places.get(server)

    def actions(self, server: str) -> Sequence[Action]:
        """A server's actions, newest first."""
        return self._instances[server].actions(self._now)

    def hypervisors(self) -> Sequence[Body]:
        """The hosts with what runs on them."""
        loads: dict[str, Load] = {}
        for instance in self._instances.values():
            state = instance.shown(self._now)
            if state and state.host and state.vm_state not in UNLOADED:
                vcpus, memory, disk, running = loads.get(state.host, (0, 0, 0, 0))
                size = state.flavor
                loads[state.host] = vcpus + size.vcpus, memory + size.ram, disk + size.disk, running + 1
        hosts = self._estate.hosts(self._now).values()
        return [hypervisor_body(host, loads.get(host.name, (0, 0, 0, 0))) for host in hosts]

    def providers(self) -> Sequence[Body]:
        """The hosts as resource providers."""
        return [provider_body(host) for host in self._estate.hosts(self._now).values()]

    def inventories(self, provider: str) -> Body | None:
        """What a resource provider has to give."""
        hosts = self._estate.hosts(self._now).values()
        return next((inventories_body(host) for host in hosts if host.id == provider), None)

    def identities(self, kind: str) -> Mapping[str, Body]:
        """The `projects`, `users`, `domains` or `groups` by id."""
        return self._estate.identities(kind, self._now)

    def assignments(self) -> Sequence[Body]:
        """The roles as they were given."""
        return self._estate.assignments(self._now)

    def snapshot(self) -> Body:
        """The whole cloud at this moment, as a recording holds it."""
        servers = self.servers()
        return {
            "at": zulu(self._now),
            "servers": [msgspec.json.decode(server.body) for server in servers],
            "actions": {
                server.id: [msgspec.json.decode(action.whole()) for action in self.actions(server.id)]
                for server in servers
            },
            "hypervisors": list(self.hypervisors()),
            "providers": list(self.providers()),
            "inventories": {provider["uuid"]: self.inventories(provider["uuid"]) for provider in self.providers()},
            **{kind: list(self.identities(kind).values()) for kind in IDENTITIES},
            "role_assignments": list(self.assignments()),
        }

    def _listed(self) -> _Listing:
        known = self._listing
        if known and (known.edits, known.now) == (self._edits, self._now):
            return known
        edits, now = self._edits, self._now
        up = {name for name, host in self._estate.hosts(now).items() if host.up}
        newest_first = sorted(self._instances.values(), key=attrgetter("created", "number"), reverse=True)
        shown = ((instance, instance.shown(now)) for instance in newest_first)
        servers = [self._row(instance, state, state.host in up) for instance, state in shown if state]
        places = {server.id: place for place, server in enumerate(servers)}
        self._listing = _Listing(edits, now, servers, places)
        return self._listing

    def _row(self, instance: Instance, state: State, host_up: bool) -> Server:
        known = self._rows.get(instance.id)
        if known and known[0] is state and known[1] == host_up:
            return known[2]
        row = server_of(server_body(instance, state, host_up=host_up))
        self._rows[instance.id] = state, host_up, row
        return row
