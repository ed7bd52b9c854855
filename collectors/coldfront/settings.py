"""What has to be told of a ColdFront before it can be read."""

from pathlib import Path

from msgspec import Struct

__all__ = ["ColdFrontSource"]


class ColdFrontSource(Struct, frozen=True, forbid_unknown_fields=True):
    """One ColdFront. Its allocations are at `url` + /api/allocations.

    `name` begins the keys of its projects. With `token_file`, the token in it is presented; without, the token of the
    Keycloak. The attribute names are those of the site's allocations. Allocations in one of `in_force` are in force.
    """

    url: str
    name: str = "coldfront"
    token_file: Path | None = None
    project_id_attribute: str = "Allocated Project ID"
    project_name_attribute: str = "Allocated Project Name"
    code_attribute: str = "Institution-Specific Code"
    in_force: tuple[str, ...] = ("Active", "Active (Needs Renewal)", "Renewal Requested")
