"""What event files must hold by what the ledger knows, and what they do hold: transitions, by time, server and type."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from exporters.openstack.event import stamp
from exporters.openstack.life import life
from exporters.openstack.news import CORRECTION
from exporters.openstack.scribe import Scribe
from exporters.openstack.vocabulary import HEARTBEAT
from ledger import DataError, Ledger
from ledger.exports import Export
from ledger.text import fitted

__all__ = ["Told", "corrected_servers", "expected", "first_events", "found"]


class Told(Struct, frozen=True, order=True):
    """An event that is no heartbeat."""

    generated: str
    instance_id: str
    event_type: str


class _Found(Struct):
    generated: str
    instance_id: str
    event_type: str
    request_id: str = ""


def expected(ledger: Ledger, source: str, done: Export, window: tuple[datetime, datetime]) -> set[Told]:
    """The transitions in [from, to) (UTC) that the exports up to `done` must have told."""
    scribe = Scribe(ledger, source, done.seq_to, done.horizon_to)
    start, end = window[0], min(window[1], done.horizon_to)
    told = set[Told]()
    for _, entries in ledger.lives(source, done.seq_to, window=window):
        known = life(entries, scribe.known.watermarks, scribe.hypervisors)
        for event in known.transitions if known else ():
            if start <= event.at < end:
                told.add(Told(stamp(event.at), fitted(entries[0].record.subject, 64), event.event_type))
    return told


def found(paths: Iterable[Path], window: tuple[datetime, datetime]) -> set[Told]:
    """The transitions in [from, to) (UTC) that event files hold, without those that only correct others.

    Raises DataError for a file that is no array of events.
    """
    start, end = stamp(window[0]), stamp(window[1])
    return {
        Told(event.generated, event.instance_id, event.event_type)
        for path in paths
        for event in _events(path)
        if start <= event.generated < end and event.event_type != HEARTBEAT and event.request_id != CORRECTION
    }


def corrected_servers(paths: Iterable[Path]) -> set[str]:
    """The servers of which an event only corrects others."""
    return {event.instance_id for path in paths for event in _events(path) if event.request_id == CORRECTION}


def first_events(paths: Iterable[Path]) -> dict[str, datetime]:
    """When (UTC) the earliest event of each server in event files is, heartbeats included."""
    first = dict[str, str]()
    for path in paths:
        for event in _events(path):
            if event.generated < first.get(event.instance_id, "~"):
                first[event.instance_id] = event.generated
    return {server: datetime.fromisoformat(generated).replace(tzinfo=UTC) for server, generated in first.items()}


def _events(path: Path) -> Iterator[_Found]:
    try:
        yield from msgspec.json.decode(path.read_bytes() or b"[]", type=list[_Found])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise DataError(
            f"{path} is no array of events: {error}. Export its days again with --from and --to."
        ) from error
