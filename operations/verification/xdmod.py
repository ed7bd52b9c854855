"""Verify: compare our sessions with those that an XDMoD recorded, and say why they differ, where that is known."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import groupby
from pathlib import Path

from msgspec import Struct

from collectors.openstack import OpenStackSource
from exporters.openstack import TARGET, corrected_servers, first_events
from exporters.outbox import day_of
from hierarchy.names import folded
from hierarchy.owners import Owner, owners
from hierarchy.records import UNKNOWN
from ledger import DataError, Kind, Ledger
from ledger.counts import counted
from ledger.exports import Exports
from ledger.text import DOMAIN_WIDTH, PROJECT_WIDTH, fitted
from operations.known import Known
from operations.reports.usage import ledger_sessions, owner_labels
from operations.verification.reasons import Reason, Reasons, Waiting
from reporter.xdmod.recorded import Recorded, definitions, reach, recorded, resource_id
from reporter.xdmod.warehouse import Warehouse
from usage import Engine, Session, rules

__all__ = ["Unlike", "verify_xdmod"]

#: What is compared of two sessions that begin alike. Days and buckets follow from these by XDMoD's own settings.
_NAMES = ("host", "username", "domain")
_CONTENT = ("instance_type", "num_cores", "memory_mb", "disk_gb", "instance_state_id", *_NAMES)
_ENDS = ("end_time_ts", "end_event_type_id")
#: So many characters of a node's name are compared; XDMoD shows no more than some 200.
_SHOWN = 150

#: A project, what XDMoD has in its stead, and what we have.
_Called = tuple[str | None, str | None, str | None]
_One = tuple[Session | None, Recorded | None]


class Unlike(Struct, frozen=True):
    """One difference: what it is about, what is unlike, and why, where that is known.

    It is benign if it is how XDMoD works, or goes away with what is handed on to it anyway.
    """

    identity: str
    what: str
    reason: str | None
    benign: bool

    def __str__(self) -> str:
        return f"{self.identity}: {self.what}: {self.reason or 'nobody knows why'}{' (benign)' if self.benign else ''}"


def verify_xdmod(
    ledger: Ledger,
    settings: OpenStackSource,
    url: str,
    outbox: Path,
    folders: Sequence[Path],
    window: tuple[datetime, datetime],
    compared: Counter[str],
    patience: timedelta = timedelta(days=2),
) -> Iterator[Unlike]:
    """Yield each difference between the sessions that begin in [from, to) (UTC), and count what was compared.

    Ours are those of all that was ever exported. `folders` hold event files that have left the outbox, as far as they
    are kept: servers of which an event corrects others are cut otherwise, and left out. What is only late is benign for
    as long as `patience`. Raises DataError where nothing
    was exported, ConfigurationError for an XDMoD that cannot be used or has no such resource, SourceUnavailable for
    one that does not answer.
    """
    done = Exports(ledger, settings.name, TARGET).last()
    if done is None:
        raise DataError(f"Nothing of {settings.name} was exported yet. First: xdmod-cloud export openstack")
    window = window[0], min(window[1], done.horizon_to)
    waiting = _event_files([outbox])
    corrected = corrected_servers([*waiting, *_event_files(folders)])
    with Warehouse.open(url) as warehouse, ledger_sessions(ledger, settings, window, done) as engine:
        resource = resource_id(warehouse, settings.resource)
        facts = reach(warehouse, resource), definitions(warehouse, resource)
        reasons = Reasons(ledger, settings.name, done, _waiting(waiting), *facts, patience)
        owned = _Owned(owners(ledger, settings.name, window, owner_labels(ledger, settings.name)))
        comparison = _Comparison(reasons, owned, warehouse.version, compared)
        for ours, theirs in _pairs(engine, recorded(warehouse, resource, window), window):
            one = ours or (theirs.session if theirs else None)
            if one is not None and one.instance not in corrected:
                yield from comparison.of(ours, theirs)
        yield from comparison.names(Known(ledger, settings.name, done.seq_to))
        yield from comparison.nodes()
    if corrected:
        compared["servers left out, for an event corrects others"] = len(corrected)


class _Owned:
    """To whom the projects of sessions belonged, by what sessions call them."""

    def __init__(self, known: Iterable[Owner]) -> None:
        self._owners: dict[tuple[str, str | None], list[Owner]] = defaultdict(list)
        for owner in known:
            domain = owner.label.domain
            called = fitted(owner.label.name, PROJECT_WIDTH), fitted(domain, DOMAIN_WIDTH) if domain else None
            self._owners[called].append(owner)

    def at(self, session: Session) -> Owner | None:
        """Who owned it when it began; none where that is not known."""
        found = self._of(session.project, session.domain)
        place = bisect_right(found, datetime.fromtimestamp(session.start_time_ts, UTC), key=lambda one: one.since)
        return found[place - 1] if place else None

    def ever(self, project: str | None) -> set[str]:
        """The PIs that what is called so ever had, as they are compared."""
        return {_node(one.pi) for (name, _), found in self._owners.items() if name == project for one in found}

    def _of(self, project: str | None, domain: str | None) -> list[Owner]:
        if project is None:
            return []
        return self._owners.get((project, domain)) or self._owners.get((project, None)) or []


class _Comparison:
    """Tells what is unlike in pairs of sessions; what is so of all of a project is told once, at the end."""

    def __init__(self, reasons: Reasons, owned: _Owned, version: str, compared: Counter[str]) -> None:
        self._reasons, self._owned, self._compared = reasons, owned, compared
        self._stateless = version == "10.0"
        self._named, self._counted = Counter[_Called](), Counter[_Called]()

    def of(self, ours: Session | None, theirs: Recorded | None) -> Iterator[Unlike]:
        """One session by both accounts, or by one."""
        self._compared["sessions"] += 1
        if ours is not None and theirs is not None:
            yield from self._both(ours, theirs.session)
            self._note(ours, theirs)
        elif ours is not None:
            yield _unlike(ours, "XDMoD has no such session", self._reasons.missing(ours))
        elif theirs is not None:
            yield _unlike(theirs.session, "only XDMoD has such a session", self._reasons.surplus(theirs.session))

    def names(self, known: Known) -> Iterator[Unlike]:
        """Projects that XDMoD calls otherwise."""
        for (project, there, _), number in sorted(self._named.items(), key=str):
            names = {
                fitted(name, PROJECT_WIDTH)
                for name in known.called(Kind.PROJECT, known.ids(Kind.PROJECT, project or ""))
            }
            reason = Reason("XDMoD keeps the name that it heard first", benign=True) if there in names else None
            yield _said(f"project {project}", f"{counted(number, 'sessions are')} of {there} in XDMoD", reason)

    def nodes(self) -> Iterator[Unlike]:
        """Projects that count for another PI."""
        for (project, there, here), number in sorted(self._counted.items(), key=str):
            what = (
                f"{counted(number, 'sessions count')} for {there or UNKNOWN} in XDMoD, and began while it was {here}'s"
            )
            if there is not None and _node(there) in self._owned.ever(project):
                yield _said(f"project {project}", what, Reason("XDMoD keeps the owner of its ingest", benign=True))
            else:
                why = "XDMoD keeps what was imported when it ingested: import the hierarchy, then ingest again"
                yield _said(f"project {project}", what, Reason(why, benign=False))

    def _both(self, ours: Session, theirs: Session) -> Iterator[Unlike]:
        if said := _fields(ours, theirs, _ENDS):
            yield _unlike(ours, said, self._reasons.ends(ours, theirs))
        # Before 10.5 nothing says in which state a resized server went on.
        no_state = self._stateless and ours.start_event_type_id == rules.RESIZED
        content = [name for name in _CONTENT if not (no_state and name == "instance_state_id")]
        if said := _fields(ours, theirs, content):
            yield _unlike(ours, said, self._reasons.otherwise(ours))

    def _note(self, ours: Session, theirs: Recorded) -> None:
        if not _alike(ours.project, theirs.session.project):
            self._named[ours.project, theirs.session.project, None] += 1
        owner = self._owned.at(ours)
        if owner is not None:
            self._compared["owners of sessions"] += 1
            if _node(owner.pi) != _node(theirs.node or UNKNOWN):
                self._counted[ours.project, theirs.node, owner.pi] += 1


def _pairs(engine: Engine, theirs: Iterable[Recorded], window: tuple[datetime, datetime]) -> Iterator[_One]:
    """The sessions of both that begin alike, side by side; both come in the same order."""
    first, limit = (time.timestamp() for time in window)
    ours = (one for one in engine.sessions() if first <= one.start_time_ts < limit)
    tagged = merge(
        ((_place(one), 0, one, None) for one in ours),
        ((_place(one.session), 1, None, one) for one in theirs),
        key=lambda item: item[:2],
    )
    for _, group in groupby(tagged, key=lambda item: item[0]):
        both = list(group)
        yield (
            next((here for _, _, here, _ in both if here is not None), None),
            next((there for _, _, _, there in both if there is not None), None),
        )


def _event_files(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.glob("*.json")) if day_of(path.name)]


def _waiting(paths: Sequence[Path]) -> Waiting:
    written = min((path.stat().st_mtime for path in paths), default=None)
    return Waiting(first_events(paths), None if written is None else datetime.fromtimestamp(written, UTC))


def _place(session: Session) -> tuple[str, int, int]:
    return session.instance, session.start_time_ts, session.start_event_type_id


def _alike(here: object, there: object) -> bool:
    """Whether XDMoD's tables would take both for the same: they overlook the case of letters, and blanks at the end."""
    if isinstance(here, str) and isinstance(there, str):
        return here.rstrip().casefold() == there.rstrip().casefold()
    return here == there


def _fields(ours: Session, theirs: Session, names: Iterable[str]) -> str:
    pairs = ((name, getattr(ours, name), getattr(theirs, name)) for name in names)
    return ", ".join(f"{name} is {there}, not {here}" for name, here, there in pairs if not _alike(here, there))


def _node(name: str) -> str:
    return folded(name)[:_SHOWN]


def _unlike(session: Session, what: str, reason: Reason | None) -> Unlike:
    start = datetime.fromtimestamp(session.start_time_ts, UTC)
    return _said(
        session.instance, f"from {start:%Y-%m-%d %H:%M:%S} UTC, by event {session.start_event_type_id}: {what}", reason
    )


def _said(identity: str, what: str, reason: Reason | None) -> Unlike:
    return Unlike(identity, what, reason.why if reason else None, reason.benign if reason else False)
