"""What has to be told of a site before it is known who owns what."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from collectors.openshift import OpenShiftSource
from collectors.openstack import OpenStackSource

__all__ = ["Cloud", "CloudKind", "HierarchySettings", "clouds_of"]


class CloudKind(StrEnum):
    """What a cloud is, which decides the files that XDMoD is told of it by."""

    OPENSTACK = "openstack"
    OPENSHIFT = "openshift"


class Cloud(Struct, frozen=True):
    """One cloud as the hierarchy sees it; the fields are those of its source, see there."""

    name: str
    kind: CloudKind
    resource: str
    coldfront_resource: str | None
    prefix: str


class HierarchySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the hierarchy is kept.

    `ownership` are the site's own files, of its institutions, the tree of its projects and who pays for them. The
    Keystones of the OpenStack clouds in `keystone` are read. A run may deactivate as many items of a level as
    `accepted_removals`, or as `accepted_removals_percent` of it, whichever is more. `resources` is XDMoD's
    resources.json: no cloud that is not in it gets into the files.
    """

    ownership: tuple[Path, ...] = ()
    keystone: tuple[str, ...] = ()
    accepted_removals: int = 3
    accepted_removals_percent: float = 10
    resources: Path | None = None


def clouds_of(openstack: Iterable[OpenStackSource], openshift: Iterable[OpenShiftSource]) -> tuple[Cloud, ...]:
    """The clouds of a site, those of OpenStack first, in the order of the configuration."""
    return tuple(
        Cloud(source.name, kind, source.resource, source.coldfront_resource, source.prefix)
        for kind, sources in ((CloudKind.OPENSTACK, openstack), (CloudKind.OPENSHIFT, openshift))
        for source in sources
    )
