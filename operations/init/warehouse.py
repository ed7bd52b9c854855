"""What XDMoD's databases already have of a site's file: by this each step of its set-up tells whether it is needed."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pymysql

from ledger import ConfigurationError
from operations.init.accounts import connected
from operations.init.secrets import secret_of
from operations.init.site import Account, Read, Resource, Site

__all__ = ["Warehouse", "look"]

#: The last year that XDMoD's set-up makes periods for. Source: its DatabaseSetup.
_LAST_YEAR = 2038
#: What the server says where a database, table or column is not there, or no right in it.
_ABSENT = (1044, 1049, 1054, 1142, 1146)
_RESOURCES = """
SELECT r.code, r.name, t.abbrev, r.shared_jobs, r.timezone
FROM modw.resourcefact AS r LEFT JOIN modw.resourcetype AS t ON t.id = r.resourcetype_id
"""


class Warehouse:
    """XDMoD's databases, or none where nothing is there yet. Made by `look`."""

    def __init__(self, connection: Any, site: Site) -> None:
        self._connection, self._site = connection, site

    def has_schema(self) -> bool:
        """Whether XDMoD's set-up has come to the end of its tables: periods of time are its last."""
        years = self._rows("SELECT MAX(year) FROM modw.years")
        users = "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'moddb' AND TABLE_NAME = 'Users'"
        return bool(years and years[0][0] == _LAST_YEAR and self._rows(users))

    def has_modules(self) -> bool:
        """Whether `acl-config` has ever come to its end."""
        return bool(self._rows("SELECT 1 FROM moddb.modules LIMIT 1"))

    def has_rights(self) -> bool:
        """Whether `acl-config` has come to its end since there are resources."""
        return bool(self._rows("SELECT 1 FROM moddb.group_bys LIMIT 1"))

    def has_organization(self) -> bool:
        """Whether XDMoD has the organization by its names."""
        said = self._site.organization
        found = self._rows("SELECT name, abbrev FROM modw.organization WHERE id = 1")
        return bool(found) and _same((said.name, said.abbreviation), found[0])

    def has_types(self) -> bool:
        """Whether XDMoD has the types of all resources, and knows which realms they are of."""
        types = {row[0] for row in self._rows("SELECT abbrev FROM modw.resourcetype")}
        return {one.resource_type for one in self._site.resources} <= types

    def has_resources(self) -> bool:
        """Whether XDMoD has all resources as they are told, and the realms of their types.

        By what they are allocated cannot be told: XDMoD fills that in when it shreds.
        """
        found = {row[0]: row for row in self._rows(_RESOURCES)}
        realms = self._rows("SELECT 1 FROM moddb.resource_type_realms LIMIT 1")
        return bool(realms) and all(
            one.resource in found and _is_told(one, found[one.resource]) for one in self._site.resources
        )

    def has_administrator(self) -> bool:
        """Whether the portal has an account of that name."""
        return bool(self._rows("SELECT 1 FROM moddb.Users WHERE username = %s", self._site.administrator.user))

    def _rows(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        if self._connection is None:
            return []
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall())
        except pymysql.MySQLError as error:
            if error.args and error.args[0] in _ABSENT:
                return []
            raise


@contextmanager
def look(read: Read) -> Iterator[Warehouse]:
    """XDMoD's databases, by its own account; where that does not come in yet, by the administrator's.

    Where neither does, nothing of them is there as yet. Raises SourceUnavailable where the server does not answer.
    """
    database, folder = read.site.database, read.file.parent
    with ExitStack() as stack:
        connection = None
        for account, key in (
            (Account(database.user, database.password), "database.password"),
            (database.administrator, "database.administrator.password"),
        ):
            if account is not None and connection is None:
                with suppress(ConfigurationError):
                    password = secret_of(account.password, folder, key) if account.password else ""
                    connection = stack.enter_context(connected(database, account.user, password))
        yield Warehouse(connection, read.site)


def _is_told(one: Resource, row: tuple[Any, ...]) -> bool:
    _, name, kind, shared, zone = row
    return (
        _same((one.name,), (name,))
        and kind == one.resource_type
        and (one.shared_jobs is None or bool(shared) == one.shared_jobs)
        and (one.timezone is None or zone == one.timezone)
    )


def _same(wanted: tuple[str, ...], found: tuple[Any, ...]) -> bool:
    """Whether names are the same; XDMoD stores those beyond ASCII in a way that cannot be compared."""
    return all(one == other or not one.isascii() for one, other in zip(wanted, found, strict=True))
