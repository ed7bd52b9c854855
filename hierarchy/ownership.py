"""Who owns what, beyond XDMoD's levels: the tree of projects, and who pays for them at which time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import zip_longest
from typing import NamedTuple

from hierarchy.facts import Facts
from hierarchy.ownership_files import Placed
from ledger import ConfigurationError
from ledger.ownership import ROOT, CloudProject, ProjectKey, ResearchProject, Share, TreeProject
from ledger.times import iso_seconds

__all__ = ["UNFUNDED", "Funding", "Fundings", "Tree", "check_ownership"]

#: The institution of the part of a project that nobody pays for.
UNFUNDED = "unfunded"


class Tree:
    """The projects of a site. One that no file puts elsewhere lies directly below the root."""

    def __init__(self, places: Iterable[TreeProject]) -> None:
        self._parents: dict[ProjectKey, ProjectKey] = {place.project: place.parent for place in places}

    def path(self, project: ProjectKey) -> tuple[ProjectKey, ...]:
        """The projects from the root down to one. Raises ConfigurationError for a circle."""
        upwards = [project]
        while upwards[-1] != ROOT:
            above = self._parents.get(upwards[-1], ROOT)
            if above in upwards:
                circle = " in ".join([*upwards[upwards.index(above) :], above])
                raise ConfigurationError(f"the tree of projects has a circle: {circle}. Correct one of these parents.")
            upwards.append(above)
        return tuple(reversed(upwards))


class Funding(NamedTuple):
    """Who pays for a project within `[since, until)` (UTC; none: open): institutions and their parts, which sum to 1.

    `of` is the project that the parts were stated for: itself, or one above it.
    """

    since: datetime
    until: datetime | None
    of: ProjectKey
    parts: tuple[tuple[str, Decimal], ...]


class Fundings:
    """Finds who pays for a project; its own shares replace those of the projects above it entirely."""

    def __init__(self, shares: Iterable[Share], tree: Tree) -> None:
        self._tree = tree
        self._shares: dict[ProjectKey, list[Share]] = defaultdict(list)
        for share in shares:
            self._shares[share.project].append(share)

    def of(self, project: ProjectKey) -> list[Funding]:
        """Who pays for a project through time: intervals, the oldest first; in the gaps between them nobody is told."""
        path = self._tree.path(project)
        bounds = _bounds(share for key in path for share in self._shares.get(key, ()))
        found = list[Funding]()
        for since, until in zip_longest(bounds, bounds[1:]):
            stated = ((key, _parts(self._shares.get(key, ()), since)) for key in reversed(path))
            key, parts = next(((key, parts) for key, parts in stated if parts), (ROOT, ()))
            if parts and found and found[-1][1:] == (since, key, parts):
                found[-1] = found[-1]._replace(until=until)
            elif parts:
                found.append(Funding(since, until, key, parts))
        return found

    def at(self, project: ProjectKey, moment: datetime) -> Funding | None:
        """Who pays at a moment (UTC); none where neither the project nor one above it has shares then."""
        held = (one for one in self.of(project) if one.since <= moment and (one.until is None or moment < one.until))
        return next(held, None)


def check_ownership(placed: Sequence[Placed], facts: Facts) -> None:
    """Raise ConfigurationError, naming the line, for a project that is not known, a circle, or shares unlike 1."""
    places = {one.record.project: one for one in placed if isinstance(one.record, TreeProject)}
    known = {
        ROOT,
        *(one.subject for one in facts.all(ResearchProject)),
        *(one.subject for one in facts.all(CloudProject)),
    }
    titled = {key for key, one in places.items() if isinstance(one.record, TreeProject) and one.record.title}
    for one in placed:
        if isinstance(one.record, TreeProject):
            _check_place(one.where, one.record, known, titled)
        elif isinstance(one.record, Share) and one.record.project not in known | places.keys():
            raise _unknown(one.where, one.record.project)
    tree = Tree(one.record for one in placed if isinstance(one.record, TreeProject))
    for key, one in places.items():
        try:
            tree.path(key)
        except ConfigurationError as error:
            raise ConfigurationError(f"{one.where}: {error}") from error
    shares: dict[ProjectKey, list[Placed]] = defaultdict(list)
    for one in placed:
        if isinstance(one.record, Share):
            shares[one.record.project].append(one)
    for project, stated in shares.items():
        _check_sum(project, stated)


def _check_place(where: str, place: TreeProject, known: set[ProjectKey], titled: set[ProjectKey]) -> None:
    if place.project == ROOT:
        raise ConfigurationError(f"{where}: {ROOT} is the whole site, and lies in no other project.")
    if place.parent not in known | titled:
        raise _unknown(where, place.parent)
    if place.project not in known | titled:
        hint = "" if "/" in place.project else " A project of your own needs a title."
        raise ConfigurationError(f"{_unknown(where, place.project)}{hint}")


def _check_sum(project: ProjectKey, stated: Sequence[Placed]) -> None:
    shares = [one.record for one in stated if isinstance(one.record, Share)]
    bounds = _bounds(shares)
    for since, until in zip_longest(bounds, bounds[1:]):
        parts = _parts(shares, since)
        total = sum((part for _, part in parts), Decimal())
        if parts and total != 1:
            lines = "; ".join(one.where for one in stated)
            end = f"to {iso_seconds(until)}" if until else "on"
            raise ConfigurationError(
                f"The shares of {project} from {iso_seconds(since)} {end} sum to {total}, not to 1 ({lines})."
                f' Correct them; what nobody pays for is the share of the institution "{UNFUNDED}".'
            )


def _unknown(where: str, project: str) -> ConfigurationError:
    return ConfigurationError(
        f'{where}: there is no project "{project}". Keys are those of ColdFront, as coldfront/17, of a cloud, as'
        " NAME/ID, or of a [[project]] with a title."
    )


def _bounds(shares: Iterable[Share]) -> list[datetime]:
    return sorted({time for share in shares for time in (share.since, share.until) if time is not None})


def _parts(shares: Iterable[Share], moment: datetime) -> tuple[tuple[str, Decimal], ...]:
    """The shares that are valid at a moment, by institution."""
    valid = (one for one in shares if one.since <= moment and (one.until is None or moment < one.until))
    return tuple(sorted((one.institution, Decimal(one.share)) for one in valid))
