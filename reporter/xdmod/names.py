"""What the ids in an XDMoD's sessions stand for; what XDMoD calls Unknown has no name here."""

from typing import Literal

import duckdb

from reporter.attribution import Who
from reporter.sessions import inserted
from reporter.xdmod.warehouse import Warehouse

__all__ = ["NOBODY", "NOT_TOLD", "UNKNOWN_ID", "Kind", "XdmodNames", "XdmodPeople"]

#: The row of what is unknown, in every table of XDMoD that has one; people and organizations have -1.
UNKNOWN_ID, NOBODY = 1, -1
#: Instead of an organization's id, where sessions do not tell it.
NOT_TOLD = 0

Kind = Literal["accounts", "domains", "users", "flavors", "hosts"]

#: The tables of names that the engine gets, each with an id and a name.
#: Those of projects and domains are of one resource, the unknown ones of none.
_NAMES: dict[Kind, str] = {
    "accounts": f"SELECT account_id, display FROM modw_cloud.account WHERE account_id <> {UNKNOWN_ID}",
    "domains": f"SELECT id, name FROM modw_cloud.domains WHERE id <> {UNKNOWN_ID}",
    "users": "SELECT id, username FROM modw.systemaccount WHERE true",
    "flavors": "SELECT instance_type_id, instance_type FROM modw_cloud.instance_type WHERE true",
    "hosts": f"SELECT host_id, hostname FROM modw_cloud.host WHERE host_id <> {UNKNOWN_ID}",
}
_PEOPLE = "SELECT person_id, long_name, organization_id FROM modw.piperson"
_ORGANIZATIONS = "SELECT id, long_name FROM modw.organization"


class XdmodNames:
    """The names of one resource by XDMoD's ids; those of a kind are read when they are first asked for."""

    def __init__(self, warehouse: Warehouse, resource: int) -> None:
        self._warehouse, self._resource = warehouse, resource
        self._known = dict[Kind, dict[int, str]]()

    def __getitem__(self, kind: Kind) -> dict[int, str]:
        if kind not in self._known:
            rows = self._warehouse.ask(f"{_NAMES[kind]} AND resource_id = {self._resource}")
            self._known[kind] = {int(key): str(name) for key, name in rows if name is not None}
        return self._known[kind]

    def write(self, cursor: duckdb.DuckDBPyConnection, *kinds: Kind, empty: bool = False) -> None:
        """Give those of some kinds, or of all, to the engine: a table of `id` and `name` each, or an `empty` one."""
        for kind in kinds or _NAMES:
            cursor.execute(f"CREATE OR REPLACE TEMP TABLE {kind} (id BIGINT, name VARCHAR)")
            inserted(cursor, kind, [] if empty else list(self[kind].items()))

    def know(self) -> None:
        """Ask for all that was not asked for before."""
        for kind in _NAMES:
            self[kind]


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
