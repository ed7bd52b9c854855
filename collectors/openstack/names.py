"""Reads what projects, users and domains are called, and remembers those that Keystone has forgotten."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from collectors.openstack.cloud import Cloud, Gone
from ledger import Kind, Named
from ledger.records import DomainId

__all__ = ["KINDS", "read_names"]

#: Keystone's word for each kind, in its paths.
KINDS = {Kind.PROJECT: "projects", Kind.USER: "users", Kind.DOMAIN: "domains"}


class _Item(Struct):
    id: str
    name: str
    domain_id: DomainId | None = None


class _Lists(Struct):
    """Keystone's lists; only the field of the kind that was asked for is there."""

    projects: list[_Item] | None = None
    users: list[_Item] | None = None
    domains: list[_Item] | None = None


class _One(Struct):
    project: _Item | None = None
    user: _Item | None = None
    domain: _Item | None = None


def read_names(cloud: Cloud, kind: Kind, wanted: Iterable[str], known: dict[str, Named]) -> list[Named]:
    """Return the names of all that is wanted or known of one kind.

    What Keystone no longer has keeps its last name and is marked as gone; what it never named has none.
    """
    listed = _listed(cloud, kind)
    names = []
    for id in sorted({*wanted, *known}):
        before = known.get(id)
        if item := listed.get(id):
            names.append(_named(kind, item))
        elif before and before.gone:
            names.append(before)
        else:
            names.append(_asked(cloud, kind, id) or replace(before or Named(kind, id, None), gone=True))
    return names


def _listed(cloud: Cloud, kind: Kind) -> dict[str, _Item]:
    path = f"/{KINDS[kind]}"
    answer, _ = cloud.decoded("identity", path, _Lists)
    items: list[_Item] = msgspec.structs.asdict(answer)[KINDS[kind]] or []
    return {item.id: item for item in items}


def _asked(cloud: Cloud, kind: Kind, id: str) -> Named | None:
    """Ask for one: a list can be cut short by the site, or leave out users that come from elsewhere."""
    try:
        answer, _ = cloud.decoded("identity", f"/{KINDS[kind]}/{id}", _One)
    except Gone:
        return None
    item: _Item | None = msgspec.structs.asdict(answer)[kind]
    return _named(kind, item) if item else None


def _named(kind: Kind, item: _Item) -> Named:
    return Named(kind, item.id, item.name, item.domain_id)
