"""What `check` looks at over the network: each service is asked for what a collection would ask for."""

from collections.abc import Iterator
from functools import partial

from msgspec import Struct

from collectors.coldfront import read_coldfront
from collectors.keycloak import Login, read_keycloak
from collectors.openshift import OpenShiftSource
from collectors.openshift.prometheus import Prometheus
from collectors.openstack import OpenStackSource
from ledger.counts import counted
from operations.configuration import Configuration
from operations.xdmod.check import Fine, Look

__all__ = ["SERVICES"]


class _Anything(Struct):
    """An answer of whose content nothing is wanted."""


def openstack(configuration: Configuration) -> Iterator[Look]:
    """Nova and Keystone of each cloud: whether the account sees all servers, projects, users and hosts."""
    for source in configuration.openstack:
        roles = source.name in configuration.hierarchy.keystone
        yield Look(f"OpenStack {source.name}", partial(_openstack, source, roles=roles))


def _openstack(source: OpenStackSource, *, roles: bool) -> Fine:
    # Only here is openstacksdk needed, and it takes long to load.
    from collectors.openstack.cloud import LAST_WITH_HYPERVISOR_SIZES, Cloud
    from collectors.openstack.ownership import read_ownership
    from collectors.openstack.servers import check_role

    cloud = Cloud.connect(source)
    at = check_role(cloud)
    hypervisors = max(LAST_WITH_HYPERVISOR_SIZES, cloud.range[0])
    cloud.decoded("compute", "/os-hypervisors/detail", _Anything, min(hypervisors, cloud.range[1]))
    for path in ("/projects?limit=1", "/users?limit=1", "/domains?limit=1"):
        cloud.decoded("identity", path, _Anything)
    if roles:
        read_ownership(cloud, source)
    also = ", hosts, projects, users and roles" if roles else ", hosts, projects and users"
    version = ".".join(map(str, cloud.microversion))
    return Fine(f"Nova {version} shows servers of all projects, deleted ones too{also}", at)


def openshift(configuration: Configuration) -> Iterator[Look]:
    """The Prometheus of each cluster that is read: its address, its certificate and the token."""
    for source in configuration.openshift:
        if source.url:
            yield Look(f"OpenShift {source.name}", partial(_openshift, source))


def _openshift(source: OpenShiftSource) -> Fine:
    prometheus = Prometheus(source)
    return Fine(f"{prometheus.name} answers queries", prometheus.now())


def coldfront(configuration: Configuration) -> Iterator[Look]:
    """ColdFront: whether the account is shown projects and allocations."""
    settings = configuration.coldfront
    if settings is None:
        return

    def at() -> Fine:
        login = Login(configuration.keycloak) if configuration.keycloak else None
        told = read_coldfront(settings, login, _quietly)
        return Fine(
            f"{settings.url} tells {counted(len(told.records), 'records')} of projects, allocations and members",
            told.at,
        )

    yield Look("ColdFront", at)


def keycloak(configuration: Configuration) -> Iterator[Look]:
    """Keycloak: its client, the role of its account, and the attributes that are wanted."""
    settings = configuration.keycloak
    if settings is None:
        return

    def at() -> Fine:
        told = read_keycloak(settings, Login(settings), _quietly)
        told_of = counted(len(told.records), "records of people and members")
        return Fine(f'realm "{settings.realm}" at {settings.url} tells {told_of}', told.at)

    yield Look("Keycloak", at)


def _quietly(part: str, done: int, total: int) -> None:
    """Show no progress."""


SERVICES = (openstack, openshift, coldfront, keycloak)
