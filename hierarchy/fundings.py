"""The tree of projects, and who pays for them at which time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import zip_longest
from typing import NamedTuple

from ledger import ConfigurationError
from ledger.ownership import ROOT, ProjectKey, Share, TreeProject

__all__ = ["UNFUNDED", "Funding", "Fundings", "Tree", "bounds_of", "parts_at"]

#: The institution of the part of a project that nobody pays for.
UNFUNDED = "unfunded"


class Tree:
    """The projects of a site. One that no file puts elsewhere lies directly below the root."""

    def __init__(self, places: Iterable[TreeProject]) -> None:
        self._parents: dict[ProjectKey, ProjectKey] = {place.project: place.parent for place in places}

    def places(self, project: ProjectKey) -> bool:
        """Whether a file says where a project lies."""
        return project in self._parents

    def path(self, project: ProjectKey, below: ProjectKey = ROOT) -> tuple[ProjectKey, ...]:
        """The projects from the root down to one, which lies in `below` where no file puts it elsewhere.

        Raises ConfigurationError for a circle.
        """
        upwards = [project]
        while upwards[-1] != ROOT:
            above = self._parents.get(upwards[-1], below if upwards == [project] else ROOT)
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
        return self.along(self._tree.path(project))

    def along(self, path: Sequence[ProjectKey]) -> list[Funding]:
        """The same for the last project of a path that leads to it from the root."""
        bounds = bounds_of(share for key in path for share in self._shares.get(key, ()))
        found = list[Funding]()
        for since, until in zip_longest(bounds, bounds[1:]):
            stated = ((key, parts_at(self._shares.get(key, ()), since)) for key in reversed(path))
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


def bounds_of(shares: Iterable[Share]) -> list[datetime]:
    """The times (UTC) at which shares begin or end, the first first."""
    return sorted({time for share in shares for time in (share.since, share.until) if time is not None})


def parts_at(shares: Iterable[Share], moment: datetime) -> tuple[tuple[str, Decimal], ...]:
    """The shares that are valid at a moment, by institution."""
    valid = (one for one in shares if one.since <= moment and (one.until is None or moment < one.until))
    return tuple(sorted((one.institution, Decimal(one.share)) for one in valid))
