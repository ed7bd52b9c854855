"""ColdFront's core API: projects and allocations are told apart, and joined by the projects' lists of allocations."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec
from msgspec import Struct, field

from collectors.coldfront.rows import Id, Rows, Scalar, Table, text
from collectors.coldfront.settings import ColdFrontSource
from collectors.http import Service
from collectors.told import Told
from ledger import ConfigurationError, Kind, Rejected, SourceUnavailable
from ledger.ownership import Allocation, Membership, ProjectKey, ResearchProject

__all__ = ["read_core"]

_PROJECTS = "/api/projects/"
_ALLOCATIONS = "/api/allocations/"
_RESOURCES = "/api/resources/"


class _User(Struct):
    user: str | None = None
    role: str | None = None
    status: str | None = None


class _Shown(Struct):
    id: Id


class _Project(Struct):
    id: Id
    title: str
    status: str
    pi: str | None = None
    project_users: list[_User] | None = None
    allocations: list[_Shown] | None = None


class _Attribute(Struct):
    type: str = field(name="allocation_attribute_type")
    value: Scalar = None


class _Allocation(Struct):
    id: Id
    status: str
    project: str
    resource: str | None = None
    attributes: list[_Attribute] | None = field(name="allocation_attributes", default=None)


class _Resource(Struct):
    name: str


_PROJECT_TABLE = Table("Project", msgspec.json.Decoder(_Project), msgspec.json.Decoder(list[_Project]))
_ALLOCATION_TABLE = Table("Allocation", msgspec.json.Decoder(_Allocation), msgspec.json.Decoder(list[_Allocation]))


def read_core(
    service: Service, at: datetime, settings: ColdFrontSource, progress: Callable[[str, int, int], None]
) -> Told:
    """Read projects and allocations, and join them by id: titles are not unique. `at` is in UTC.

    Raises SourceUnavailable where the two do not fit together, and what `Service.get` raises.
    """
    progress("projects", 0, 0)
    asked = {"project_users": "true", "allocations": "true"}
    projects = _PROJECT_TABLE.rows(service, _PROJECTS, service.get(_PROJECTS, asked).body)
    progress("projects", len(projects.read), len(projects.read))
    asked = {"allocation_attributes": "true"}
    allocations = _ALLOCATION_TABLE.rows(service, _ALLOCATIONS, service.get(_ALLOCATIONS, asked).body)
    progress("allocations", len(allocations.read), len(allocations.read))

    owners = {shown.id: project.id for project in projects.read for shown in project.allocations or ()}
    _check(service, owners, projects, allocations)
    owned = [row for row in allocations.read if row.id in owners]
    orphans = [_orphan(service, row) for row in allocations.read if row.id not in owners]
    warnings = [warning for row in owned for warning in _doubled(row, settings)]
    names = _resource_names(service, owned, warnings)
    return Told(
        source=settings.name,
        at=at,
        kinds=_whole(projects, allocations),
        records=[
            *{row.id: _project(row, settings.name) for row in projects.read}.values(),
            *{row.id: _allocation(row, owners[row.id], names, settings) for row in owned}.values(),
            *dict.fromkeys(_members(projects.read, settings.name)),
        ],
        rejected=[*projects.rejected, *allocations.rejected, *orphans],
        warnings=warnings,
    )


def _whole(projects: Rows[_Project], allocations: Rows[_Allocation]) -> frozenset[Kind]:
    """What was read without a gap. An allocation whose project cannot be read has no owner, so it is set aside, too."""
    whole = set[Kind]()
    if not projects.rejected:
        whole.add(Kind.RESEARCH_PROJECT)
        if all(project.project_users is not None for project in projects.read):
            whole.add(Kind.MEMBERSHIP)
        if not allocations.rejected:
            whole.add(Kind.ALLOCATION)
    return frozenset(whole)


def _check(service: Service, owners: dict[Id, Id], projects: Rows[_Project], allocations: Rows[_Allocation]) -> None:
    """Raise SourceUnavailable unless both lists tell of the same allocations, as far as their rows could be read."""
    if allocations.read and all(row.attributes is None for row in allocations.read):
        raise SourceUnavailable(
            f"{service.name} was asked for the attributes of allocations, and told none at all. Nothing was recorded;"
            " without them no cloud project has an owner: its API must know allocation_attributes=true."
        )
    listed = {row.id for row in allocations.read}
    if not projects.rejected:
        for id in listed - owners.keys():
            raise SourceUnavailable(_misfit(service, id, "is in no project's list", "can_view_all_projects"))
    if not allocations.rejected:
        for id in owners.keys() - listed:
            fault = f"of project {owners[id]} is not in the list of allocations"
            raise SourceUnavailable(_misfit(service, id, fault, "can_view_all_allocations"))


def _misfit(service: Service, allocation: Id, fault: str, right: str) -> str:
    return (
        f"{service.name}: allocation {allocation} {fault}. Either ColdFront changed while it was read, or the account"
        f" may see all of one and not of the other. Nothing was recorded; run again, and if this stays so, give the"
        f" account {right}."
    )


def _orphan(service: Service, row: _Allocation) -> Rejected:
    reason = f"Allocation {row.id} of {service.name} cannot be used: the row of its project cannot be read"
    return Rejected(reason, msgspec.json.encode(row).decode())


def _resource_names(service: Service, rows: Iterable[_Allocation], warnings: list[str]) -> list[str]:
    """The names of resources, longest first; none where no allocation needs them to be told apart."""
    if not any("," in (row.resource or "") for row in rows):
        return []
    try:
        resources, _ = service.decoded(_RESOURCES, list[_Resource])
    except ConfigurationError as error:
        warnings.append(f"Allocations of several resources keep the names of all as one: {error}")
        return []
    return sorted((resource.name for resource in resources), key=len, reverse=True)


def _resource(joined: str | None, names: Iterable[str]) -> str | None:
    """The first of several resources. Names may have commas themselves, so that only the known ones can be told."""
    joined = text(joined)
    return next((name for name in names if joined and f"{joined},".startswith(f"{name},")), joined)


def _values(row: _Allocation, settings: ColdFrontSource) -> dict[str, list[str]]:
    """The different values of each attribute that matters, in the order in which they are told."""
    wanted = (settings.project_id_attribute, settings.project_name_attribute, settings.code_attribute)
    values: dict[str, list[str]] = {name: [] for name in wanted}
    for attribute in row.attributes or ():
        value = text(attribute.value)
        if value and attribute.type in values and value not in values[attribute.type]:
            values[attribute.type].append(value)
    return values


def _doubled(row: _Allocation, settings: ColdFrontSource) -> Iterator[str]:
    for name, (first, *others) in ((name, told) for name, told in _values(row, settings).items() if told):
        for other in others:
            yield (
                f'Allocation {row.id} of {settings.name} has "{name}" more than once: "{first}" is used, "{other}" is'
                " not. Delete in ColdFront the one that is wrong."
            )


def _allocation(row: _Allocation, project: Id, names: Iterable[str], settings: ColdFrontSource) -> Allocation:
    first = {name: next(iter(told), None) for name, told in _values(row, settings).items()}
    return Allocation(
        source=settings.name,
        id=str(row.id),
        project=str(project),
        status=row.status,
        resource=_resource(row.resource, names),
        cloud_project=first[settings.project_id_attribute],
        cloud_project_name=first[settings.project_name_attribute],
        code=first[settings.code_attribute],
    )


def _project(row: _Project, source: str) -> ResearchProject:
    return ResearchProject(source=source, id=str(row.id), title=row.title, pi=text(row.pi) or "", status=row.status)


def _members(rows: Iterable[_Project], source: str) -> Iterator[Membership]:
    for row in rows:
        for member in row.project_users or ():
            if member.user and member.status == "Active":
                yield Membership(ProjectKey(f"{source}/{row.id}"), member.user, member.role or "")
