"""One project with all that is known of whom it belongs to, at one moment."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from hierarchy.facts import Facts, facts_as_of
from hierarchy.fundings import Fundings, Tree
from hierarchy.history import as_of
from hierarchy.names import folded
from hierarchy.records import Item, ItemId, Level
from ledger import Ledger
from ledger.database import reading
from ledger.ownership import Membership, Person, ResearchProject, Share, TreeProject

__all__ = ["Card", "Member", "Paid", "cards"]


class Member(Struct, frozen=True):
    """Somebody's role in a project, or in what it owns in a cloud; `project` is the key of which."""

    user: str
    role: str
    project: str


class Paid(Struct, frozen=True):
    """The part that an institution pays, as it was stated for a project or one above it, within `[since, until)`."""

    institution: str
    share: str
    stated_for: str
    since: datetime
    until: datetime | None


class Card(Struct, frozen=True):
    """A project at a moment. `status` is ColdFront's word; `path` leads to it from the whole site."""

    key: str
    title: str
    status: str
    path: list[str]
    institution: str
    field: str
    pi: str
    cloud_projects: list[str]
    paid: list[Paid]
    members: list[Member]


def cards(ledger: Ledger, wanted: str, moment: datetime) -> list[Card]:
    """The projects that were known by a key, a title, or a name in a cloud, as they were at a moment (UTC).

    Who pays is by the shares that the ledger knew of then.
    """
    facts = facts_as_of(ledger, moment)
    with reading(ledger.engine) as connection:
        items = {state.item.id: state.item for state in as_of(connection, moment)}
    meant = {items[item.parent].name for item in items.values() if item.parent and _is_called(item, wanted)}
    name = folded(wanted)
    projects = [
        one for one in facts.all(ResearchProject) if one.subject in {wanted, *meant} or folded(one.title) == name
    ]
    return [_card(project, facts, items, moment) for project in projects]


def _is_called(item: Item, wanted: str) -> bool:
    return item.level is Level.CLOUD_PROJECT and wanted in (item.name, item.display)


def _card(project: ResearchProject, facts: Facts, items: Mapping[ItemId, Item], moment: datetime) -> Card:
    key = project.subject
    tree = Tree(facts.present(TreeProject))
    titles = {place.project: place.title or place.project for place in facts.present(TreeProject)}
    item = next((one for one in items.values() if one.level is Level.PROJECT and one.name == key), None)
    above = {one.level: one.display for one in _chain(item, items)}
    owned = [one for one in items.values() if item and one.parent == item.id and one.active]
    funding = Fundings(facts.present(Share), tree).at(key, moment)
    return Card(
        key=key,
        title=project.title,
        status="gone" if project.gone else project.status,
        path=[titles.get(one, one) for one in tree.path(key)],
        institution=above.get(Level.INSTITUTION, ""),
        field=above.get(Level.FIELD, ""),
        pi=above.get(Level.PI, ""),
        cloud_projects=[f"{one.name} {one.display}" for one in owned],
        paid=[
            Paid(who, str(part), one.of, one.since, one.until)
            for one in filter(None, [funding])
            for who, part in one.parts
        ],
        members=_members(facts, project, owned),
    )


def _chain(item: Item | None, items: Mapping[ItemId, Item]) -> Iterator[Item]:
    while item is not None:
        yield item
        item = items[item.parent] if item.parent else None


def _members(facts: Facts, project: ResearchProject, owned: Sequence[Item]) -> list[Member]:
    """Those whom ColdFront names, those with a role in what it owns in a cloud, and Keycloak's groups of that name."""
    keys = {project.subject, *(one.name for one in owned)}
    called = {project.title, *(one.display for one in owned)}
    people = {person.id for person in facts.all(Person)}
    found = [
        Member(one.name or one.user, one.role, one.project)
        for one in facts.present(Membership)
        if one.project in keys or (one.user in people and one.project.rpartition("/")[2] in called)
    ]
    return sorted(found, key=lambda one: (one.project, one.user, one.role))
