"""A site of any size: a ColdFront and a Keycloak that tell who owns what over HTTP, and the ten years before that."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.managers import BaseManager
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import insert

from hierarchy.history import current
from hierarchy.records import Item, ItemId, Level
from ledger.database import connect, reading, upgrade, writing
from ledger.tables import hierarchy_rec
from tests.real.keycloak import FIELD, INSTITUTION, Keycloak, person

__all__ = ["NOW", "Estate", "Extent", "served"]

#: Ten years of nightly runs lie between these.
_BEGIN, NOW = datetime(2016, 1, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, 2, tzinfo=UTC)
_NIGHTS = (NOW - _BEGIN).days
_FIELDS = 7
_SITE = """[ledger]
url = "{ledger}"
[[openstack]]
name = "stack"
resource = "stack"
cloud = "stack"
coldfront_resource = "NERC"
[[openshift]]
name = "ocp"
resource = "ocp"
coldfront_resource = "NERC-OCP"
"""
_COLDFRONT = '[coldfront]\nurl = "{url}"\n'
_KEYCLOAK = '[keycloak]\nurl = "{url}"\nrealm = "cloud"\nclient = "xdmod-cloud"\nsecret_file = "keycloak.secret"\n'


class Extent(NamedTuple):
    """How many there are of each; every project has an allocation of OpenStack, and one in ten one of OpenShift."""

    people: int
    projects: int = 0
    institutions: int = 7


class Estate:
    """The sources of a site, at work in threads until the process ends; what they tell may be changed meanwhile."""

    def __init__(self, extent: Extent, delay: float) -> None:
        self._keycloak = Keycloak([_user(number, extent) for number in range(extent.people)], delay=delay).__enter__()
        self._allocations = [row for number in range(extent.projects) for row in _allocations(number, extent)]
        self._coldfront = _ColdFront()
        Thread(target=self._coldfront.serve_forever, daemon=True).start()

    def set_up(self, folder: Path, ledger: str) -> dict[str, str]:
        """Write a configuration and make its ledger; returns the environment in which the command finds them."""
        upgrade(connect(ledger))
        (folder / "keycloak.secret").write_text(self._keycloak.secret)
        tables = [_SITE.format(ledger=ledger), _KEYCLOAK.format(url=self._keycloak.url)]
        if self._allocations:
            tables.append(_COLDFRONT.format(url=self._coldfront.url))
        (folder / "xdmod-cloud.toml").write_text("".join(tables))
        return {"XDMOD_CLOUD_CONFIG": str(folder / "xdmod-cloud.toml")}

    def tell(self, at: datetime) -> int:
        """Tell from now on what is, as of a time (UTC); returns how many things that are."""
        self._keycloak.at = self._coldfront.at = at
        self._coldfront.body = msgspec.json.encode(self._allocations)
        projects = {row["project"]["id"] for row in self._allocations}
        return len(self._keycloak.users) + len(projects) + len(self._allocations)

    def change(self) -> None:
        """In one of a hundred cases a PI moves, a project gets another title, an allocation ends."""
        for number, user in enumerate(self._keycloak.users[::100]):
            user["attributes"][INSTITUTION] = [f"University {number % 7}"]
        for row in self._allocations[33::100]:
            row["project"]["title"] += ", continued"
        for row in self._allocations[66::100]:
            row["status"] = "Expired"

    def fill(self, ledger: str, rows: int) -> None:
        """Give the items of a ledger a past, so that its history has so many rows."""
        engine = connect(ledger)
        with reading(engine) as connection:
            items = list(current(connection))
        with writing(engine) as connection:
            for night in _nights(items, rows - len(items)):
                connection.execute(insert(hierarchy_rec), night)
        engine.dispose()


class _Elsewhere(BaseManager):
    """A process of its own: the memory of whoever starts a command is counted as the command's."""


_Elsewhere.register("estate", Estate)


@contextmanager
def served(extent: Extent, delay: float = 0) -> Iterator[Estate]:
    """A site at work in another process; Keycloak answers so many seconds late."""
    with _Elsewhere() as process:
        yield process.estate(extent, delay)  # type: ignore[attr-defined]


def _nights(items: list[Item], rows: int) -> Iterator[list[dict[str, Any]]]:
    """The rows of one night after the other; every item appears after those above it, and none in the last year."""
    random, upper = Random(rows), (Level.INSTITUTION, Level.FIELD)
    fields = [item.id for item in items if item.level is Level.FIELD]
    first = sum(item.level in upper for item in items)
    items = sorted(items, key=lambda item: (item.level not in upper, _top(item), item.id))
    written = known = 0
    for night in range(_NIGHTS):
        before, known = known, min(len(items), first + len(items) * 10 * night // (9 * _NIGHTS))
        wanted = min(known, (rows - written) // (_NIGHTS - night))
        changed = sorted({*range(before, known), *random.sample(range(known), wanted)})
        written += len(changed)
        yield [_past(items[place], _BEGIN + timedelta(days=night), random, fields) for place in changed]


def _top(item: Item) -> int:
    """A project of a cloud appears together with the project that owns it."""
    return (item.parent if item.level is Level.CLOUD_PROJECT else None) or item.id


def _past(item: Item, at: datetime, random: Random, fields: list[ItemId]) -> dict[str, Any]:
    """A state in which an item may have been: a PI elsewhere, a project inactive, whatever else under another name."""
    moving, lasting = item.level is Level.PI, item.level in (Level.INSTITUTION, Level.FIELD)
    return {
        "id": item.id,
        "create_ts": at,
        "type": item.level.value,
        "name": item.name,
        "status": "Active" if moving or lasting or random.random() > 0.1 else "Inactive",
        "display_name": item.display if moving else f"{item.display} {random.randrange(100)}",
        "parent_id": random.choice(fields) if moving else item.parent,
    }


def _user(number: int, extent: Extent) -> dict[str, Any]:
    institution, field = f"University {number % extent.institutions}", f"field {number % _FIELDS}"
    return person(number, attributes={INSTITUTION: [institution], FIELD: [field]})


def _allocations(number: int, extent: Extent) -> Iterator[dict[str, Any]]:
    """The allocations of one project, as the list of OpenStack and OpenShift sites has them."""
    pi = number % extent.people
    project = {
        "id": number + 1,
        "title": f"Project {number}",
        "pi": f"user-{pi:05}@university.example",
        "description": f"What project {number} is about, in a sentence or two as their PIs write them.",
        "field_of_science": f"field {pi % _FIELDS}",
        "status": "Active",
    }
    for nth, (resource, kind) in enumerate((("NERC", "OpenStack"), ("NERC-OCP", "OpenShift"))):
        if nth == 0 or number % 10 == 0:
            cloud_project = f"project-{number}-{kind.lower()}"
            yield {
                "id": 2 * number + nth + 1,
                "project": project,
                "description": "",
                "resource": {"name": resource, "resource_type": kind},
                "status": "Active",
                "attributes": {
                    "Allocated Project ID": f"{number:032x}" if nth == 0 else cloud_project,
                    "Allocated Project Name": cloud_project,
                    "Institution-Specific Code": f"C-{number}",
                    "OpenStack Compute vCPU Quota": 20,
                    "OpenStack Compute RAM Quota (MiB)": 81920,
                    "OpenStack Volume Quota (GiB)": 500,
                },
            }


class _ColdFront(ThreadingHTTPServer):
    """Answers whatever is asked with the same list, at a time of its own."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url, self.body, self.at = f"http://127.0.0.1:{self.server_port}", b"[]", NOW


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _ColdFront

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002
        return format_datetime(self.server.at, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""
