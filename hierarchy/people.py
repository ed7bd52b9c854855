"""Who is meant by the PI that a project names, and what of that person counts."""

from collections import defaultdict
from collections.abc import Iterable

from hierarchy.names import clean, folded
from hierarchy.records import UNKNOWN
from ledger import DataError
from ledger.ownership import Organization, Person, ResearchProject

__all__ = ["Institutions", "People", "shown_name"]


class People:
    """Finds people by what projects call them."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._called: dict[str, dict[str, Person]] = defaultdict(dict)
        for person in people:
            for name in {folded(person.username), folded(person.email)} - {""}:
                self._called[name][person.id] = person

    def pi_of(self, project: ResearchProject) -> Person | None:
        """The person whose user name or e-mail address the project has; one who is gone only where nobody else has it.

        Raises DataError where two people have it: whichever was taken, the other's usage might be charged.
        """
        everybody = list(self._called.get(folded(project.pi), {}).values())
        found = [person for person in everybody if not person.gone]
        if len(found) > 1:
            who = " and ".join(f'{person.id} (user "{person.username}")' for person in found)
            raise DataError(
                f'Project {project.subject} "{project.title}" names its PI as "{project.pi}", which is the name or'
                f" e-mail address of two people in Keycloak: {who}. Nothing was recorded; correct one of"
                " them in Keycloak."
            )
        return max(found or everybody, key=lambda person: person.id, default=None)


class Institutions:
    """Finds institutions by the names that sources have for them."""

    def __init__(self, organizations: Iterable[Organization]) -> None:
        self._listed = {
            folded(name): organization.name
            for organization in organizations
            for name in (*organization.aliases, organization.name)
        }

    def of(self, person: Person | None) -> str:
        """The name of the one institution that a person counts for: the first that the site lists, else the first."""
        names = person.institutions if person else ()
        listed = (self._listed[folded(name)] for name in names if folded(name) in self._listed)
        return next(listed, next((name for name in names if folded(name)), UNKNOWN))


def shown_name(person: Person | None, called: str) -> str:
    """First and last name, else the e-mail address, else what the project calls the PI."""
    full = clean(f"{person.first} {person.last}") if person else ""
    return full or clean(person.email if person else "") or clean(called) or UNKNOWN
