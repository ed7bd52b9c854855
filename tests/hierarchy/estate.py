"""What the sources of a site tell, set as a test needs it; kept and exported as the command does."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec.structs import replace
from sqlalchemy import select

from collectors.told import Told
from hierarchy import SOURCE, Cloud, CloudKind, HierarchySettings
from hierarchy.export import ExportedHierarchy, export_as_of, export_now
from hierarchy.keep import Kept, keep
from hierarchy.ownership_files import read_ownership_files
from ledger import Kind, Ledger, Mode
from ledger.database import connect, reading, upgrade
from ledger.ownership import Allocation, CloudProject, Membership, Owning, Person, PersonId, ResearchProject
from ledger.tables import hierarchy_item, hierarchy_rec

__all__ = ["IN_FORCE", "OCP", "STACK", "Estate", "at", "new_ledger"]

STACK = Cloud("stack", CloudKind.OPENSTACK, "openstack", "NERC", "")
OCP = Cloud("ocp-prod", CloudKind.OPENSHIFT, "openshift", "NERC-OCP", "")
IN_FORCE = ("Active", "Active (Needs Renewal)", "Renewal Requested")


def at(day: str) -> datetime:
    """Two o'clock (UTC) on a day."""
    return datetime.fromisoformat(day).replace(hour=2, tzinfo=UTC)


def new_ledger(folder: Path) -> str:
    """The URL of an empty ledger in SQLite, in that folder."""
    (folder / "ledger.sqlite").write_bytes(_empty())
    return f"sqlite:///{folder / 'ledger.sqlite'}"


@cache
def _empty() -> bytes:
    """An empty ledger's file: to copy it takes a tenth of the time that it takes to make one."""
    with TemporaryDirectory() as folder:
        engine = connect(f"sqlite:///{folder}/empty.sqlite")
        upgrade(engine)
        engine.dispose()
        return Path(folder, "empty.sqlite").read_bytes()


@dataclass
class Estate:
    """A site. What stands in its dictionaries is what its sources tell at the next run."""

    ledger: Ledger
    clouds: tuple[Cloud, ...] = (STACK, OCP)
    settings: HierarchySettings = field(default_factory=HierarchySettings)
    people: dict[str, Person] = field(default_factory=dict)
    projects: dict[str, ResearchProject] = field(default_factory=dict)
    allocations: dict[str, Allocation] = field(default_factory=dict)
    keystone: dict[str, CloudProject] = field(default_factory=dict)
    members: list[Membership] = field(default_factory=list)

    def person(self, id: str, institution: str | None, field: str | None, **more: Any) -> Person:
        """Add a person, or replace one."""
        said = {"username": f"{id}@example.org", "email": f"{id}@example.org", **more}
        institutions, fields = (tuple(filter(None, [value])) for value in (institution, field))
        self.people[id] = Person(PersonId(id), **{"institutions": institutions, "fields": fields, **said})
        return self.people[id]

    def project(self, id: str, title: str, pi: str, **more: Any) -> ResearchProject:
        """Add a project, or replace one; the PI by the id of a person."""
        called = self.people[pi].email if pi in self.people else pi
        self.projects[id] = ResearchProject("coldfront", id, title, called, more.pop("status", "Active"), **more)
        return self.projects[id]

    def allocation(self, id: str, project: str, cloud: Cloud, cloud_project: str | None, **more: Any) -> Allocation:
        """Add an allocation, or replace one."""
        said = {"status": "Active", "cloud_project_name": cloud_project, **more}
        self.allocations[id] = Allocation(
            "coldfront", id, project, resource=cloud.coldfront_resource, cloud_project=cloud_project, **said
        )
        return self.allocations[id]

    def close(self, allocation: str, status: str = "Expired") -> None:
        """Give an allocation another status."""
        self.allocations[allocation] = replace(self.allocations[allocation], status=status)

    def run(self, moment: datetime, *, without: tuple[str, ...] = (), accept: int | None = None) -> Kept:
        """Keep what the sources tell at a moment (UTC), except those that are not configured."""
        told = [
            Told("coldfront", moment, frozenset({Kind.RESEARCH_PROJECT, Kind.ALLOCATION}), self._coldfront(), [], []),
            Told("keycloak", moment, frozenset({Kind.PERSON}), list(self.people.values()), [], []),
        ]
        if self.keystone:
            kinds = frozenset({Kind.CLOUD_PROJECT, Kind.MEMBERSHIP})
            told.append(Told("stack", moment, kinds, [*self.keystone.values(), *self.members], [], []))
        told = [one for one in told if one.source not in without]
        placed = read_ownership_files(self.settings.ownership)
        with self.ledger.writer(SOURCE) as writer:
            run = writer.begin(Mode.SWEEP, None)
            return keep(self.ledger, writer, run, told, placed, self.settings, self.clouds, IN_FORCE, accept)

    def export(self, folder: Path, as_of: datetime | None = None, *, changed_only: bool = False) -> ExportedHierarchy:
        """Write the four files."""
        if as_of is not None:
            return export_as_of(self.ledger, self.clouds, folder, as_of)
        return export_now(self.ledger, self.clouds, folder, changed_only=changed_only)

    def csvs(self, folder: Path, as_of: datetime | None = None, *, changed_only: bool = False) -> dict[str, str]:
        """The four files, by name."""
        done = self.export(folder, as_of, changed_only=changed_only)
        return {file.name: (folder / file.name).read_text() for file in done.files}

    def history(self) -> list[tuple[Any, ...]]:
        """Every row of the history: id, time, type, name, status, shown name, parent."""
        chosen = select(hierarchy_rec).order_by(hierarchy_rec.c.create_ts, hierarchy_rec.c.id)
        with reading(self.ledger.engine) as connection:
            return [tuple(row) for row in connection.execute(chosen)]

    def present(self) -> dict[str, tuple[int, str, str, int | None]]:
        """The current items by name: id, status, shown name, parent."""
        chosen = select(hierarchy_item).order_by(hierarchy_item.c.id)
        with reading(self.ledger.engine) as connection:
            rows = list(connection.execute(chosen))
        return {f"{row.type} {row.name}": (row.id, row.status, row.display_name, row.parent_id) for row in rows}

    def _coldfront(self) -> list[Owning]:
        return [*self.projects.values(), *self.allocations.values()]
