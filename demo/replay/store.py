"""What the server answers from: a cloud at a moment, recorded or simulated."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct

#: The JSON object of one thing in an answer.
Body = dict[str, Any]

#: What has an id in Keystone.
IDENTITIES = ("projects", "users", "domains", "groups")


class Server(Struct, frozen=True):
    """One server; `changed` is what `changes-since` compares with, `listed_as_deleted` also true of a soft deletion."""

    id: str
    project: str
    changed: datetime
    deleted: bool
    listed_as_deleted: bool
    scheduling: bool
    body: bytes


class Action(Struct, frozen=True):
    """One action: the object the list shows, and the array of its events."""

    request: str
    listed: bytes
    events: bytes

    def whole(self) -> bytes:
        """The object with its events."""
        return self.listed[:-1] + b',"events":' + self.events + b"}"


class Cloud(Protocol):
    """A cloud at the moment its clock shows; servers and actions newest first, deleted servers included."""

    now: datetime

    def servers(self) -> Sequence[Server]: ...

    def place(self, server: str) -> int | None:
        """Where a server stands in `servers()`."""

    def actions(self, server: str) -> Sequence[Action]: ...

    def hypervisors(self) -> Sequence[Body]: ...

    def providers(self) -> Sequence[Body]: ...

    def inventories(self, provider: str) -> Body | None: ...

    def identities(self, kind: str) -> Mapping[str, Body]:
        """The `projects`, `users`, `domains` or `groups` by id; a group has the ids of its `users` besides."""

    def assignments(self) -> Sequence[Body]:
        """The roles as they were given, in the form in which Keystone lists them with names."""


def instant(text: str) -> datetime:
    """Read a time as OpenStack writes it, with `Z` or without; both are UTC."""
    read = datetime.fromisoformat(text)
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def changed(body: Body) -> datetime:
    """When a server's row last changed."""
    ended = body["OS-SRV-USG:terminated_at"]
    return max(instant(body["updated"]), instant(ended)) if ended else instant(body["updated"])


def server_of(body: Body, encoded: bytes | None = None) -> Server:
    """A server as it is served, from its JSON object."""
    return Server(
        id=body["id"],
        project=body["tenant_id"],
        changed=changed(body),
        deleted=body["status"] == "DELETED",
        listed_as_deleted=body["status"] in ("DELETED", "SOFT_DELETED"),
        scheduling=body["OS-EXT-STS:task_state"] == "scheduling",
        body=encoded or msgspec.json.encode(body),
    )


def action_of(body: Body) -> Action:
    """An action as it is served, from its JSON object with events."""
    listed = {name: value for name, value in body.items() if name != "events"}
    return Action(body["request_id"], msgspec.json.encode(listed), msgspec.json.encode(body.get("events", [])))


class Snapshot:
    """A whole cloud as it was at one moment."""

    def __init__(self, recorded: Body) -> None:
        self.at = instant(recorded["at"])
        newest_first = sorted(recorded["servers"], key=lambda body: instant(body["created"]), reverse=True)
        self.servers = [server_of(body) for body in newest_first]
        self.places = {server.id: place for place, server in enumerate(self.servers)}
        self.actions = {
            server: [action_of(body) for body in actions] for server, actions in recorded.get("actions", {}).items()
        }
        self.hypervisors: list[Body] = recorded.get("hypervisors", [])
        self.providers: list[Body] = recorded.get("providers", [])
        self.inventories: dict[str, Body] = recorded.get("inventories", {})
        self.identities: dict[str, dict[str, Body]] = {
            kind: {body["id"]: body for body in recorded.get(kind, [])} for kind in IDENTITIES
        }
        self.assignments: list[Body] = recorded.get("role_assignments", [])


class Recording:
    """Snapshots of one cloud; shows the newest that is not later than the clock, or the first."""

    def __init__(self, recorded: Body) -> None:
        self._snapshots = sorted(map(Snapshot, recorded["snapshots"]), key=lambda snapshot: snapshot.at)
        if not self._snapshots:
            raise ValueError("the recording holds no snapshot")
        self.now = self._snapshots[-1].at

    @classmethod
    def read(cls, path: Path) -> "Recording":
        """The recording in a JSON file."""
        return cls(msgspec.json.decode(path.read_bytes()))

    @property
    def now(self) -> datetime:
        """The clock."""
        return self._now

    @now.setter
    def now(self, moment: datetime) -> None:
        self._now = moment
        past = [snapshot for snapshot in self._snapshots if snapshot.at <= moment]
        self._shown = past[-1] if past else self._snapshots[0]

    @property
    def moments(self) -> list[datetime]:
        """When the snapshots were taken."""
        return [snapshot.at for snapshot in self._snapshots]

    def servers(self) -> Sequence[Server]:
        return self._shown.servers

    def place(self, server: str) -> int | None:
        return self._shown.places.get(server)

    def actions(self, server: str) -> Sequence[Action]:
        return self._shown.actions.get(server, ())

    def hypervisors(self) -> Sequence[Body]:
        return self._shown.hypervisors

    def providers(self) -> Sequence[Body]:
        return self._shown.providers

    def inventories(self, provider: str) -> Body | None:
        return self._shown.inventories.get(provider)

    def identities(self, kind: str) -> Mapping[str, Body]:
        return self._shown.identities[kind]

    def assignments(self) -> Sequence[Body]:
        return self._shown.assignments
