"""Who is meant by the PI that a project names, and what of that person counts."""

from collections import defaultdict
from collections.abc import Container, Iterable

from hierarchy.names import clean, folded
from hierarchy.records import UNKNOWN
from ledger import DataError
from ledger.ownership import Organization, Person, PersonId, ResearchProject

__all__ = ["Institutions", "People", "shown_name"]


class People:
    """Finds people by what projects call them. `owning` are the ids of those who are PIs by what was known before."""

    def __init__(self, people: Iterable[Person], owning: Container[str]) -> None:
        self._called: dict[str, dict[PersonId, Person]] = defaultdict(dict)
        self._owning = owning
        for person in people:
            for name in {folded(person.username), folded(person.email)} - {""}:
                self._called[name][person.id] = person

    def pi_of(self, project: ResearchProject) -> Person | None:
        """The person whose user name or e-mail address the project has: one who may log in, else one who may not.

        Who is gone counts where nobody else has it; of several, whoever was a PI last. Raises DataError where two
        people have it: whichever was taken, the other's usage might be charged.
        """
        everybody = list(self._called.get(folded(project.pi), {}).values())
        if gone := [person for person in everybody if person.gone]:
            gone.sort(key=lambda person: (person.id in self._owning, person.id))
        there = [person for person in everybody if not person.gone]
        found = [person for person in there if person.enabled] or there
        if len(found) > 1:
            who = " and ".join(f'{person.id} (user "{person.username}")' for person in found)
            raise DataError(
                f'Project {project.subject} "{project.title}" names its PI as "{project.pi}", which is the name or'
                f" e-mail address of two people in Keycloak: {who}. Nothing was recorded; correct one of"
                " them in Keycloak."
            )
        return next(iter([*found, *reversed(gone)]), None)


class Institutions:
    """Finds institutions by the names that sources have for them."""

    def __init__(self, organizations: Iterable[Organization]) -> None:
        self._listed = {
            folded(name): organization.name
            for organization in organizations
            for name in (*organization.aliases, organization.name)
        }

    def called(self, name: str) -> str:
        """What the site calls an institution, if it lists it; else the name itself."""
        return self._listed.get(folded(name), name)

    def of(self, person: Person | None) -> list[str]:
        """The institutions of a person, that first which the person counts for: one that the site lists, if any is."""
        names = [name for name in (person.institutions if person else ()) if folded(name)]
        listed = [self._listed[folded(name)] for name in names if folded(name) in self._listed]
        others = [name for name in names if folded(name) not in self._listed]
        distinct = {folded(name): name for name in reversed([*listed, *others])}
        return list(reversed(distinct.values()))


def shown_name(person: Person | None, called: str) -> str:
    """First and last name, else the e-mail address, else what the project calls the PI."""
    full = clean(f"{person.first} {person.last}") if person else ""
    return full or clean(person.email if person else "") or clean(called) or UNKNOWN
