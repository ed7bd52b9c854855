"""A rate card as records: what service units are, what they cost, and when nothing is charged."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from usage.rates.spans import Span

__all__ = ["RESOURCES", "Amount", "Card", "Flavor", "Hours", "Quota", "Rate", "Rounding", "Size", "Unit", "Window"]

Amount = int | Fraction | Decimal
Rounding = Literal["exact", "floor", "ceil"]
Hours = Literal["exact", "ceil_per_instance", "ceil_total", "min_1h_per_session"]

#: Where several resources need the same number of units, the first is said to have decided.
#: Source: NERC's pod report.
RESOURCES = ("gpus", "vcpus", "memory_mib", "disk_gb", "storage_gib")

#: A server without any of these is one of which they are not known; a quota or a root disk may well be 0.
_NEVER_ZERO = frozenset({"gpus", "vcpus", "memory_mib"})

_ROUNDED: Mapping[Rounding, Callable[[Fraction], Fraction]] = {
    "exact": lambda count: count,
    "floor": lambda count: Fraction(math.floor(count)),
    "ceil": lambda count: Fraction(math.ceil(count)),
}


class Size(Struct, frozen=True):
    """What a server or a pod has: memory in MiB, root disk in GB; None is unknown, and not 0.

    `gpu_type` is what the source calls the GPUs. `places` are the resource, and the aggregates that its host is in.
    """

    flavor: str | None
    vcpus: Amount | None
    memory_mib: Amount | None
    disk_gb: Amount | None = None
    gpus: int | None = None
    gpu_type: str | None = None
    places: tuple[str, ...] = ()


class Quota(Struct, frozen=True):
    """What a project may store, in GiB; None is unknown. `flavor` is the kind of storage."""

    flavor: str | None
    storage_gib: Amount | None
    places: tuple[str, ...] = ()


class Window(NamedTuple):
    """`[since, until)` in whole seconds since 1970, UTC; None is open."""

    since: int | None = None
    until: int | None = None

    def holds(self, second: int) -> bool:
        """Whether a second lies in it."""
        return (self.since is None or self.since <= second) and (self.until is None or second < self.until)

    def overlaps(self, other: "Window") -> bool:
        """Whether both have a second in common."""
        return _before(self.since, other.until) and _before(other.since, self.until)


def _before(since: int | None, until: int | None) -> bool:
    return since is None or until is None or since < until


class Unit(Struct, frozen=True):
    """What one service unit holds, by names of RESOURCES and in their order, and what it counts within its window."""

    name: str
    per: tuple[tuple[str, int], ...]
    rounding: Rounding = "exact"
    scale: Mapping[str, Decimal] = {}
    flavors: tuple[str, ...] = ()
    gpu_types: tuple[str, ...] = ()
    window: Window = Window()

    def takes(self, size: Size | Quota) -> bool:
        """Whether it counts such a thing.

        A unit that names neither flavors nor types of GPU counts only what is known to have no GPU, so that no GPU
        passes for none.
        """
        if (self.per[0][0] == "storage_gib") != isinstance(size, Quota):
            return False
        if self.flavors and not _like(size.flavor, self.flavors):
            return False
        if isinstance(size, Quota):
            return True
        if self.gpu_types:
            return size.gpus != 0 and _like(size.gpu_type, self.gpu_types)
        return bool(self.flavors) or (size.gpus == 0 and size.gpu_type is None)

    def count(self, size: Size | Quota) -> tuple[Fraction, str] | None:
        """Return how many units something counts, and the resource that decided; None where a size is not known.

        Source: NeCTAR's, NERC's OpenStack and NERC's OpenShift definitions are the greatest of such ratios.
        """
        needed = list[tuple[Fraction, str]]()
        for resource, held in self.per:
            has: Amount | None = getattr(size, resource)
            if has is None or has < 0 or (has == 0 and resource in _NEVER_ZERO):
                return None
            needed.append((Fraction(has) / held, resource))
        most, by = max(needed, key=lambda one: one[0])
        factor = max((self.scale[place] for place in size.places if place in self.scale), default=Decimal(1))
        return _ROUNDED[self.rounding](most) * Fraction(factor), by


def _like(name: str | None, patterns: Iterable[str]) -> bool:
    """Whether the first of the patterns that fits a name takes it: one with a `!` in front leaves out what fits."""
    fitting = (one for one in patterns if name is not None and fnmatchcase(name, one.removeprefix("!")))
    return not next(fitting, "!").startswith("!")


class Flavor(Struct, frozen=True):
    """What servers of some flavors, told by patterns, have of GPUs, for sources that do not tell."""

    names: tuple[str, ...]
    gpus: int
    gpu_type: str | None = None


class Rate(Struct, frozen=True):
    """What one unit costs for one hour, in the card's currency."""

    unit: str
    price: Decimal
    window: Window


class Card(Struct, frozen=True):
    """All that a file of rates says. Of several units that would count something, the first does.

    No two units of one name, and no two rates of one unit, hold at the same second. `outages` neither touch nor
    overlap, and are ordered. `resources` are those that it is for; none: any. Of several flavors that fit, the first
    does.
    """

    currency: str
    units: Sequence[Unit]
    rates: Sequence[Rate]
    outages: Sequence[Span] = ()
    billable_states: frozenset[str] = frozenset({"active"})
    hours: Hours = "exact"
    flavors: Sequence[Flavor] = ()
    resources: frozenset[str] = frozenset()

    def sized(self, size: Size) -> Size:
        """Return a size with the GPUs that the card says its flavor has.

        Without an entry that fits it is known to have none only if the card counts no GPUs at all.
        """
        for one in self.flavors:
            if _like(size.flavor, one.names):
                return replace(size, gpus=one.gpus, gpu_type=one.gpu_type)
        return replace(size, gpus=None if self._counts_gpus else 0, gpu_type=None)

    @property
    def _counts_gpus(self) -> bool:
        return any(unit.gpu_types or any(resource == "gpus" for resource, _ in unit.per) for unit in self.units)
