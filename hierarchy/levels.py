"""From what sources tell to the five levels: institution, field of science, PI, project, project in the cloud."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from hierarchy.bindings import bindings
from hierarchy.facts import Facts
from hierarchy.names import Spellings, clean, folded
from hierarchy.people import Institutions, People, shown_name
from hierarchy.records import UNKNOWN, Item, ItemId, Key, Level
from hierarchy.settings import Cloud
from ledger import DataError
from ledger.ownership import Organization, Person, ProjectKey, ResearchProject

__all__ = ["Derived", "derive"]

_WIDTH = 500


class Derived(NamedTuple):
    """The items that are in force, parents before children, and what has to be said about how they came to be."""

    items: list[Item]
    counts: dict[str, int]
    warnings: list[str]


class _Place(NamedTuple):
    """Where a project belongs, by names: keys of comparison, except for the PI's shown name."""

    institution: str
    field: str
    pi: str
    pi_shown: str


def derive(
    facts: Facts,
    clouds: Sequence[Cloud],
    in_force: Sequence[str],
    current: Mapping[Key, Item],
    called: Mapping[ProjectKey, str],
) -> Derived:
    """The items in force by the facts. Those that are or were in the hierarchy keep their ids; new ones get the next.

    `in_force` are the statuses of allocations that count, `called` the names that usage has for projects. Raises
    DataError for a PI that could be two people, and for a name that is too long to be looked up.
    """
    bound = bindings(facts, clouds, in_force, current, called)
    numbering = _Numbering(current)
    places = _places(facts, bound.projects, current)
    unknown = numbering.item(Level.INSTITUTION, UNKNOWN, UNKNOWN, None)
    numbering.item(Level.FIELD, UNKNOWN, UNKNOWN, unknown)
    for project in bound.projects:
        _add_project(numbering, project, places.of[project.subject], places.institutions, places.fields)
    for binding in bound.cloud_projects:
        owner = numbering.ids[Level.PROJECT, binding.project]
        numbering.item(Level.CLOUD_PROJECT, f"{binding.cloud}/{binding.id}", binding.name, owner)
    numbering.keep(item for item in current.values() if item.permanent)
    # What is no cloud any more in the configuration is not gone.
    names = {cloud.name for cloud in clouds}
    numbering.keep(
        item
        for item in current.values()
        if item.level is Level.CLOUD_PROJECT and item.active and item.name.partition("/")[0] not in names
    )
    return Derived(
        list(numbering.items.values()), {**bound.counts, **places.counts}, [*bound.warnings, *places.warnings]
    )


class _Numbering:
    """Gives each item its id, once and for ever."""

    def __init__(self, current: Mapping[Key, Item]) -> None:
        self.current, self.items = current, dict[ItemId, Item]()
        self.ids: dict[Key, ItemId] = {key: item.id for key, item in current.items()}
        self._next = max(self.ids.values(), default=0) + 1

    def item(self, level: Level, name: str, display: str, parent: ItemId | None) -> ItemId:
        if len(name) > _WIDTH:
            raise DataError(
                f'The {level} "{name[:60]}…" has a name of {len(name)} characters, and {_WIDTH} is all that it can be'
                " looked up by. Nothing was recorded; shorten it where it comes from."
            )
        id = self.ids.get((level, name))
        if id is None:
            id = self.ids[level, name] = ItemId(self._next)
            self._next += 1
        self.items.setdefault(id, Item(id, level, name, True, display[:_WIDTH], parent))
        return id

    def before(self, level: Level, name: str) -> Item | None:
        return self.current.get((level, name))

    def keep(self, items: Iterable[Item]) -> None:
        """Leave items as they are, and all above them."""
        by_id = {item.id: item for item in self.current.values()}
        for kept in items:
            item: Item | None = kept
            while item and item.id not in self.items:
                self.items[item.id] = item._replace(active=True)
                item = by_id.get(item.parent) if item.parent else None


def _add_project(
    numbering: _Numbering, project: ResearchProject, place: _Place, institutions: Spellings, fields: Spellings
) -> None:
    before = numbering.before(Level.INSTITUTION, place.institution)
    institution = institutions.choose(place.institution, before.display if before else None)
    institution_id = numbering.item(Level.INSTITUTION, place.institution, institution, None)
    name = f"{institution_id}/{place.field}"
    if (place.institution, place.field) == (UNKNOWN, UNKNOWN):
        name = UNKNOWN
    before = numbering.before(Level.FIELD, name)
    start = f"{institution} - "
    field = fields.choose(place.field, before.display.removeprefix(start) if before else None)
    shown = UNKNOWN if name == UNKNOWN else start + field
    field_id = numbering.item(Level.FIELD, name, shown, institution_id)
    pi_id = numbering.item(Level.PI, f"{place.pi}/{place.field}", place.pi_shown, field_id)
    numbering.item(Level.PROJECT, project.subject, clean(project.title) or project.subject, pi_id)


class _Places(NamedTuple):
    """Where each project belongs, how institutions and fields are written, and what has to be said of PIs."""

    of: dict[ProjectKey, _Place]
    institutions: Spellings
    fields: Spellings
    counts: dict[str, int]
    warnings: list[str]


def _places(facts: Facts, projects: Iterable[ResearchProject], current: Mapping[Key, Item]) -> _Places:
    owning = {item.name.partition("/")[0] for item in current.values() if item.level is Level.PI and item.active}
    people, listed = People(facts.all(Person), owning), Institutions(facts.present(Organization))
    institutions, fields = Spellings(), Spellings()
    places, several, counts = {}, dict[str, str](), Counter[str]()
    for project in projects:
        pi = people.pi_of(project)
        known = [*listed.of(pi), UNKNOWN]
        fields_of = [*_fields(project, pi), UNKNOWN]
        identity = pi.id if pi else folded(project.pi) or UNKNOWN
        places[project.subject] = _Place(
            institutions.add(known[0]), fields.add(fields_of[0]), identity, shown_name(pi, project.pi)
        )
        counts["of unknown PIs"] += pi is None
        counts["of unknown institutions"] += known[0] == UNKNOWN
        for what, names in (("institutions", known[:-1]), ("fields", fields_of[:-1] if not project.field else [])):
            if pi and len({folded(name) for name in names}) > 1:
                several[f"{pi.id} {what}"] = f"{pi.username} ({', '.join(names)})"
    noteworthy = {what: number for what, number in counts.items() if number}
    return _Places(places, institutions, fields, noteworthy, list(_several(several)))


def _several(several: Mapping[str, str]) -> Iterator[str]:
    if several:
        some = list(several.values())[:3]
        more = f" and {len(several) - len(some)} more" if len(several) > len(some) else ""
        yield f"Of several institutions or fields of one person the first counts: {'; '.join(some)}{more}."


def _fields(project: ResearchProject, pi: Person | None) -> Iterator[str]:
    """The fields of science that a project might be counted under, the right one first."""
    return (field for field in (project.field or "", *(pi.fields if pi else ())) if folded(field))
