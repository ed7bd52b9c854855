"""A past window's events again, or whole lives for our own sums: pure functions of the ledger."""

from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

from exporters.openstack.export import TARGET
from exporters.openstack.heartbeats import Grid, clipped
from exporters.openstack.life import life
from exporters.openstack.scribe import EventFiles, Exported, Scribe, file_name, horizon_of, midnights, put, set_aside
from exporters.outbox import DaySpool, write_array
from ledger import Entry, Ledger
from ledger.exports import Exports
from ledger.locks import sole_writer
from ledger.store import Seq
from ledger.times import EPOCH

__all__ = ["export_window", "write_lives"]


def export_window(
    ledger: Ledger,
    source: str,
    places: EventFiles,
    window: tuple[datetime, datetime],
    grid: Grid = Grid.HOURLY,
    *,
    dry_run: bool = False,
) -> Exported:
    """Write all events in [from, to) again, by what the ledger knows now. The same knowledge gives the same bytes.

    Raises SourceUnavailable for a full disk or another export under way.
    """
    mark = ledger.watermark(source)
    if mark is None:
        return Exported([], [], [], None)
    start, end = window[0], min(window[1], horizon_of(mark, places.overlap))
    scribe = Scribe(ledger, source, mark.seq, end)
    exported = {file.name for file in Exports(ledger, source, TARGET).files()}
    lock = nullcontext() if dry_run else sole_writer(ledger.engine, f"the events of {source}")
    with lock, DaySpool(None if dry_run else places.outbox) as spool:
        for _, entries in ledger.lives(source, mark.seq, window=(start, end)):
            _spool(spool, scribe, entries, start, grid)
        files = []
        for day, lines in spool.days():
            midnight, next_midnight = midnights(day)
            name = file_name(max(start, midnight), min(end, next_midnight))
            # An export's own file of that name stays: the ledger counts on it.
            name = f"again-{name}" if name in exported else name
            files.append(put(places.outbox / name, lines, dry_run=dry_run))
    label = file_name(start, end).removesuffix(".json")
    return Exported(files, [], scribe.unfit, set_aside(places, label, scribe.unfit, dry_run=dry_run))


def write_lives(
    ledger: Ledger, source: str, folder: Path, window: tuple[datetime, datetime], up_to: Seq, horizon: datetime
) -> None:
    """Write the whole lives of the servers that existed in [from, to), by the records up to `up_to`, until `horizon`.

    Their sessions are those that XDMoD builds of all exports up to there; of heartbeats there are as few as that takes.
    """
    scribe = Scribe(ledger, source, up_to, horizon)
    with DaySpool(folder) as spool:
        for _, entries in ledger.lives(source, up_to, window=window):
            _spool(spool, scribe, entries, EPOCH, Grid.LAST)
        for day, lines in spool.days():
            write_array(folder / file_name(*midnights(day)), lines)


def _spool(spool: DaySpool, scribe: Scribe, entries: list[Entry], start: datetime, grid: Grid) -> None:
    told = life(entries, scribe.known.watermarks, scribe.hypervisors)
    if told is None:
        return
    end = scribe.known.horizon
    transitions = [event for event in told.transitions if start <= event.at < end]
    for line in scribe.lines(told, transitions, clipped(told.running, start, end), grid):
        spool.add(line)
