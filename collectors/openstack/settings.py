"""What has to be told of an OpenStack cloud before it can be read."""

from msgspec import Struct

__all__ = ["OpenStackSource"]


class OpenStackSource(Struct, frozen=True, forbid_unknown_fields=True):
    """One cloud and region.

    `name` is what the ledger calls it; `cloud` its entry in clouds.yaml; `resource` what XDMoD calls it. Each run reads
    again what changed within `overlap_seconds` before the last one, and exports nothing younger than that; every
    `sweep_hours` it reads everything. `workers` connections are used at once. `coldfront_resource` is what ColdFront
    calls this cloud, and `prefix` stands before the names of its projects where XDMoD would take them for those of
    others.
    """

    name: str
    cloud: str
    resource: str
    region: str | None = None
    workers: int = 16
    overlap_seconds: int = 300
    sweep_hours: float = 24
    coldfront_resource: str | None = None
    prefix: str = ""
