"""The projects of a site as usage is counted for them: where each lies, what it is called, and who pays for it when."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from hierarchy.fundings import UNFUNDED, Funding, Fundings, Tree
from hierarchy.names import clean, folded
from hierarchy.owners import ALWAYS, Owner
from hierarchy.people import Institutions
from hierarchy.records import UNKNOWN
from ledger.ownership import (
    ROOT,
    CloudProject,
    Organization,
    Owning,
    ProjectKey,
    ResearchProject,
    Share,
    TreeProject,
)

__all__ = ["DEFAULT", "Piece", "Projects"]

#: The project of what belongs to none.
DEFAULT = ProjectKey("default")


class Piece(NamedTuple):
    """A time `[since, until)` (UTC) in which the usage of a project counted for the same projects and institutions.

    `path` leads from the root to the project. `parts` are institutions with what they have of it, by name, and sum to
    1; where no shares are `stated`, the institution of the PI has all.
    """

    since: datetime
    until: datetime
    path: tuple[ProjectKey, ...]
    parts: tuple[tuple[str, Decimal], ...]
    stated: bool


class Projects:
    """Finds the place and the payers of what has an owner, by records of the tree, shares, titles and organizations.

    `institutions` are names as they are shown, for shares that write one in other letters.
    """

    def __init__(self, records: Iterable[Owning] = (), institutions: Iterable[str] = ()) -> None:
        known = list(records)
        places = [one for one in known if isinstance(one, TreeProject)]
        shares = [one for one in known if isinstance(one, Share)]
        self._tree = Tree(places)
        self._fundings = Fundings(shares, self._tree)
        self._found: dict[tuple[ProjectKey, ...], list[Funding]] = {}
        self._listed = Institutions(one for one in known if isinstance(one, Organization))
        self._shown = {folded(name): name for name in (*institutions, UNFUNDED)}
        for name in sorted(self._listed.called(share.institution) for share in shares):
            self._shown.setdefault(folded(name), name)
        self._titles: dict[ProjectKey, str] = {ROOT: ROOT, DEFAULT: DEFAULT}
        for one in known:
            if isinstance(one, ResearchProject):
                self._titles[one.subject] = clean(one.title)
            elif isinstance(one, CloudProject) and self._tree.places(one.subject):
                self._titles[one.subject] = clean(one.name)
        self._titles |= {one.project: one.title for one in places if one.title}

    def title(self, project: ProjectKey) -> str:
        """What a project is called; its key where it has no other name."""
        return self._titles.get(project) or project

    @property
    def institutions(self) -> set[str]:
        """Every institution that owns or pays for a project."""
        return set(self._shown.values())

    @property
    def names(self) -> set[str]:
        """Every key and every title."""
        return {*self._titles, *filter(None, self._titles.values())}

    def called(self, wanted: str) -> list[ProjectKey]:
        """The project of that key; else the projects of that title, in letters of either case."""
        if wanted in self._titles:
            return [ProjectKey(wanted)]
        return sorted(key for key, title in self._titles.items() if folded(title) == folded(wanted))

    def pieces(self, owner: Owner | None) -> Iterator[Piece]:
        """For whom the usage of an owner counts, from its beginning to its end without a gap; none owns the rest.

        Raises ConfigurationError for a circle in the tree.
        """
        since, until = owner[1:3] if owner else ALWAYS
        place, path = self._path(owner)
        unstated = (((owner.institution if owner else UNKNOWN), Decimal(1)),)
        if path not in self._found:
            self._found[path] = self._fundings.along(path)
        for funding in self._found[path]:
            start, end = max(since, funding.since), min(until, funding.until or until)
            if start < end:
                if since < start:
                    yield Piece(since, start, place, unstated, stated=False)
                yield Piece(start, end, place, self._parts(funding), stated=True)
                since = end
        if since < until:
            yield Piece(since, until, place, unstated, stated=False)

    def _path(self, owner: Owner | None) -> tuple[tuple[ProjectKey, ...], tuple[ProjectKey, ...]]:
        """The project that an owner's usage is shown under, and the last that shares can be stated for, by paths."""
        if owner is None:
            path = self._tree.path(DEFAULT)
            return path, path
        project = self._tree.path(owner.key)
        if owner.cloud_project in project:
            return project, project
        cloud_project = self._tree.path(owner.cloud_project, owner.key)
        return cloud_project if self._tree.places(owner.cloud_project) else project, cloud_project

    def _parts(self, funding: Funding) -> tuple[tuple[str, Decimal], ...]:
        parts: dict[str, Decimal] = defaultdict(Decimal)
        for institution, part in funding.parts:
            parts[self._called(institution)] += part
        return tuple(sorted(parts.items()))

    def _called(self, institution: str) -> str:
        """What is shown for an institution, so that one has one line whatever the shares call it."""
        listed = self._listed.called(institution)
        return self._shown.get(folded(listed), listed)

    def label(self, path: Sequence[ProjectKey]) -> str:
        """A path to be read, `Biology › Genomics`: without the root, which all have."""
        return " › ".join(self.title(key) for key in path[1:]) or self.title(ROOT)
