"""What was observed of an OpenShift cluster in one window of time, in Prometheus's terms: typed, immutable, UTC.

A window is asked for in points, every `step` seconds, its two ends included; the ends of two windows that follow each
other are the same point. What is known of a pod in several windows is put together by `ledger.pods`.
"""

from datetime import datetime
from typing import ClassVar, NewType

from msgspec import Struct, field

from ledger.records import Kind
from ledger.tables import SUBJECT_WIDTH
from ledger.text import fitted

__all__ = [
    "Claim",
    "ClaimStretch",
    "Clustered",
    "Demand",
    "Namespace",
    "Node",
    "Pod",
    "PodKey",
    "Stretch",
]

#: What tells a pod apart: its uid, else namespace, name and first sample.
PodKey = NewType("PodKey", str)

_MOMENT = "%Y%m%dT%H%M%S"


class Demand(Struct, frozen=True, omit_defaults=True):
    """What a pod has asked for, and where it runs.

    CPU in cores, as exact decimal text without exponent; memory in bytes; none where the pod asks for nothing of it.
    `gpus` counts devices by the name of their resource, such as `nvidia.com/gpu`. `gpu_model` is the model that the
    node was last known to have; none where it never told one, or the pod has no GPU.
    """

    node: str
    cpu: str | None = None
    memory: int | None = None
    gpus: dict[str, int] = field(default_factory=dict)
    gpu_model: str | None = None
    cpu_limit: str | None = None
    memory_limit: int | None = None


class Stretch(Struct, frozen=True, omit_defaults=True):
    """Samples of a pod, none missing, that agree: from the `first` to the `last` of them, both included (UTC).

    With `between`, the pod was seen at neither time, but some time between them.
    """

    first: datetime
    last: datetime
    demand: Demand
    between: bool = False


class Pod(Struct, frozen=True, omit_defaults=True):
    """One pod in the window from `since` to `until` (UTC), sampled every `step` seconds.

    `created`, `started` and `completed` are what Kubernetes tells, none where it tells nothing. `uid` is none where
    only the name is known; the pod is then told apart by `begun`, its first sample. `phase` is `Succeeded` or `Failed`
    where it ended so. `labels` are those that were asked for.
    A pod without stretches used nothing in the window; what is told of it may concern the window before.
    """

    kind: ClassVar[Kind] = Kind.POD

    namespace: str
    name: str
    since: datetime
    until: datetime
    step: int
    uid: str | None = None
    begun: datetime | None = None
    created: datetime | None = None
    started: datetime | None = None
    completed: datetime | None = None
    owner_kind: str = ""
    owner_name: str = ""
    phase: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    stretches: tuple[Stretch, ...] = ()

    @property
    def subject(self) -> PodKey:
        if self.uid:
            return PodKey(self.uid)
        begun = self.begun or self.since
        return PodKey(fitted(f"{self.namespace}/{self.name}/{begun:{_MOMENT}}", SUBJECT_WIDTH))

    @property
    def identity(self) -> str:
        return f"{self.since:{_MOMENT}}"


class Namespace(Struct, frozen=True, omit_defaults=True):
    """The annotations and labels of a namespace from a time on (UTC), by the names that Prometheus gives them.

    `gone` says that it is listed no more.
    """

    kind: ClassVar[Kind] = Kind.NAMESPACE
    identity: ClassVar[str] = ""

    name: str
    since: datetime
    annotations: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    gone: bool = False

    @property
    def subject(self) -> str:
        return self.name


class Node(Struct, frozen=True, omit_defaults=True):
    """A node from a time on (UTC): the GPU model that it told last, and what it offers to pods.

    `allocatable` has amounts by resource, as exact decimal text: `cpu` in cores, `memory` in bytes.
    """

    kind: ClassVar[Kind] = Kind.NODE
    identity: ClassVar[str] = ""

    name: str
    since: datetime
    gpu_model: str | None = None
    machine: str | None = None
    allocatable: dict[str, str] = field(default_factory=dict)
    gone: bool = False

    @property
    def subject(self) -> str:
        return self.name


class ClaimStretch(Struct, frozen=True):
    """Samples of a claim, none missing, that agree in bytes: from the `first` to the `last`, both included (UTC)."""

    first: datetime
    last: datetime
    bytes: int


class Claim(Struct, frozen=True, omit_defaults=True):
    """One persistent volume claim in the window from `since` to `until` (UTC), sampled every `step` seconds."""

    kind: ClassVar[Kind] = Kind.CLAIM

    namespace: str
    name: str
    since: datetime
    until: datetime
    step: int
    storage_class: str = ""
    volume: str = ""
    stretches: tuple[ClaimStretch, ...] = ()

    @property
    def subject(self) -> str:
        return fitted(f"{self.namespace}/{self.name}", SUBJECT_WIDTH)

    @property
    def identity(self) -> str:
        return f"{self.since:{_MOMENT}}"


Clustered = Pod | Namespace | Node | Claim
