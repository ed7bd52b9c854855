"""The allocation list of OpenStack and OpenShift sites: one request tells allocations together with their projects."""

from datetime import datetime

import msgspec
from msgspec import Struct

from collectors.coldfront.rows import Id, Scalar, Table, text
from collectors.coldfront.settings import ColdFrontSource
from collectors.http import Service
from collectors.told import Told
from ledger import Kind
from ledger.ownership import Allocation, ResearchProject

__all__ = ["told_by_list"]


class _Project(Struct):
    id: Id
    title: str
    status: str
    pi: str | None = None
    field_of_science: str | None = None


class _Resource(Struct):
    name: str | None = None


class _Allocation(Struct):
    id: Id
    project: _Project
    status: str
    resource: _Resource | None = None
    attributes: dict[str, Scalar] | None = None


_TABLE = Table("Allocation", msgspec.json.Decoder(_Allocation), msgspec.json.Decoder(list[_Allocation]))


def told_by_list(service: Service, path: str, body: bytes, at: datetime, settings: ColdFrontSource) -> Told:
    """Read the answer that the list gave at that time (UTC).

    It tells neither who belongs to a project, nor of projects that have no allocation.
    """
    rows = _TABLE.rows(service, path, body)
    projects: dict[Id, ResearchProject] = {}
    allocations: dict[Id, Allocation] = {}
    for row in rows.read:
        # The rows are not told at one instant: where they disagree about a project, the later one knows better.
        projects[row.project.id] = _project(row.project, settings.name)
        allocations[row.id] = _allocation(row, settings)
    return Told(
        source=settings.name,
        at=at,
        kinds=frozenset() if rows.rejected else frozenset({Kind.RESEARCH_PROJECT, Kind.ALLOCATION}),
        records=[*projects.values(), *allocations.values()],
        rejected=rows.rejected,
        warnings=[],
    )


def _project(row: _Project, source: str) -> ResearchProject:
    return ResearchProject(
        source=source,
        id=str(row.id),
        title=row.title,
        pi=text(row.pi) or "",
        status=row.status,
        field=text(row.field_of_science),
    )


def _allocation(row: _Allocation, settings: ColdFrontSource) -> Allocation:
    values = row.attributes or {}
    return Allocation(
        source=settings.name,
        id=str(row.id),
        project=str(row.project.id),
        status=row.status,
        resource=text(row.resource.name) if row.resource else None,
        cloud_project=text(values.get(settings.project_id_attribute)),
        cloud_project_name=text(values.get(settings.project_name_attribute)),
        code=text(values.get(settings.code_attribute)),
    )
