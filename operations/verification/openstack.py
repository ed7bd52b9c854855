"""Verify: compare Nova, the ledger, the event files and the sessions, and name every difference."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from collectors.openstack import OpenStackSource
from collectors.openstack.cloud import Cloud
from collectors.openstack.servers import list_servers
from exporters.openstack import TARGET, corrected_servers, expected, found
from exporters.outbox import day_of
from ledger import Ledger, Server
from ledger.exports import Export, Exports
from operations.reports.usage import ledger_sessions
from usage import Engine, Session

__all__ = ["Difference", "Verified", "verify_openstack"]


class Difference(NamedTuple):
    """One thing of which two places say different things. `hop` names the places, `identity` the thing."""

    hop: str
    identity: str
    what: str


class Verified(NamedTuple):
    """What was compared, hop by hop, and every difference."""

    compared: dict[str, int]
    differences: list[Difference]


def verify_openstack(
    ledger: Ledger, settings: OpenStackSource, folders: Sequence[Path], window: tuple[datetime, datetime]
) -> Verified:
    """Compare one cloud's hops; events and sessions of servers that existed in [from, to) (UTC).

    `folders` hold the event files: the outbox, and wherever else files were moved that XDMoD has read. What was
    learned after the last export is no difference.
    """
    compared: dict[str, int] = {}
    differences = [*_nova(ledger, settings, compared)]
    exports = Exports(ledger, settings.name, TARGET)
    done = exports.last()
    if done is not None:
        window = window[0], min(window[1], done.horizon_to)
        differences += _files(exports, folders, window, compared)
        differences += _events(ledger, settings, done, folders, window, compared)
        differences += _sessions(ledger, settings, done, folders, window, compared)
    return Verified(compared, differences)


def _nova(ledger: Ledger, settings: OpenStackSource, compared: dict[str, int]) -> Iterator[Difference]:
    """Nova now, and the ledger; what changed since the ledger was last brought up to date is no difference."""
    mark = ledger.watermark(settings.name)
    known = {server.id: server for server in ledger.newest(settings.name, Server, open_only=True)}
    cloud = Cloud.connect(settings)
    live = list_servers(cloud, None).servers
    compared["servers in Nova"] = len(live)
    hop = "Nova ↔ ledger"
    for id, server in live.items():
        if mark and server.updated >= mark.at - timedelta(seconds=settings.overlap_seconds):
            continue
        if id not in known:
            yield Difference(hop, id, f"{server.name} is {server.status} in Nova, and unknown to the ledger")
            continue
        for what in ("vm_state", "size", "project", "user"):
            there, here = getattr(server, what), getattr(known[id], what)
            if there != here:
                yield Difference(hop, id, f"{what} is {there} in Nova, {here} in the ledger")
    missing = [server for id, server in known.items() if id not in live]
    if missing:
        # Softly deleted servers are not listed as live; others may have been deleted since the ledger was told.
        since = min(server.updated for server in missing)
        deleted = list_servers(cloud, since, deleted_only=True).servers
        for server in missing:
            if server.id not in deleted:
                yield Difference(hop, server.id, f"{server.name} is {server.status} in the ledger, but not in Nova")


def _files(
    exports: Exports, folders: Sequence[Path], window: tuple[datetime, datetime], compared: dict[str, int]
) -> Iterator[Difference]:
    """The files that were written and those that are there."""
    first, last = (time.date().isoformat() for time in window)
    for file in exports.files():
        if not first <= (day_of(file.name) or "") <= last:
            continue
        compared["event files"] = compared.get("event files", 0) + 1
        path = next((folder / file.name for folder in folders if (folder / file.name).exists()), None)
        if path is None:
            yield Difference(
                "ledger ↔ files", file.name, "was written, but is in none of the folders; name the one with --events"
            )
        elif sha256(path.read_bytes()).hexdigest() != file.sha256:
            yield Difference("ledger ↔ files", file.name, "is not as it was written")


def _events(
    ledger: Ledger,
    settings: OpenStackSource,
    done: Export,
    folders: Sequence[Path],
    window: tuple[datetime, datetime],
    compared: dict[str, int],
) -> Iterator[Difference]:
    """What the ledger has to tell, and what the files tell."""
    must = expected(ledger, settings.name, done, window)
    told = found(_event_files(folders), window)
    compared["events"] = len(must)
    for event in sorted(must - told):
        yield Difference("ledger ↔ files", event.instance_id, f"{event.event_type} at {event.generated} is in no file")
    for event in sorted(told - must):
        yield Difference(
            "ledger ↔ files", event.instance_id, f"{event.event_type} at {event.generated} is only in a file"
        )


def _sessions(
    ledger: Ledger,
    settings: OpenStackSource,
    done: Export,
    folders: Sequence[Path],
    window: tuple[datetime, datetime],
    compared: dict[str, int],
) -> Iterator[Difference]:
    """Sessions rebuilt from the files, and those that the ledger's own knowledge gives.

    Where an event corrects others, sessions are cut otherwise, and mean the same: such servers are left out.
    """
    hop = "files ↔ sessions"
    corrected = corrected_servers(_event_files(folders))
    with Engine() as of_files, ledger_sessions(ledger, settings, window, done) as of_ledger:
        of_files.read(*folders)
        tagged = merge(
            ((_place(session), "files", session) for session in of_files.sessions()),
            ((_place(session), "ledger", session) for session in of_ledger.sessions()),
            key=lambda item: item[:2],
        )
        for _, group in groupby(tagged, key=lambda item: item[0]):
            both = {where: session for _, where, session in group}
            session = next(iter(both.values()))
            in_window = window[0].timestamp() <= session.start_time_ts < window[1].timestamp()
            if not in_window or session.instance in corrected:
                continue
            compared["sessions"] = compared.get("sessions", 0) + 1
            if both.get("files") != both.get("ledger"):
                yield Difference(hop, session.instance, _unlike(both.get("files"), both.get("ledger")))


def _event_files(folders: Sequence[Path]) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.glob("*.json")) if day_of(path.name)]


def _place(session: Session) -> tuple[str, int, int]:
    return session.instance, session.start_time_ts, session.start_event_type_id


def _unlike(files: Session | None, ledger: Session | None) -> str:
    session = files or ledger
    assert session is not None
    start = f"the session from {datetime.fromtimestamp(session.start_time_ts, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if files is None or ledger is None:
        return f"{start} is only in the {'files' if files else 'ledger'}"
    fields = [name for name in session.__struct_fields__ if getattr(files, name) != getattr(ledger, name)]
    said = ", ".join(f"{name} {getattr(files, name)} (ledger: {getattr(ledger, name)})" for name in fields)
    return f"{start} has {said}"
