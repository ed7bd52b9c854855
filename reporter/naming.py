"""How projects of a cloud are shown: by name, and with the domain where a name is in use in several."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from hierarchy.names import folded
from reporter.records import UNKNOWN

__all__ = ["Called", "Labels", "meant", "most_telling"]

#: What a session calls its project: the name, and that of the domain.
Called = tuple[str | None, str | None]

_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")


class Labels(NamedTuple):
    """Tells how projects are shown; the names in `doubled` are shown with the domain, `lab (one)`."""

    doubled: frozenset[str] = frozenset()

    @classmethod
    def of(cls, called: Iterable[Called]) -> "Labels":
        """Return those of some projects; a domain that nobody knows is none of several."""
        domains = defaultdict[str, set[str]](set)
        for name, domain in called:
            if name is not None and domain is not None:
                domains[name].add(domain)
        return cls(frozenset(name for name, of in domains.items() if len(of) > 1))

    def label(self, called: Called) -> str | None:
        """Return what a project is shown as; None where it has no name."""
        name, domain = called
        return f"{name} ({UNKNOWN if domain is None else domain})" if name in self.doubled else name


def meant(wanted: str, names: Iterable[str]) -> str | None:
    """Return the name that is meant, in letters of either case, where no other is written exactly so; else None."""
    names = set(names)
    if wanted in names:
        return wanted
    alike = [name for name in names if folded(name) == folded(wanted)]
    return alike[0] if len(alike) == 1 else None


def most_telling(names: Iterable[str]) -> list[str]:
    """Return names in the order of the alphabet, and after them what is an id that stands in for one."""
    return sorted(names, key=lambda name: (_ID.fullmatch(name) is not None, name))
