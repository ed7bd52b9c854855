"""Nova's answers, read field by field, and the records that they make."""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from msgspec import Raw, Struct, field

from ledger import Action, Rejected, Server, Size
from ledger.records import InstanceId, ProjectId, UserId, VolumeId

__all__ = ["ActionPage", "ActionShown", "ServerPage", "action_records", "server_id", "server_record"]


class _Identified(Struct):
    id: InstanceId | None = None


class ServerPage(Struct):
    servers: list[Raw]
    servers_links: list[dict[str, str]] = []


class _Flavor(Struct):
    original_name: str
    vcpus: int
    ram: int
    disk: int
    ephemeral: int = 0


class _Volume(Struct):
    id: VolumeId


class _Server(Struct):
    id: InstanceId
    name: str
    status: str
    tenant_id: ProjectId
    user_id: UserId
    created: datetime
    updated: datetime
    flavor: _Flavor
    vm_state: str = field(name="OS-EXT-STS:vm_state")
    task_state: str | None = field(name="OS-EXT-STS:task_state", default=None)
    power_state: int = field(name="OS-EXT-STS:power_state", default=0)
    launched: datetime | None = field(name="OS-SRV-USG:launched_at", default=None)
    terminated: datetime | None = field(name="OS-SRV-USG:terminated_at", default=None)
    host: str | None = field(name="OS-EXT-SRV-ATTR:host", default=None)
    node: str | None = field(name="OS-EXT-SRV-ATTR:hypervisor_hostname", default=None)
    volumes: list[_Volume] = field(name="os-extended-volumes:volumes_attached", default=[])


_server = msgspec.json.Decoder(_Server)


def server_id(answer: Raw) -> InstanceId | None:
    """The id of a server, also of one that cannot be used otherwise."""
    try:
        return msgspec.json.decode(answer, type=_Identified).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def server_record(answer: Raw) -> Server | Rejected:
    """Read one server of a list; one that lacks what a server must have is set aside whole."""
    try:
        seen = _server.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        named = server_id(answer) or "without an id"
        return Rejected(
            f"Server {named} in Nova's list cannot be used: {error}", bytes(answer).decode(errors="replace")
        )
    return Server(
        id=seen.id,
        name=seen.name,
        project=seen.tenant_id,
        user=seen.user_id,
        status=seen.status,
        vm_state=seen.vm_state,
        power_state=seen.power_state,
        created=_utc(seen.created),
        updated=_utc(seen.updated),
        size=Size(
            seen.flavor.original_name, seen.flavor.vcpus, seen.flavor.ram, seen.flavor.disk, seen.flavor.ephemeral
        ),
        task_state=seen.task_state,
        launched=seen.launched and _utc(seen.launched),
        terminated=seen.terminated and _utc(seen.terminated),
        host=seen.node or seen.host,
        volumes=tuple(sorted(volume.id for volume in seen.volumes)),
    )


class _Action(Struct):
    action: str
    request_id: str
    start_time: datetime
    user_id: UserId | None = None
    project_id: ProjectId | None = None
    message: str | None = None
    updated_at: datetime | None = None


class ActionPage(Struct):
    actions: list[_Action] = field(name="instanceActions")
    links: list[dict[str, str]] = []


class _Event(Struct):
    event: str
    start_time: datetime
    host: str | None = None


class _Events(Struct):
    events: list[_Event] = []


class ActionShown(Struct):
    """One action with its events, which only Nova's answer about that very action has."""

    shown: _Events = field(name="instanceAction")

    @property
    def hosts(self) -> tuple[tuple[str, str], ...]:
        """The events that say where they ran, oldest first, and the compute host of each."""
        ordered = list(self.shown.events)
        ordered.reverse()
        ordered.sort(key=lambda event: event.start_time)
        return tuple((event.event, event.host) for event in ordered if event.host)


def action_records(server: InstanceId, answers: Iterable[_Action]) -> list[Action]:
    """Read a server's actions, which Nova lists newest first, into records, oldest first."""
    return [
        Action(
            server=server,
            action=seen.action,
            request=seen.request_id,
            start=_utc(seen.start_time),
            finish=_utc(seen.updated_at or seen.start_time),
            failed=seen.message is not None,
            user=seen.user_id,
            project=seen.project_id,
        )
        for seen in reversed(list(answers))
    ]


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
