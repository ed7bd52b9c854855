"""Every session of a period, for auditors: from the ledger to lines of CSV, cloud by cloud."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack

from msgspec import Struct
from msgspec.structs import replace

from collectors.openstack import OpenStackSource
from hierarchy.owners import Owner, owners
from ledger import ConfigurationError, DataError, Kind, Ledger
from ledger.text import DOMAIN_WIDTH, PROJECT_WIDTH, fitted
from operations.known import Known, nothing_called
from operations.reports.transactions import watermark
from operations.reports.usage import ledger_sessions, owner_labels
from reporter import Period
from reporter.naming import meant
from reporter.records import UNKNOWN
from reporter.session_list import Chosen, session_lines
from usage import UnreadableEvents

__all__ = ["WantedSessions", "list_sessions"]

_USER_WIDTH = 255


class WantedSessions(Struct, frozen=True):
    """Whose sessions are asked for: of a project, of a user, both by name or id, of an institution. None is any."""

    project: str | None = None
    user: str | None = None
    institution: str | None = None


def list_sessions(
    ledger: Ledger,
    sources: Sequence[OpenStackSource],
    period: Period,
    wanted: WantedSessions,
    warn: Callable[[str], None],
) -> Iterator[str]:
    """Return the lines of all sessions of some clouds that touch a period, many at once; `warn` hears what is empty.

    Raises DataError for a cloud that was never read, ConfigurationError where none of them ever had what is asked for,
    both before there is a line.
    """
    owned = {source.name: _owners(ledger, source, period) for source in sources}
    if wanted.institution is not None:
        wanted = replace(wanted, institution=_institution(wanted.institution, owned.values()))
    chosen = {source.name: _chosen(ledger, source, wanted) for source in sources}
    for what in ("project", "user"):
        word = getattr(wanted, what)
        if word is not None and not any(getattr(one, f"{what}s") for one in chosen.values()):
            raise nothing_called(what, word, owned)
    return (
        lines
        for source in sources
        for lines in _lines(ledger, source, period, owned[source.name], chosen[source.name], warn)
    )


def _lines(
    ledger: Ledger,
    source: OpenStackSource,
    period: Period,
    owned: Sequence[Owner],
    chosen: Chosen,
    warn: Callable[[str], None],
) -> Iterator[str]:
    with ExitStack() as stack:
        try:
            engine = stack.enter_context(ledger_sessions(ledger, source, (period.start, period.end)))
        except UnreadableEvents:
            raise
        except DataError:
            warn(f"{source.name}: the ledger knows no server in {period.name}.")
            return
        yield from session_lines(engine, source.resource, period, owned, chosen)


def _owners(ledger: Ledger, source: OpenStackSource, period: Period) -> list[Owner]:
    watermark(ledger, source)
    return owners(ledger, source.name, (period.start, period.end), owner_labels(ledger, source.name))


def _chosen(ledger: Ledger, source: OpenStackSource, wanted: WantedSessions) -> Chosen:
    """The names, as sessions bear them, of what is asked for by any of its names, or its id."""
    if wanted.project is None and wanted.user is None:
        return Chosen(institution=wanted.institution)
    known = Known(ledger, source.name, watermark(ledger, source).seq)
    projects = domains = users = None
    if wanted.project is not None:
        ids = known.meant(Kind.PROJECT, wanted.project)
        projects = frozenset(fitted(name, PROJECT_WIDTH) for name in known.called(Kind.PROJECT, ids))
        domains = frozenset(fitted(name, DOMAIN_WIDTH) for name in known.domains(ids))
    if wanted.user is not None:
        ids = known.meant(Kind.USER, wanted.user)
        users = frozenset(fitted(name, _USER_WIDTH) for name in known.called(Kind.USER, ids))
    return Chosen(projects, domains, users, wanted.institution)


def _institution(word: str, owned: Iterable[Sequence[Owner]]) -> str:
    """The institution that is meant."""
    there = sorted({owner.institution for of_cloud in owned for owner in of_cloud} - {UNKNOWN})
    name = meant(word, (*there, UNKNOWN))
    if name is not None:
        return name
    if not there:
        raise ConfigurationError("No institution is known to own a project. First: xdmod-cloud collect hierarchy")
    shown = ", ".join(there[:10]) + (", …" if len(there) > 10 else "")
    raise ConfigurationError(f'No project belongs to an institution "{word}" (there are: {shown}).')
