"""What a cloud's projects and users were ever called, and which of them somebody means by a word."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from exporters.openstack.event import Names
from ledger import ConfigurationError, Entry, Kind, Ledger, Named, Seq
from reporter.naming import meant

__all__ = ["Known", "nothing_called"]

_KINDS = (Kind.PROJECT, Kind.USER, Kind.DOMAIN, Kind.FLAVOR)


class Known:
    """The names of one cloud, by the records of it up to one; `names` tells which was valid when."""

    def __init__(self, ledger: Ledger, source: str, up_to: Seq) -> None:
        self._ids: dict[tuple[Kind, str], set[str]] = defaultdict(set)
        self._called: dict[tuple[Kind, str], set[str]] = defaultdict(set)
        self._lies_in: dict[str, set[str]] = defaultdict(set)
        self.names = Names(self._noted(entry for kind in _KINDS for entry in ledger.entries(source, kind, up_to)))

    def ids(self, kind: Kind, word: str) -> frozenset[str]:
        """The ids of what bears a name, or ever bore it, and the id itself."""
        return frozenset(self._ids.get((kind, word), ()))

    def meant(self, kind: Kind, word: str) -> frozenset[str]:
        """The same for a word that somebody wrote: in letters of either case, where no name is written exactly so."""
        name = meant(word, (name for of, name in self._ids if of is kind))
        return frozenset() if name is None else self.ids(kind, name)

    def called(self, kind: Kind, ids: Iterable[str]) -> set[str]:
        """All names that some ids ever bore, and the ids, which stand in for names that are not known."""
        return {name for id in ids for name in (id, *self._called.get((kind, id), ()))}

    def domains(self, projects: Iterable[str]) -> set[str]:
        """All names of the domains that some projects, by id, were ever in; domains whose name is not known are out."""
        inside = (domain for project in projects for domain in self._lies_in.get(project, ()))
        return {name for domain in inside for name in self._called.get((Kind.DOMAIN, domain), ())}

    def _noted(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            found = entry.record
            if isinstance(found, Named):
                self._ids[found.kind, found.id].add(found.id)
                if found.name is not None:
                    self._ids[found.kind, found.name].add(found.id)
                    self._called[found.kind, found.id].add(found.name)
                if found.kind is Kind.PROJECT and found.domain:
                    self._lies_in[found.id].add(found.domain)
            yield entry


def nothing_called(what: str, word: str, sources: Iterable[str]) -> ConfigurationError:
    """The error for a project, user or server that no source ever had."""
    clouds = ", ".join(sources)
    by = "its id" if what == "server" else "a name that it had, or by its id"
    return ConfigurationError(f'No {what} "{word}" was ever seen in {clouds}. Name it by {by}.')
