"""The ledger's servers, as event files that XDMoD shreds: what is new since the last export, or a past window again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from exporters.openstack.corrections import Withdrawals
from exporters.openstack.encoding import Encoder, Unfit
from exporters.openstack.event import Names
from exporters.openstack.heartbeats import Grid, clipped
from exporters.openstack.life import life
from exporters.openstack.news import Known, news
from exporters.outbox import DaySpool, write_array
from ledger import Hypervisor, Kind, Ledger, Watermark
from ledger.exports import Export, ExportId, Exports, WrittenFile
from ledger.locks import sole_writer
from ledger.store import Seq

__all__ = ["EventFiles", "Exported", "export_news", "export_window"]

TARGET = "openstack-events"
_BACK_FILL = timedelta(days=2)
_SECOND = timedelta(seconds=1)


class EventFiles(NamedTuple):
    """Where the events of a source go: `outbox` is what XDMoD reads, `quarantine` what it must not."""

    outbox: Path
    quarantine: Path
    overlap: timedelta


class Exported(NamedTuple):
    """What an export wrote, or would write: files with their numbers of events, and what was set aside, where."""

    files: list[WrittenFile]
    rewritten: list[WrittenFile]
    unfit: list[Unfit]
    quarantine: Path | None
    corrected: int = 0

    @property
    def events(self) -> int:
        return sum(file.records for file in self.files)


_NOTHING = Exported([], [], [], None)


def export_news(
    ledger: Ledger, source: str, places: EventFiles, grid: Grid | None = None, *, dry_run: bool = False
) -> list[Exported]:
    """Write what the ledger has learned since the last export, and finish one that its process did not live to finish.

    Heartbeats are hourly, or daily where more than two days are to be told at once, unless `grid` says otherwise.
    Raises SourceUnavailable for a full disk or another export under way: running again completes it.
    """
    with sole_writer(ledger.engine, f"the events of {source}"):
        exports = Exports(ledger, source, TARGET)
        done = []
        begun = exports.begun()
        if begun and not dry_run:
            done.append(_write(ledger, source, places, exports, begun, grid, dry_run=False))
        mark, last = ledger.watermark(source), exports.last()
        if mark is None:
            return done
        horizon = _horizon(mark, places)
        if last and last.horizon_to > horizon:
            horizon = last.horizon_to
        if last is None or (mark.seq, horizon) != (last.seq_to, last.horizon_to):
            due = _planned(last, mark.seq, horizon) if dry_run else exports.begin(mark.seq, horizon)
            done.append(_write(ledger, source, places, exports, due, grid, dry_run=dry_run))
        return done


def export_window(
    ledger: Ledger,
    source: str,
    places: EventFiles,
    window: tuple[datetime, datetime],
    grid: Grid = Grid.HOURLY,
    *,
    dry_run: bool = False,
) -> Exported:
    """Write all events in [from, to) again, by what the ledger knows now. The same knowledge gives the same bytes."""
    mark = ledger.watermark(source)
    if mark is None:
        return _NOTHING
    start, end = window[0], min(window[1], _horizon(mark, places))
    scribe = _Scribe(ledger, source, mark.seq)
    with DaySpool(places.outbox) as spool:
        for _, entries in ledger.lives(source, mark.seq, window=(start, end)):
            told = life(entries, scribe.known.watermarks, scribe.hypervisors)
            if told is None:
                continue
            transitions = [event for event in told.transitions if start <= event.at < end]
            for line in scribe.encoder.transitions(told, transitions):
                spool.add(line)
            for line in scribe.encoder.heartbeats(told, clipped(told.running, start, end), grid):
                spool.add(line)
        files = []
        for day, lines in spool.days():
            midnight = _midnight(day)
            name = _name(max(start, midnight), min(end, midnight + timedelta(days=1)) - _SECOND)
            files.append(_put(places.outbox / name, lines, dry_run=dry_run))
    label = f"{start:%Y-%m-%dT%H:%M:%S}_{end:%Y-%m-%dT%H:%M:%S}"
    return Exported(files, [], scribe.encoder.unfit, _set_aside(places, label, scribe.encoder.unfit, dry_run=dry_run))


class _Scribe:
    """What is needed to tell the servers of a source by one state of knowledge."""

    def __init__(self, ledger: Ledger, source: str, seq: Seq) -> None:
        named = (
            entry for kind in (Kind.PROJECT, Kind.USER, Kind.DOMAIN) for entry in ledger.entries(source, kind, seq)
        )
        self.encoder = Encoder(Names(named))
        hosts = [e.record for e in ledger.entries(source, Kind.HYPERVISOR, seq) if isinstance(e.record, Hypervisor)]
        served: dict[str, set[str]] = {}
        for host in hosts:
            served.setdefault(host.service, set()).add(host.name)
        # A compute host with several hypervisors (bare metal) does not tell on which of them a server was.
        self.hypervisors = {service: next(iter(names)) for service, names in served.items() if len(names) == 1}
        self.known = Known(seq, ledger.watermarks(source, seq), datetime.max.replace(tzinfo=UTC))


def _write(
    ledger: Ledger,
    source: str,
    places: EventFiles,
    exports: Exports,
    due: Export,
    grid: Grid | None,
    *,
    dry_run: bool,
) -> Exported:
    scribe = _Scribe(ledger, source, due.seq_to)
    now = scribe.known._replace(horizon=due.horizon_to)
    before = None
    if due.horizon_from is not None:
        before = Known(due.seq_from, ledger.watermarks(source, due.seq_from), due.horizon_from)
    long = before is None or due.horizon_to - before.horizon > _BACK_FILL
    grid = grid or (Grid.DAILY if long else Grid.HOURLY)
    told_before = exports.files()
    withdrawals = Withdrawals(places.outbox, told_before)
    with DaySpool(places.outbox) as spool:
        for _, entries in ledger.lives(source, due.seq_to, learned_after=due.seq_from):
            told = news(entries, before, now, scribe.hypervisors)
            if told is None:
                continue
            transitions = [*told.transitions, *withdrawals.add(told)]
            for line in scribe.encoder.transitions(told.life, transitions):
                spool.add(line)
            for line in scribe.encoder.heartbeats(told.life, told.spans, grid):
                spool.add(line)
        rewritten = [] if dry_run else withdrawals.apply()
        files = list(_day_files(places.outbox, spool, due, {file.name for file in told_before}, dry_run=dry_run))
    quarantine = _set_aside(places, f"export-{due.id}", scribe.encoder.unfit, dry_run=dry_run)
    if not dry_run:
        exports.finish(due, files, rewritten)
    return Exported(files, rewritten, scribe.encoder.unfit, quarantine, withdrawals.too_late)


def _day_files(outbox: Path, spool: DaySpool, due: Export, taken: set[str], *, dry_run: bool) -> Iterator[WrittenFile]:
    for day, lines in spool.days():
        first = next(lines)
        midnight = _midnight(day)
        last = min(due.horizon_to, midnight + timedelta(days=1)) - _SECOND
        base = name = f"{_second_of(first)}_{_text(max(last, midnight))}.json"
        number = 1
        while name in taken:
            number += 1
            name = f"{number}-{base}"
        taken.add(name)
        yield _put(outbox / name, _again(first, lines), dry_run=dry_run)


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _put(path: Path, lines: Iterator[bytes], *, dry_run: bool) -> WrittenFile:
    return WrittenFile(path.name, sum(1 for _ in lines), "") if dry_run else write_array(path, lines)


def _set_aside(places: EventFiles, label: str, unfit: list[Unfit], *, dry_run: bool) -> Path | None:
    if not unfit or dry_run:
        return None
    places.quarantine.mkdir(parents=True, exist_ok=True)
    path = places.quarantine / f"events-{label}.json"
    write_array(path, map(msgspec.json.encode, unfit))
    return path


def _horizon(mark: Watermark, places: EventFiles) -> datetime:
    # What is younger than the overlap will be read once more; XDMoD cannot take an event back.
    return min(mark.at - places.overlap, datetime.now(UTC))


def _planned(last: Export | None, seq: Seq, horizon: datetime) -> Export:
    from_seq, from_horizon = (last.seq_to, last.horizon_to) if last else (Seq(0), None)
    return Export(ExportId(0), from_seq, seq, from_horizon, horizon)


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def _second_of(line: bytes) -> str:
    return line[14:33].decode()


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S")


def _name(start: datetime, end: datetime) -> str:
    return f"{_text(start)}_{_text(end)}.json"
