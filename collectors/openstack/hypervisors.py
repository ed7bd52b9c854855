"""Reads what each hypervisor holds: from Nova as long as it says so, from Placement's inventories where it does not."""

from msgspec import Struct
from msgspec.structs import replace

from collectors.openstack.cloud import LAST_WITH_HYPERVISOR_SIZES, Cloud, Gone
from ledger import Hypervisor
from ledger.records import HypervisorName

__all__ = ["read_hypervisors"]

_PLACEMENT = (1, 4)


class _Service(Struct):
    host: str


class _Hypervisor(Struct):
    id: str
    hypervisor_hostname: HypervisorName
    service: _Service
    vcpus: int | None = None
    memory_mb: int | None = None


class _Page(Struct):
    hypervisors: list[_Hypervisor]
    hypervisors_links: list[dict[str, str]] = []


class _Inventory(Struct):
    total: int


class _Inventories(Struct):
    inventories: dict[str, _Inventory]


def read_hypervisors(cloud: Cloud, known: dict[HypervisorName, Hypervisor]) -> list[Hypervisor]:
    """Return every hypervisor that Nova lists and, marked as gone, those known that it lists no more.

    An answer without any is not taken for a cloud without hosts: then nothing is said of the known ones.
    """
    microversion = min(max(LAST_WITH_HYPERVISOR_SIZES, cloud.range[0]), cloud.range[1])
    pages = cloud.paged("/os-hypervisors/detail", {}, _Page, "hypervisors_links", microversion)
    seen = {}
    for found in (found for page, _ in pages for found in page.hypervisors):
        cores, memory = found.vcpus, found.memory_mb
        name = found.hypervisor_hostname
        if cores is None or memory is None:
            before = known.get(name)
            cores, memory = _inventory(cloud, found.id) or (before and (before.vcpus, before.memory_mb)) or (0, 0)
        seen[name] = Hypervisor(name, found.service.host, cores, memory)
    if not seen:
        return []
    return [*seen.values(), *(replace(host, gone=True) for name, host in known.items() if name not in seen)]


def _inventory(cloud: Cloud, provider: str) -> tuple[int, int] | None:
    """Cores (shared and pinned) and MiB of a resource provider; none where Placement does not know it."""
    try:
        answer, _ = cloud.decoded("placement", f"/resource_providers/{provider}/inventories", _Inventories, _PLACEMENT)
    except Gone:
        return None
    total = {name: inventory.total for name, inventory in answer.inventories.items()}
    return total.get("VCPU", 0) + total.get("PCPU", 0), total.get("MEMORY_MB", 0)
