"""Which project owns which project of which cloud, by allocations and by the trees of Keystones."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from hierarchy.facts import Facts
from hierarchy.names import clean, plain
from hierarchy.records import Item, Key, Level
from hierarchy.settings import Cloud
from ledger.counts import counted
from ledger.ownership import Allocation, CloudProject, ProjectKey, ResearchProject

__all__ = ["Binding", "Bindings", "bindings"]

#: ColdFront's word for a project that is over, whatever becomes of its allocations.
_ARCHIVED = "Archived"


class Binding(NamedTuple):
    """A project of a cloud, its name there, and the project that owns it."""

    cloud: str
    id: str
    name: str
    project: ProjectKey


class Bindings(NamedTuple):
    """The projects in force, in ColdFront's order; what they own, cloud by cloud; and what has to be said about it."""

    projects: list[ResearchProject]
    cloud_projects: list[Binding]
    counts: dict[str, int]
    warnings: list[str]


def bindings(
    facts: Facts,
    clouds: Sequence[Cloud],
    in_force: Sequence[str],
    current: Mapping[Key, Item],
    called: Mapping[ProjectKey, str],
) -> Bindings:
    """What is in force: allocations in a status of `in_force`, on a configured cloud, of projects that are not over.

    `called` are the names that usage bears; where there has been none, ColdFront's counts.
    """
    of_resource = {cloud.coldfront_resource: cloud for cloud in clouds if cloud.coldfront_resource}
    open_projects = {
        project.subject: project for project in facts.present(ResearchProject) if project.status != _ARCHIVED
    }
    foreign, valid = Counter[str](), list[tuple[Cloud, Allocation]]()
    for allocation in sorted(facts.present(Allocation), key=lambda one: _order(one.source, one.id)):
        cloud = of_resource.get(allocation.resource or "")
        if allocation.status not in in_force or _owner(allocation) not in open_projects:
            continue
        if cloud is None:
            foreign[allocation.resource or ""] += 1
        else:
            valid.append((cloud, allocation))
    owners = {_owner(allocation) for _, allocation in valid}
    projects = sorted((open_projects[key] for key in owners), key=lambda one: _order(one.source, one.id))
    keystone = {project.subject: project for project in facts.present(CloudProject)}
    bound, warnings = _bound(valid, called, keystone, current)
    nested = list(_nested(bound, called, keystone))
    places = {cloud.name: place for place, cloud in enumerate(clouds)}
    everything = sorted([*bound.values(), *nested], key=lambda one: (places[one.cloud], one.id))
    counts = {"projects": len(projects), "cloud projects": len(everything)}
    if keystone:
        counts["of nobody"] = len(keystone.keys() - {f"{one.cloud}/{one.id}" for one in everything})
    return Bindings(projects, everything, counts, [*warnings, *_foreign(foreign)])


def _bound(
    valid: Sequence[tuple[Cloud, Allocation]],
    called: Mapping[ProjectKey, str],
    keystone: Mapping[ProjectKey, CloudProject],
    current: Mapping[Key, Item],
) -> tuple[dict[ProjectKey, Binding], list[str]]:
    """The cloud projects that allocations name. Where two projects claim one, it stays whose it was."""
    claims: dict[ProjectKey, list[Binding]] = defaultdict(list)
    for cloud, allocation in valid:
        if allocation.cloud_project:
            key = ProjectKey(f"{cloud.name}/{allocation.cloud_project}")
            listed = keystone[key].name if key in keystone else None
            known = (called.get(key), allocation.cloud_project_name, listed, allocation.cloud_project)
            name = next((plain(one) for one in known if one and clean(one)), key)
            claims[key].append(Binding(cloud.name, allocation.cloud_project, name, _owner(allocation)))
    names = {item.id: item.name for item in current.values() if item.level is Level.PROJECT}
    bound, warnings = dict[ProjectKey, Binding](), list[str]()
    for key, claiming in claims.items():
        before = current.get((Level.CLOUD_PROJECT, key))
        owner = names.get(before.parent) if before and before.parent else None
        bound[key] = next((claim for claim in claiming if claim.project == owner), claiming[0])
        if others := sorted({claim.project for claim in claiming} - {bound[key].project}):
            warnings.append(
                f"{key} is allocated to {bound[key].project} and to {', '.join(others)}: it is counted for"
                f" {bound[key].project}. Correct the allocations in ColdFront."
            )
    return bound, warnings


def _nested(
    bound: Mapping[ProjectKey, Binding], called: Mapping[ProjectKey, str], keystone: Mapping[ProjectKey, CloudProject]
) -> Iterator[Binding]:
    """The projects of a Keystone that lie below one that is owned, and are not owned themselves."""
    for key, project in keystone.items():
        above, seen = key, set[ProjectKey]()
        while above in keystone and above not in bound and above not in seen:
            seen.add(above)
            above = ProjectKey(f"{project.cloud}/{keystone[above].parent}")
        if above in bound and above != key:
            yield Binding(project.cloud, project.id, plain(called.get(key, project.name)), bound[above].project)


def _foreign(foreign: Mapping[str, int]) -> Iterator[str]:
    for resource, number in sorted(foreign.items()):
        if resource:
            yield (
                f'{counted(number, "allocations are")} of ColdFront\'s resource "{resource}", which is no configured'
                f' cloud, and left out. If it is one, set coldfront_resource = "{resource}" there.'
            )
        else:
            yield f"{counted(number, 'allocations are')} of no resource, and left out."


def _owner(allocation: Allocation) -> ProjectKey:
    return ProjectKey(f"{allocation.source}/{allocation.project}")


def _order(source: str, id: str) -> tuple[str, int, str]:
    """By numbers where ids are numbers, so that 10 comes after 9."""
    return source, int(id) if id.isdecimal() else 0, id
