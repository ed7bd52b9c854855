"""What has to be told of a Keycloak before it can be read."""

from pathlib import Path

from msgspec import Struct

__all__ = ["KeycloakSource"]


class KeycloakSource(Struct, frozen=True, forbid_unknown_fields=True):
    """One realm of a Keycloak. `url` ends in /auth where the site's paths begin so.

    `client` and the secret in `secret_file` are those of a service account that may view users. The attributes name a
    user's institution and field of science; the first of them that a user has counts. With `groups`, the members of
    groups are read, too. `page` users are asked for at once.
    """

    url: str
    realm: str
    client: str
    secret_file: Path
    name: str = "keycloak"
    institution_attribute: str = "cilogon_idp_name"
    field_attribute: str = "mss_research_domain"
    groups: bool = False
    page: int = 1000
