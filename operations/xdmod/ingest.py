"""Ingest: have XDMoD take over and add up what was shredded, then put the files into the archive."""

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from msgspec import Struct

from ledger import SourceUnavailable, XdmodCloudError
from operations.configuration import Configuration
from operations.xdmod.commands import Commands
from operations.xdmod.database import sessions
from operations.xdmod.folders import Places, move, of_kind
from operations.xdmod.kinds import KINDS, Kind
from operations.xdmod.pending import Pending
from operations.xdmod.trouble import Trouble, trouble

__all__ = ["Archived", "Ingested", "ingest"]

#: So many days are ingested again at once.
_CHUNK = timedelta(days=31)
_log = logging.getLogger("xdmod")


class Archived(Struct, frozen=True):
    """How many files of one resource and kind went into the archive: they are in XDMoD."""

    resource: str
    kind: str
    files: int


class Ingested(Struct):
    """What XDMoD took over. `again` are the days, both included, that it ingested once more.

    `sessions` are the numbers of sessions before and after, of the resources that XDMoD has, where its database is
    configured.
    """

    archived: list[Archived] = []
    aggregated: list[str] = []
    again: list[tuple[date, date]] = []
    sessions: dict[str, tuple[int, int]] = {}
    troubles: list[Trouble] = []


class _Part(Struct, frozen=True):
    """Files of one kind that were shredded, and where they go."""

    resource: str
    kind: Kind
    files: list[Path]
    archive: Path


def ingest(configuration: Configuration, commands: Commands, pending: Pending) -> Ingested:
    """Ingest and aggregate what was shredded, of all resources, and whatever else is left to do.

    What fails for one kind of data does not keep the others waiting; it is among the `troubles`, and its files stay.
    """
    parts = list(_parts(configuration))
    done = Ingested()
    before = _counted(configuration) if parts or pending.todo.again_from else {}
    try:
        for group in _grouped(parts):
            with trouble(done.troubles, f"ingest {group[0].kind.folder}", through=SourceUnavailable):
                done.aggregated += _take_over(commands, pending, group)
                done.archived += _archive(group)
        _finish(commands, pending, done)
    except SourceUnavailable as error:
        done.troubles.append(Trouble.of("ingest", error))
    after = _counted(configuration) if before else {}
    done.sessions = {name: (before[name], after[name]) for name in before if name in after}
    return done


def _parts(configuration: Configuration) -> Iterator[_Part]:
    for resource in dict.fromkeys(cloud.resource for cloud in configuration.clouds):
        for kind in KINDS:
            places = Places.of(configuration.outbox, configuration.xdmod.archive, resource, kind)
            if files := of_kind(places.shredded, kind):
                yield _Part(resource, kind, files, places.archive)


def _grouped(parts: list[_Part]) -> list[list[_Part]]:
    """The parts that XDMoD ingests together."""
    groups: dict[tuple[str, ...], list[_Part]] = {}
    for part in sorted(parts, key=lambda part: KINDS.index(part.kind)):
        groups.setdefault(part.kind.ingest, []).append(part)
    return list(groups.values())


def _take_over(commands: Commands, pending: Pending, group: list[_Part]) -> list[str]:
    realms = list(dict.fromkeys(part.kind.realm for part in group))
    pending.ingested(realms)
    for phase in group[0].kind.ingest:
        commands.must("xdmod-ingestor", "-v", phase)
    # The ingestor runs acl-config itself, and ends with its exit code.
    pending.acl(wanted=False)
    for realm in realms:
        _aggregate(commands, pending, realm)
    return realms


def _aggregate(commands: Commands, pending: Pending, realm: str) -> None:
    since = pending.todo.aggregate[realm]
    commands.must("xdmod-ingestor", "-v", f"--aggregate={realm}", "--last-modified-start-date", since)
    pending.aggregated(realm)


def _archive(group: list[_Part]) -> list[Archived]:
    done = []
    for part in group:
        move(part.files, part.archive)
        done.append(Archived(part.resource, part.kind.folder, len(part.files)))
    return done


def _finish(commands: Commands, pending: Pending, done: Ingested) -> None:
    """Do what is left from runs that did not come to their end, and what a change of the hierarchy asks for."""
    if not done.troubles:
        for realm in list(pending.todo.aggregate):
            with trouble(done.troubles, f"aggregate {realm}", through=SourceUnavailable):
                _aggregate(commands, pending, realm)
                done.aggregated.append(realm)
    if pending.todo.again_from and not done.troubles:
        with trouble(done.troubles, "ingest again", through=SourceUnavailable):
            _again(commands, pending, done)
    if pending.todo.acl and not done.troubles:
        with trouble(done.troubles, "acl-config", through=SourceUnavailable):
            commands.must("acl-config")
            pending.acl(wanted=False)


def _again(commands: Commands, pending: Pending, done: Ingested) -> None:
    """Have XDMoD ingest and aggregate past days once more, a chunk at a time; after a crash, from there on."""
    today = datetime.now(UTC).date() + timedelta(days=1)  # it may be tomorrow already where XDMoD is
    while (first := pending.todo.again_from) is not None:
        last = min(first + _CHUNK - timedelta(days=1), today)
        days = ("--start-date", str(first), "--end-date", str(last))
        commands.must("xdmod-ingestor", "-v", *days, everything=True)
        pending.done_again(last + timedelta(days=1) if last < today else None)
        pending.acl(wanted=False)
        done.again.append((first, last))


def _counted(configuration: Configuration) -> Mapping[str, int]:
    """The sessions of each cloud. That they cannot be counted keeps nobody from anything."""
    try:
        return sessions(configuration.xdmod, [cloud.resource for cloud in configuration.openstack])
    except XdmodCloudError as error:
        _log.warning("The sessions are not counted: %s", error)
        return {}
