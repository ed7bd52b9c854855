"""Whether the tree of projects and the shares of those who pay for them can be as files state them."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from itertools import zip_longest

from hierarchy.facts import Facts
from hierarchy.fundings import UNFUNDED, Tree, bounds_of, parts_at
from hierarchy.ownership_files import Placed
from ledger import ConfigurationError
from ledger.ownership import ROOT, CloudProject, ProjectKey, ResearchProject, Share, TreeProject
from ledger.times import iso_seconds

__all__ = ["check_ownership"]


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
    bounds = bounds_of(shares)
    for since, until in zip_longest(bounds, bounds[1:]):
        parts = parts_at(shares, since)
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
