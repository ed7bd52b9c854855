"""Reads the people of a realm, and makes sure that they are all there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Raw, Struct

from collectors.keycloak.realm import RIGHTS, Progress, Realm, is_service_account, usable
from collectors.keycloak.settings import KeycloakSource
from ledger import ConfigurationError, Rejected, SourceUnavailable
from ledger.counts import counted
from ledger.ownership import Person, PersonId

__all__ = ["Users", "read_users"]


class Users(NamedTuple):
    """The people of a realm, in its order; what cannot be used of its list; and Keycloak's time before it was read."""

    people: list[Person]
    rejected: list[Rejected]
    at: datetime


def read_users(realm: Realm, settings: KeycloakSource, progress: Progress) -> Users:
    """Read every user of the realm.

    Raises ConfigurationError where the account sees no user or no user has an attribute that is configured, and
    SourceUnavailable where fewer come than there are.
    """
    before, at = realm.count()
    rows: dict[str, Person | Rejected] = {}
    moved = _add(rows, realm, before, settings, progress)
    after, _ = realm.count()
    if moved or after != before:
        # Who is deleted while pages are read draws somebody else from the next page onto one that was read already.
        _add(rows, realm, after, settings, progress)
        after, _ = realm.count()
    _check_number(realm, len(rows), min(before, after))
    people = [row for row in rows.values() if isinstance(row, Person) and not is_service_account(row.username)]
    rejected = [row for row in rows.values() if isinstance(row, Rejected)]
    _check_people(realm, people, rejected)
    _check_attributes(realm, people, settings)
    return Users(people, rejected, at)


def _add(
    rows: dict[str, Person | Rejected], realm: Realm, count: int, settings: KeycloakSource, progress: Progress
) -> bool:
    """Read the list once; return whether a user was in it twice, as happens when the list moves meanwhile."""
    seen, received = set[str](), 0
    for page in realm.pages("/users", {"briefRepresentation": "false"}, count):
        for row in page:
            read = usable(row, f"the list of {realm.name}", lambda row: _person(row, settings))
            key = read.id if isinstance(read, Person) else read.body
            rows[key] = read
            seen.add(key)
        received += len(page)
        progress("users", received, max(received, count))
    return len(seen) < received


def _check_number(realm: Realm, read: int, expected: int) -> None:
    if read < expected:
        raise SourceUnavailable(
            f"{realm.name} has {counted(expected, 'users')}, but its list ended after {read}. Nothing was recorded; run"
            f" again later. If this stays so, its account does not see them all. {RIGHTS}"
        )


def _check_people(realm: Realm, people: Sequence[Person], rejected: Sequence[Rejected]) -> None:
    if rejected and not people:
        raise SourceUnavailable(
            f"{realm.name} lists no user that can be used. {rejected[0].reason}. Nothing was recorded; check its url."
        )
    if not people:
        raise ConfigurationError(f"{realm.name} shows this account no user at all. Correct realm. {RIGHTS}")


def _check_attributes(realm: Realm, people: Sequence[Person], settings: KeycloakSource) -> None:
    expected = {
        "institution_attribute": (settings.institution_attribute, any(person.institutions for person in people)),
        "field_attribute": (settings.field_attribute, any(person.fields for person in people)),
    }
    missing = {key: name for key, (name, found) in expected.items() if name and not found}
    if missing:
        names = " or ".join(f'"{name}"' for name in missing.values())
        raise ConfigurationError(
            f"{realm.name} shows no user with the attribute {names}. From version 24 on Keycloak hides attributes that"
            " the realm's user profile does not declare: under Realm settings, User profile, add each with permission"
            ' for admin to view, or set "Unmanaged attributes" to "Only administrators can view". If the site calls it'
            f' otherwise, correct {" and ".join(missing)}; "" says that it has none.'
        )


_Name = Annotated[str, Meta(min_length=1)]


class _User(Struct, rename="camel"):
    id: _Name
    username: _Name
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    enabled: bool = True
    # Raw, because the attributes that nobody asked for may hold anything.
    attributes: dict[str, Raw] | None = None


_user = msgspec.json.Decoder(_User)
_values = msgspec.json.Decoder(list[str | None])


def _person(row: Raw, settings: KeycloakSource) -> Person:
    seen = _user.decode(row)
    return Person(
        id=PersonId(seen.id),
        username=seen.username,
        email=(seen.email or "").strip(),
        first=(seen.first_name or "").strip(),
        last=(seen.last_name or "").strip(),
        enabled=seen.enabled,
        institutions=_attribute(seen, settings.institution_attribute),
        fields=_attribute(seen, settings.field_attribute),
    )


def _attribute(seen: _User, name: str) -> tuple[str, ...]:
    values = (seen.attributes or {}).get(name) if name else None
    stripped = ((value or "").strip() for value in _values.decode(values)) if values else ()
    return tuple(value for value in stripped if value)
