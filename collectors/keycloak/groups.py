"""Reads the groups of a realm, those within them, and who is in each."""

from collections.abc import Iterator
from typing import Annotated, NamedTuple
from urllib.parse import quote

import msgspec
from msgspec import Meta, Raw, Struct, field

from collectors.http import Missing
from collectors.keycloak.realm import RIGHTS, Progress, Realm, is_service_account, usable
from collectors.keycloak.settings import KeycloakSource
from ledger import ConfigurationError, Rejected, SourceUnavailable
from ledger.ownership import Membership, ProjectKey

__all__ = ["Memberships", "read_groups"]

#: What Keycloak has of a group or a member besides its names is not wanted.
_BRIEF = {"briefRepresentation": "true"}


class Memberships(NamedTuple):
    """Who is in which group, each once, and the members that cannot be used."""

    records: list[Membership]
    rejected: list[Rejected]


def read_groups(realm: Realm, settings: KeycloakSource, progress: Progress) -> Memberships:
    """Read every group of the realm with its own members; those of a group within it are not its members.

    Raises ConfigurationError where the account sees no group, and what `Realm.pages` raises.
    """
    groups = {group.id: group for group in _groups(realm, "/groups")}
    if not groups:
        raise ConfigurationError(f"{realm.name} shows this account no group. Set groups = false, or: {RIGHTS}")
    records: dict[tuple[str, str], Membership] = {}
    rejected: list[Rejected] = []
    for done, group in enumerate(groups.values(), 1):
        for member in _members(realm, group):
            if isinstance(member, Rejected):
                rejected.append(member)
            elif not is_service_account(member.username):
                project = ProjectKey(f"{settings.name}{group.path}")
                records[group.id, member.id] = Membership(project, member.id, "member", member.username)
        progress("groups", done, len(groups))
    return Memberships(list(records.values()), rejected)


class _Group(Struct):
    id: str
    path: str
    # Up to version 22 a list has the groups within each; later ones only count them.
    inner: list["_Group"] | None = field(name="subGroups", default=None)
    inner_count: int | None = field(name="subGroupCount", default=None)


_Name = Annotated[str, Meta(min_length=1)]


class _Member(Struct):
    id: _Name
    username: _Name


_member = msgspec.json.Decoder(_Member)


def _groups(realm: Realm, path: str) -> Iterator[_Group]:
    for page in realm.pages(path, _BRIEF):
        for row in page:
            yield from _family(realm, _group(realm, path, row))


def _group(realm: Realm, path: str, row: Raw) -> _Group:
    # Without this group it would look as if all its members had left.
    try:
        return msgspec.json.decode(row, type=_Group)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SourceUnavailable(
            f"{realm.name} answered GET {path} with a group that cannot be read ({error}). Nothing was recorded;"
            " set groups = false to do without."
        ) from error


def _family(realm: Realm, group: _Group) -> Iterator[_Group]:
    yield group
    if group.inner_count:
        try:
            yield from _groups(realm, f"/groups/{quote(group.id, safe='')}/children")
        except Missing:
            return  # deleted since it was listed, and all within it
    elif group.inner_count is None:
        for inner in group.inner or ():
            yield from _family(realm, inner)


def _members(realm: Realm, group: _Group) -> Iterator[_Member | Rejected]:
    try:
        for page in realm.pages(f"/groups/{quote(group.id, safe='')}/members", _BRIEF):
            for row in page:
                yield usable(row, f"group {group.path} of {realm.name}", _member.decode)
    except Missing:
        return  # deleted since it was listed
