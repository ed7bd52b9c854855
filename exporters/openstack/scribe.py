"""What every export of events needs: the names and hosts of one state of knowledge, and where files go."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from exporters import quarantine
from exporters.openstack.encoding import Encoder
from exporters.openstack.event import Names
from exporters.openstack.heartbeats import Grid
from exporters.openstack.life import Life, Running, Transition
from exporters.openstack.news import Known
from exporters.outbox import write_array
from exporters.quarantine import Unfit
from ledger import Hypervisor, Kind, Ledger, Watermark
from ledger.exports import WrittenFile
from ledger.store import Seq

__all__ = ["EventFiles", "Exported", "Scribe", "file_name", "horizon_of", "midnights", "put", "set_aside"]

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


class EventFiles(NamedTuple):
    """Where the events of a source go: `outbox` is what XDMoD reads, `quarantine` what it must not.

    What happened within `overlap` of the watermark is told next time, for the source will be asked for it once more.
    """

    outbox: Path
    quarantine: Path
    overlap: timedelta


class Exported(NamedTuple):
    """What an export wrote, or would write: files with their numbers of events, and what was set aside, where.

    `rewritten` files were still waiting when some of their events turned out not to be so; for `corrected` servers
    XDMoD had such events already.
    """

    files: list[WrittenFile]
    rewritten: list[WrittenFile]
    unfit: list[Unfit]
    quarantine: Path | None
    corrected: int = 0

    @property
    def events(self) -> int:
        """How many events the new files hold."""
        return sum(file.records for file in self.files)


class Scribe:
    """Tells the servers of a source by what the ledger knew up to one record."""

    def __init__(self, ledger: Ledger, source: str, seq: Seq, horizon: datetime) -> None:
        kinds = (Kind.PROJECT, Kind.USER, Kind.DOMAIN, Kind.FLAVOR)
        self._encoder = Encoder(Names(entry for kind in kinds for entry in ledger.entries(source, kind, seq)))
        self.known = Known(seq, ledger.watermarks(source, seq), horizon)
        served: dict[str, set[str]] = {}
        for _, _, host in ledger.entries(source, Kind.HYPERVISOR, seq):
            if isinstance(host, Hypervisor):
                served.setdefault(host.service, set()).add(host.name)
        # A compute host with several hypervisors (bare metal) does not tell on which of them a server was.
        self.hypervisors = {service: next(iter(names)) for service, names in served.items() if len(names) == 1}

    @property
    def unfit(self) -> list[Unfit]:
        """What was not told, for it does not fit the schema."""
        return self._encoder.unfit

    def lines(self, told: Life, transitions: list[Transition], spans: list[Running], grid: Grid) -> Iterator[bytes]:
        """The encoded events of one server."""
        yield from self._encoder.transitions(told, transitions)
        yield from self._encoder.heartbeats(told, spans, grid)


def horizon_of(mark: Watermark, overlap: timedelta) -> datetime:
    """Up to when (UTC) a source's events can be told for good: XDMoD takes none from the future, and forgets none."""
    return min(mark.at - overlap, datetime.now(UTC))


def midnights(day: str) -> tuple[datetime, datetime]:
    """The start of a day (`2026-10-01`, UTC) and of the next."""
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return start, start + _DAY


def file_name(start: datetime, end: datetime) -> str:
    """The name by which XDMoD finds a file with the events in [start, end)."""
    last = max(end - _SECOND, start)
    return f"{start:%Y-%m-%dT%H:%M:%S}_{last:%Y-%m-%dT%H:%M:%S}.json"


def put(path: Path, lines: Iterator[bytes], *, dry_run: bool) -> WrittenFile:
    """Write a file, or only count what it would hold."""
    return WrittenFile(path.name, sum(1 for _ in lines), "") if dry_run else write_array(path, lines)


def set_aside(places: EventFiles, label: str, unfit: list[Unfit], *, dry_run: bool) -> Path | None:
    """Keep what does not fit the schema, with the reasons, out of XDMoD's sight."""
    return quarantine.set_aside(places.quarantine / f"events-{label}.json", unfit, dry_run=dry_run)
