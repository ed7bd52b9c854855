"""What the ledger has learned of servers since the last export, as event files that XDMoD shreds."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

from exporters.openstack.corrections import Withdrawals
from exporters.openstack.heartbeats import Grid
from exporters.openstack.news import Known, news
from exporters.openstack.scribe import EventFiles, Exported, Scribe, file_name, horizon_of, midnights, put, set_aside
from exporters.outbox import DaySpool
from ledger import Ledger
from ledger.exports import Export, ExportId, Exports, WrittenFile
from ledger.locks import sole_writer
from ledger.store import Seq

__all__ = ["TARGET", "export_news"]

TARGET = "openstack-events"
_BACK_FILL = timedelta(days=2)


def export_news(
    ledger: Ledger, source: str, places: EventFiles, grid: Grid | None = None, *, dry_run: bool = False
) -> list[Exported]:
    """Write what the ledger has learned since the last export; first finish one that its process did not.

    Heartbeats are hourly, or daily where more than two days are to be told at once, unless `grid` says otherwise.
    Raises SourceUnavailable for a full disk or another export under way: running again completes it.
    """
    with sole_writer(ledger.engine, f"the events of {source}"):
        exports = Exports(ledger, source, TARGET)
        done = []
        begun = exports.begun()
        if begun:
            done.append(_write(ledger, source, places, exports, begun, grid, dry_run=dry_run))
        last = begun if begun and dry_run else exports.last()
        due = _due(ledger, source, places, last)
        if due and not dry_run:
            due = exports.begin(due.seq_to, due.horizon_to)
        if due:
            done.append(_write(ledger, source, places, exports, due, grid, dry_run=dry_run))
        return done


def _due(ledger: Ledger, source: str, places: EventFiles, last: Export | None) -> Export | None:
    """What would be exported next; none where there is nothing that was not."""
    mark = ledger.watermark(source)
    if mark is None:
        return None
    horizon = horizon_of(mark, places.overlap)
    if last is None:
        return Export(ExportId(0), Seq(0), mark.seq, None, horizon)
    horizon = max(horizon, last.horizon_to)
    if (mark.seq, horizon) == (last.seq_to, last.horizon_to):
        return None
    return Export(ExportId(0), last.seq_to, mark.seq, last.horizon_to, horizon)


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
    scribe = Scribe(ledger, source, due.seq_to, due.horizon_to)
    before = None
    if due.horizon_from is not None:
        before = Known(due.seq_from, ledger.watermarks(source, due.seq_from), due.horizon_from)
    grid = grid or _grid(due)
    told_before = exports.files()
    withdrawals = Withdrawals(places.outbox, told_before)
    with DaySpool(None if dry_run else places.outbox) as spool:
        for _, entries in ledger.lives(source, due.seq_to, learned_after=due.seq_from, ended_after=due.horizon_from):
            told = news(entries, before, scribe.known, scribe.hypervisors)
            if told is None:
                continue
            transitions = [*told.transitions, *withdrawals.add(told)]
            for line in scribe.lines(told.life, transitions, told.spans, grid):
                spool.add(line)
        rewritten = [] if dry_run else withdrawals.apply()
        files = list(_day_files(places.outbox, spool, due, {file.name for file in told_before}, dry_run=dry_run))
    quarantine = set_aside(places, f"export-{due.id}", scribe.unfit, dry_run=dry_run)
    if not dry_run:
        exports.finish(due, files, rewritten)
    return Exported(files, rewritten, scribe.unfit, quarantine, withdrawals.too_late)


def _grid(due: Export) -> Grid:
    long = due.horizon_from is None or due.horizon_to - due.horizon_from > _BACK_FILL
    return Grid.DAILY if long else Grid.HOURLY


def _day_files(outbox: Path, spool: DaySpool, due: Export, taken: set[str], *, dry_run: bool) -> Iterator[WrittenFile]:
    """One file for each day that has events, from its first event to the end of what is exported of the day.

    A name that was given before, to a file which may wait or be gone, gets a number in front.
    """
    for day, lines in spool.days():
        first = next(lines)
        midnight, next_midnight = midnights(day)
        base = name = file_name(_second_of(first, midnight), max(midnight, min(due.horizon_to, next_midnight)))
        number = 1
        while name in taken:
            number += 1
            name = f"{number}-{base}"
        taken.add(name)
        yield put(outbox / name, chain([first], lines), dry_run=dry_run)


def _second_of(line: bytes, midnight: datetime) -> datetime:
    hour, minute, second = (int(line[at : at + 2]) for at in (25, 28, 31))
    return midnight + timedelta(hours=hour, minutes=minute, seconds=second)
