"""What the ids in an XDMoD's sessions stand for; what XDMoD calls Unknown has no name here."""

from typing import NamedTuple

import duckdb

from reporter.attribution import Who
from reporter.sessions import inserted
from reporter.warehouse import Warehouse

__all__ = ["NOBODY", "NOT_TOLD", "UNKNOWN_ID", "XdmodNames", "XdmodPeople"]

#: The row of what is unknown, in every table of XDMoD that has one; people and organizations have -1.
UNKNOWN_ID, NOBODY = 1, -1
#: Instead of an organization's id, where sessions do not tell it.
NOT_TOLD = 0

#: The tables of names that the engine gets, each with an id and a name.
#: Those of projects and domains are of one resource, the unknown ones of none.
_NAMES = {
    "accounts": f"SELECT account_id, display FROM modw_cloud.account WHERE account_id <> {UNKNOWN_ID}",
    "domains": f"SELECT id, name FROM modw_cloud.domains WHERE id <> {UNKNOWN_ID}",
    "users": "SELECT id, username FROM modw.systemaccount WHERE true",
    "flavors": "SELECT instance_type_id, instance_type FROM modw_cloud.instance_type WHERE true",
    "hosts": f"SELECT host_id, hostname FROM modw_cloud.host WHERE host_id <> {UNKNOWN_ID}",
}
_PEOPLE = "SELECT person_id, long_name, organization_id FROM modw.piperson"
_ORGANIZATIONS = "SELECT id, long_name FROM modw.organization"


class XdmodNames(NamedTuple):
    """The names of one resource by XDMoD's ids."""

    accounts: dict[int, str]
    domains: dict[int, str]
    users: dict[int, str]
    flavors: dict[int, str]
    hosts: dict[int, str]

    @classmethod
    def read(cls, warehouse: Warehouse, resource: int) -> "XdmodNames":
        """Ask a warehouse for all of them."""
        return cls(
            *(
                {int(key): str(name) for key, name in rows if name is not None}
                for rows in (
                    warehouse.ask(f"{statement} AND resource_id = {resource}") for statement in _NAMES.values()
                )
            )
        )

    def write(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Give them to the engine: a table for each kind, with `id` and `name`."""
        for table, names in zip(_NAMES, self, strict=True):
            cursor.execute(f"CREATE OR REPLACE TABLE {table} (id BIGINT, name VARCHAR)")
            inserted(cursor, table, list(names.items()))


class XdmodPeople:
    """PIs by XDMoD's ids, each at the organization that a session names, or its own."""

    def __init__(self, warehouse: Warehouse) -> None:
        people = list(warehouse.ask(_PEOPLE))
        self._names = {int(key): name for key, name, _ in people if int(key) != NOBODY}
        self._homes = {int(key): int(home or NOBODY) for key, _, home in people}
        organizations = warehouse.ask(_ORGANIZATIONS)
        self._organizations = {int(key): name for key, name in organizations if int(key) != NOBODY}

    def who(self, person: int, organization: int) -> Who:
        """Return a PI at an organization, or at its own where that is not told."""
        home = self._homes.get(person, NOBODY) if organization == NOT_TOLD else organization
        name = self._names.get(person)
        return Who(self._organizations.get(home), name, None if name is None else str(person))
