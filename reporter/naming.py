"""How projects of a cloud are shown: by name, and with the domain where a name is in use in several; names meant."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import chain, count
from types import MappingProxyType
from typing import NamedTuple

from hierarchy.names import folded
from reporter.records import UNKNOWN

__all__ = ["Called", "Labels", "meant", "most_telling", "near", "spellings"]

#: What a session calls its project: the name, and that of the domain.
Called = tuple[str | None, str | None]

_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")


class Labels(NamedTuple):
    """Tells how projects are shown; the names in `doubled` are shown with the domain, `lab (one)`.

    `others` has those that are shown otherwise, for another project is called or shown so.
    """

    doubled: frozenset[str] = frozenset()
    others: Mapping[Called, str] = MappingProxyType({})

    @classmethod
    def of(cls, called: Iterable[Called]) -> "Labels":
        """Return those of some projects; a domain that nobody knows is none of several."""
        domains, seen = defaultdict[str, set[str]](set), set(called)
        for name, domain in seen:
            if name is not None and domain is not None:
                domains[name].add(domain)
        doubled = frozenset(name for name, of in domains.items() if len(of) > 1)
        others, taken = dict[Called, str](), {name for name, _ in seen}
        for one in sorted((one for one in seen if one[0] in doubled), key=lambda one: (one[0] or "", one[1] or "")):
            ways = spellings(one)
            label = next(way for way in chain(ways, (f"{ways[0]} {n}" for n in count(2))) if way not in taken)
            taken.add(label)
            if label != ways[0]:
                others[one] = label
        return cls(doubled, others)

    def label(self, called: Called) -> str | None:
        """Return what a project is shown as, which no other is; None where it has no name."""
        name, _ = called
        return self.others.get(called) or spellings(called)[0] if name in self.doubled else name


def spellings(called: Called) -> tuple[str, str]:
    """Return how a project that has a name is written with its domain: as reports show it, or as `lab@one`."""
    name, domain = called
    of = UNKNOWN if domain is None else domain
    return f"{name} ({of})", f"{name}@{of}"


def meant(wanted: str, names: Iterable[str]) -> str | None:
    """Return the name that is meant, in letters of either case, where no other is written exactly so; else None."""
    names = set(names)
    if wanted in names:
        return wanted
    alike = [name for name in names if folded(name) == folded(wanted)]
    return alike[0] if len(alike) == 1 else None


def near(wanted: str, names: Iterable[str]) -> str:
    """Return the sentence, after a blank, that tells names like one that there is not, or some of all; else nothing."""
    by_fold = {folded(name): name for name in sorted(names)}
    if not by_fold:
        return ""
    like = [by_fold[one] for one in get_close_matches(folded(wanted), by_fold, 3, 0.5)]
    return f" Near it: {', '.join(like)}." if like else f" Known: {', '.join(most_telling(by_fold.values())[:5])}."


def most_telling(names: Iterable[str]) -> list[str]:
    """Return names in the order of the alphabet, and after them what is an id that stands in for one."""
    return sorted(names, key=lambda name: (_ID.fullmatch(name) is not None, name))
