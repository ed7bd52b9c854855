"""What has to be told of an OpenShift cluster."""

from msgspec import Struct

__all__ = ["OpenShiftSource"]


class OpenShiftSource(Struct, frozen=True, forbid_unknown_fields=True):
    """One cluster.

    `name` is what the ledger calls it; `resource` what XDMoD calls it; `coldfront_resource` what ColdFront calls it.
    `prefix` stands before the names of its namespaces where XDMoD would take them for projects of other clouds.
    """

    name: str
    resource: str
    coldfront_resource: str | None = None
    prefix: str = ""
