"""The admin API of one realm: its lists, page by page and row by row."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from collectors.http import Missing, Service
from collectors.keycloak.login import Login
from collectors.keycloak.settings import KeycloakSource
from ledger import ConfigurationError, Rejected, SourceUnavailable

__all__ = ["RIGHTS", "Progress", "Realm", "is_service_account", "usable"]

T = TypeVar("T")
Progress = Callable[[str, int, int], None]

#: What a service account lacks that may not read.
RIGHTS = (
    "Give the client's service account the role view-users of the client realm-management,"
    " and query-groups too where groups are read."
)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)


class Realm:
    """Reads one realm. `name` is what messages call its Keycloak."""

    def __init__(self, settings: KeycloakSource, login: Login) -> None:
        self.name, self._realm = f'Keycloak "{settings.name}"', settings.realm
        self._service = Service(self.name, settings.url, login, RIGHTS)
        self._root = f"/admin/realms/{quote(settings.realm, safe='')}"
        self._page = self._full = settings.page

    def count(self) -> tuple[int, datetime]:
        """The number of users, and Keycloak's time. Raises what `Service.decoded` raises."""
        path = f"{self._root}/users/count"
        try:
            return self._service.decoded(path, int)
        except Missing as error:
            raise ConfigurationError(
                f'{self.name} gave a token for realm "{self._realm}" at {self._service.base}, but does not know GET'
                f" {path} there. Correct url or realm: /auth may be missing, or the admin API be shut off."
            ) from error

    def pages(self, path: str, query: Mapping[str, str], at_least: int = 0) -> Iterator[list[Raw]]:
        """The rows of a list. A short page is the last one, unless fewer rows than `at_least` have come so far.

        Raises what `Service.decoded` raises, and SourceUnavailable for a list without end; Missing where the list
        belongs to something that is gone.
        """
        received, before = 0, list[Raw]()
        while True:
            asked = {**query, "first": str(received), "max": str(self._page)}
            page, _ = self._service.decoded(self._root + path, list[Raw], asked)
            received += len(page)
            yield page
            short = len(page) < self._full
            if not page or (short and received >= at_least):
                return
            if short:
                # This server hands out fewer rows than it is asked for, also of the lists to come.
                self._full = len(page)
            if page == before:
                raise SourceUnavailable(
                    f"{self.name} gives the same page of {path} over and over. Nothing was recorded; check whether"
                    " what stands before it passes on the parameters first and max."
                )
            before = page


class _Known(Struct):
    id: str | None = None
    username: str | None = None


def usable(row: Raw, what: str, read: Callable[[Raw], T]) -> T | Rejected:
    """Read one row of a list of users; one that lacks what it must have is set aside whole."""
    try:
        return read(row)
    except _UNREADABLE as error:
        return Rejected(f"User {_named(row)} in {what} cannot be used: {error}", bytes(row).decode(errors="replace"))


def is_service_account(username: str) -> bool:
    """Whether a user stands for a client; no person's name may begin so."""
    return username.startswith("service-account-")


def _named(row: Raw) -> str:
    try:
        known = msgspec.json.decode(row, type=_Known)
    except _UNREADABLE:
        known = _Known()
    return known.username or known.id or "without a name"
