"""Who held the namespaces of a cluster at a time, by what was known then."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from hierarchy.csvs import group_key
from hierarchy.facts import SOURCE
from hierarchy.held import Held
from hierarchy.history import as_of
from hierarchy.records import UNKNOWN, Item, ItemId, Level
from hierarchy.settings import Cloud
from ledger import Kind, Ledger
from ledger.database import reading
from ledger.ownership import Allocation, Owning, ProjectKey, ResearchProject

__all__ = ["held_namespaces"]


def held_namespaces(ledger: Ledger, cloud: Cloud, moment: datetime) -> dict[str, Held]:
    """The namespaces of a cluster that had an owner, by name, as it was known at a moment (UTC)."""
    with reading(ledger.engine) as connection:
        items = {state.item.id: state.item for state in as_of(connection, moment)}
    if not items:
        return {}
    told = list(_told(ledger, moment))
    projects = {one.subject: one for one in told if isinstance(one, ResearchProject)}
    allocations = {
        one.cloud_project: one
        for one in told
        if isinstance(one, Allocation)
        and one.cloud_project
        and one.resource == cloud.coldfront_resource
        and not one.gone
    }
    start = f"{cloud.name}/"
    return {
        name: _held(cloud, items, item, projects, allocations.get(name))
        for item in items.values()
        if item.level is Level.CLOUD_PROJECT and item.name.startswith(start) and (name := item.name.removeprefix(start))
    }


def _held(
    cloud: Cloud,
    items: Mapping[ItemId, Item],
    item: Item,
    projects: Mapping[ProjectKey, ResearchProject],
    allocation: Allocation | None,
) -> Held:
    above = {one.level: one for one in _chain(items, item)}
    key = ProjectKey(above[Level.PROJECT].name) if Level.PROJECT in above else ProjectKey("")
    institution = above[Level.INSTITUTION].display if Level.INSTITUTION in above else ""
    project = projects.get(key)
    return Held(
        group=group_key(cloud.prefix, item.display),
        name=item.display,
        project=_number(key.rpartition("/")[2]),
        allocation=_number(allocation.id) if allocation else None,
        pi=project.pi if project else "",
        institution="" if institution == UNKNOWN else institution,
        code=(allocation.code or "") if allocation else "",
    )


def _chain(items: Mapping[ItemId, Item], item: Item) -> Iterator[Item]:
    above: Item | None = item
    while above is not None:
        yield above
        above = items.get(above.parent) if above.parent is not None else None


def _told(ledger: Ledger, moment: datetime) -> Iterator[Owning]:
    """The newest records of projects and allocations that were known at a moment, by what they are about."""
    mark = ledger.watermark(SOURCE)
    if mark is None:
        return
    for kind in (Kind.RESEARCH_PROJECT, Kind.ALLOCATION):
        newest = dict[str, Owning]()
        for entry in ledger.entries(SOURCE, kind, mark.seq):
            if entry.observed <= moment and isinstance(entry.record, Owning):
                newest[entry.record.subject] = entry.record
        yield from newest.values()


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and int(text) < 2**31 else None
