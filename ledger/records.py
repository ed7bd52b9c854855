"""What was observed of a cloud, in the source's own terms: typed, immutable, UTC.

A record says which thing it is about (`subject`) and, where one subject has several, which of its parts (`identity`).
Both are the source's own ids; names are attributes. When it was observed is not part of it: the same content
observed again is the same record.
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, NewType

from msgspec import Struct

__all__ = [
    "Action",
    "DomainId",
    "Flavor",
    "Hypervisor",
    "HypervisorName",
    "InstanceId",
    "Kind",
    "Named",
    "ProjectId",
    "Record",
    "Server",
    "Size",
    "UserId",
    "VolumeId",
]

InstanceId = NewType("InstanceId", str)
ProjectId = NewType("ProjectId", str)
UserId = NewType("UserId", str)
DomainId = NewType("DomainId", str)
VolumeId = NewType("VolumeId", str)
HypervisorName = NewType("HypervisorName", str)


class Kind(StrEnum):
    """The kinds of record that the ledger holds."""

    SERVER = "server"
    ACTION = "action"
    PROJECT = "project"
    USER = "user"
    DOMAIN = "domain"
    HYPERVISOR = "hypervisor"
    FLAVOR = "flavor"
    PERSON = "person"
    RESEARCH_PROJECT = "research-project"
    ALLOCATION = "allocation"
    CLOUD_PROJECT = "cloud-project"
    MEMBERSHIP = "membership"
    ORGANIZATION = "organization"
    TREE_PROJECT = "tree-project"
    SHARE = "share"
    POD = "pod"
    NAMESPACE = "namespace"
    NODE = "node"
    CLAIM = "claim"


class Size(Struct, frozen=True):
    """What a flavor gives: memory in MiB, disks in GB. The name is the one that the flavor had at boot or resize."""

    name: str
    vcpus: int
    memory_mb: int
    disk_gb: int
    ephemeral_gb: int = 0


class Server(Struct, frozen=True, omit_defaults=True):
    """One server as Nova lists it. `size` is the flavor of that moment.

    `host` is the hypervisor's host name; none while a server is nowhere. `vanished` is set by us, not by Nova: the
    server is listed no more, though no deletion was seen.
    """

    kind: ClassVar[Kind] = Kind.SERVER
    identity: ClassVar[str] = ""

    id: InstanceId
    name: str
    project: ProjectId
    user: UserId
    status: str
    vm_state: str
    power_state: int
    created: datetime
    updated: datetime
    size: Size
    task_state: str | None = None
    launched: datetime | None = None
    terminated: datetime | None = None
    host: str | None = None
    volumes: tuple[VolumeId, ...] = ()
    vanished: bool = False

    @property
    def subject(self) -> str:
        return self.id

    @property
    def ended(self) -> bool:
        """Whether Nova calls it deleted, or it has vanished. (A restored server may keep the end that it once had.)"""
        return self.vanished or self.status == "DELETED"


class Action(Struct, frozen=True, omit_defaults=True):
    """One action that Nova recorded for a server. `finish` is the last sign of life that Nova has of it.

    `user` and `project` are the acting ones. `hosts` has, oldest first, the events of the action and the compute host
    that each ran on; it is empty where nothing depends on it and the events were not asked for.
    """

    kind: ClassVar[Kind] = Kind.ACTION

    server: InstanceId
    action: str
    request: str
    start: datetime
    finish: datetime
    failed: bool = False
    user: UserId | None = None
    project: ProjectId | None = None
    hosts: tuple[tuple[str, str], ...] = ()

    @property
    def subject(self) -> str:
        return self.server

    @property
    def identity(self) -> str:
        return f"{self.request}/{self.action}/{self.start:%Y%m%dT%H%M%S.%f}"


class Named(Struct, frozen=True, omit_defaults=True):
    """The name that a project, user or domain bears. `name` is none where Keystone never told one.

    `gone` says that Keystone no longer has it; the name is then the last one known.
    """

    identity: ClassVar[str] = ""

    kind: Kind
    id: str
    name: str | None
    domain: DomainId | None = None
    gone: bool = False

    @property
    def subject(self) -> str:
        return self.id


class Hypervisor(Struct, frozen=True, omit_defaults=True):
    """One hypervisor and the capacity that it offers to servers: cores, and memory in MiB.

    `service` is the compute host that events of actions name. `gone` says that Nova no longer lists it.
    """

    kind: ClassVar[Kind] = Kind.HYPERVISOR
    identity: ClassVar[str] = ""

    name: HypervisorName
    service: str
    vcpus: int
    memory_mb: int
    gone: bool = False

    @property
    def subject(self) -> str:
        return self.name


class Flavor(Struct, frozen=True):
    """One size, in cores and MiB, that a flavor's name has stood for. A name may have stood for several."""

    kind: ClassVar[Kind] = Kind.FLAVOR

    name: str
    vcpus: int
    memory_mb: int

    identity: ClassVar[str] = ""

    @property
    def subject(self) -> str:
        return f"{self.name}/{self.vcpus}x{self.memory_mb}"


Record = Server | Action | Named | Hypervisor | Flavor
