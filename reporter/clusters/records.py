"""What a report of an OpenShift cluster says, as typed records: reckoned exactly, and rounded only here."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from reporter.periods import Period

__all__ = ["ClusterReport", "PodSum", "ServiceLine", "Tenant"]


class Tenant(Struct, frozen=True):
    """Whom an invoice of a namespace is for; what is not known is empty."""

    name: str = ""
    pi: str = ""
    institution: str = ""
    code: str = ""


class PodSum(Struct, frozen=True):
    """What the pods of a namespace, or of a class in one, used: core seconds, byte seconds and GPU seconds, exact.

    Of `seconds`, in some nothing was asked for of CPU, or of memory: these are in no core or byte seconds.
    """

    name: str
    pods: int
    seconds: int
    core_seconds: Decimal
    byte_seconds: int
    gpu_seconds: int
    seconds_without_cpu: int
    seconds_without_memory: int
    outage_seconds: int


class ServiceLine(Struct, frozen=True):
    """What a namespace, or a class in one, comes to for one service unit at one price.

    `units` are the unit hours after rounding as the card says; none where they cannot be counted: then `hours` are what
    is known, those of the pods, rounded up where the card rounds up. `finding` says why there is no price.
    """

    name: str
    unit: str
    price: Decimal | None
    finding: str | None
    seconds: int
    units: Decimal | None
    hours: Decimal
    cost: Decimal


class ClusterReport(Struct, frozen=True):
    """A cluster in a period. `known_to` is up to when it was read (UTC).

    `findings` counts pods by the reason why they have no price, `oddities` those of which not all can be taken as it
    was told. `rates` is the rate card's file and `digest` its SHA-256, where there is one. `total` is of unrounded
    costs, so that those of the lines may differ from it in the last place.
    """

    source: str
    resource: str
    period: Period
    known_to: datetime
    namespaces: tuple[PodSum, ...]
    classes: tuple[PodSum, ...]
    oddities: dict[str, int]
    currency: str | None = None
    rates: str | None = None
    digest: str | None = None
    lines: tuple[ServiceLine, ...] = ()
    class_lines: tuple[ServiceLine, ...] = ()
    findings: dict[str, int] = {}
    total: Decimal | None = None
