"""Reads a Keycloak as a whole."""

from collectors.keycloak.groups import Memberships, read_groups
from collectors.keycloak.login import Login
from collectors.keycloak.realm import Progress, Realm
from collectors.keycloak.settings import KeycloakSource
from collectors.keycloak.users import read_users
from collectors.told import Told
from ledger import Kind

__all__ = ["read_keycloak"]


def read_keycloak(settings: KeycloakSource, login: Login, progress: Progress) -> Told:
    """Read the people of a realm, and who is in which group where the settings want groups.

    `progress` is told the part that is read, how much of it is done, and of how much. Raises ConfigurationError where
    the account, the address or an attribute's name is wrong, and SourceUnavailable where Keycloak fails or tells less
    than it has.
    """
    realm = Realm(settings, login)
    users = read_users(realm, settings, progress)
    groups = read_groups(realm, settings, progress) if settings.groups else Memberships([], [])
    # Whoever cannot be read is not gone.
    kinds = set[Kind]() if users.rejected else {Kind.PERSON}
    if settings.groups and not groups.rejected:
        kinds.add(Kind.MEMBERSHIP)
    return Told(
        source=settings.name,
        at=users.at,
        kinds=frozenset(kinds),
        records=[*users.people, *groups.records],
        rejected=[*users.rejected, *groups.rejected],
        warnings=[],
    )
