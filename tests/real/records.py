"""Sessions written into a warehouse as an XDMoD would have recorded them, and taken out again."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import count
from typing import Any

from tests.real.mariadb import MariaDB
from usage import Session

__all__ = ["Records"]

_RESOURCE = 99
#: The rows of the dump have smaller ids.
_IDS = 9000
_NODES = "modw.fieldofscience_hierarchy"
_TABLES = (
    *(f"modw_cloud.{name}" for name in ("session_records", "instance", "account", "domains", "host", "instance_type")),
    "modw.systemaccount",
)
#: What has the same name and value in XDMoD.
_ALIKE = [
    name for name in Session.__struct_fields__ if name not in ("instance", "host", "project", "username", "domain")
]


class Records:
    """The sessions of the resource `sim` in a warehouse."""

    def __init__(self, server: MariaDB) -> None:
        self._server, self._ids = server, count(_IDS)
        self._seen: dict[tuple[str, str], int] = {}

    def clear(self) -> None:
        """Take everything out, the resource as well."""
        self._server.execute(
            *(f"DELETE FROM {table} WHERE resource_id = {_RESOURCE}" for table in _TABLES),
            f"DELETE FROM {_NODES} WHERE id >= {_IDS}",
            f"DELETE FROM modw.resourcefact WHERE id = {_RESOURCE}",
        )
        self._seen = {}

    def put(
        self,
        sessions: Iterable[Session],
        *,
        modified: datetime | None = None,
        node: Callable[[Session], str | None] = lambda _: None,
    ) -> None:
        """Let these be all sessions, written at a time (UTC; by default now), each below a node of the hierarchy."""
        told = list(sessions)
        self.clear()
        self._insert("modw.resourcefact", id=_RESOURCE, organization_id=1, name="Sim", code="sim")
        at = (modified or datetime.now(UTC)).timestamp()
        for one in told:
            self._insert(
                "modw_cloud.session_records",
                **{name: getattr(one, name) for name in _ALIKE},
                **self._ids_of(one, node(one)),
                resource_id=_RESOURCE,
                start_time=_shown(one.start_time_ts),
                end_time=_shown(one.end_time_ts),
                last_modified=_shown(at),
                instance_type_id=1,
                service_provider=1,
                person_id=-1,
            )

    def define(self, flavor: str, cores: int, memory_mb: int, since: int) -> None:
        """Let a flavor's name stand for a size from a second on."""
        size = {"num_cores": cores, "memory_mb": memory_mb, "start_time": since}
        names = {"resource_id": _RESOURCE, "instance_type": flavor, "display": flavor}
        self._insert("modw_cloud.instance_type", **names, **size)

    def _ids_of(self, one: Session, node: str | None) -> dict[str, int]:
        mine, unknown = {"resource_id": _RESOURCE}, {"parent_description": "-", "directorate_description": "-"}
        account = {"person_id": -1, "system_account_origin_id": next(self._ids)}
        numbers = {"parent_id": 1, "directorate_id": 1, "order_id": 1}
        project = {"provider_account": one.project, **mine}
        return {
            "instance_id": self._id("modw_cloud.instance", "instance_id", "provider_identifier", one.instance, mine),
            "host_id": self._id("modw_cloud.host", "host_id", "hostname", one.host, mine),
            "account_id": self._id("modw_cloud.account", "account_id", "display", one.project, project),
            "domain_id": self._id("modw_cloud.domains", "id", "name", one.domain, mine),
            "systemaccount_id": self._id("modw.systemaccount", "id", "username", one.username, mine | account),
            "fos_id": self._id(_NODES, "id", "description", node, numbers | unknown),
        }

    def _id(self, table: str, id: str, column: str, name: str | None, more: dict[str, Any]) -> int:
        """The id of a name in a table, where it comes if it is new."""
        if name is None:
            return -1 if column == "username" else 1
        if (table, name) not in self._seen:
            self._seen[table, name] = next(self._ids)
            self._insert(table, **{id: self._seen[table, name], column: name, **more})
        return self._seen[table, name]

    def _insert(self, table: str, **values: Any) -> None:
        with self._server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION sql_mode = '', time_zone = '+00:00'")
            places = ", ".join(["%s"] * len(values))
            cursor.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", list(values.values()))


def _shown(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
