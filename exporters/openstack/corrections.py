"""Takes back what was told and is not true: out of files that still wait, or by events that make it harmless."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from exporters.openstack.event import stamp
from exporters.openstack.heartbeats import Grid, beats
from exporters.openstack.life import Transition
from exporters.openstack.news import News, corrections
from exporters.openstack.vocabulary import HEARTBEAT
from exporters.outbox import array_lines, day_of, write_array
from exporters.text import fitted
from ledger.exports import WrittenFile

__all__ = ["Withdrawals"]


class _Key(Struct, frozen=True):
    generated: str
    instance_id: str
    event_type: str


class Withdrawals:
    """What one export takes back. `handed_on` are the days of which a file has already left the outbox."""

    def __init__(self, outbox: Path, told_before: Iterable[WrittenFile]) -> None:
        self._outbox, self._files = outbox, [file.name for file in told_before]
        self._keys: dict[str, set[_Key]] = {}
        self._handed_on = {day_of(name) for name in self._files if not (outbox / name).exists()}
        self.too_late = 0

    def add(self, told: News) -> Iterator[Transition]:
        """Take back what is withdrawn of one server; returns the events that must be told to make up for the rest."""
        late = []
        for event in told.withdrawn:
            self._take(told, stamp(event.at), event.event_type)
        for span in told.withdrawn_spans:
            assert span.end is not None
            days = {self._take(told, stamp(beat), HEARTBEAT) for beat in beats(span.start, span.end, Grid.HOURLY)}
            if days & self._handed_on:
                late.append(span)
        if late:
            self.too_late += 1
            yield from corrections(told._replace(withdrawn_spans=late))

    def apply(self) -> list[WrittenFile]:
        """Rewrite the waiting files that hold something withdrawn, each whole or not at all."""
        rewritten = []
        for name in self._files:
            path, keys = self._outbox / name, self._keys.get(day_of(name) or "")
            if not keys or not path.exists():
                continue
            lines = array_lines(path)
            kept = [line for line in lines if msgspec.json.decode(line, type=_Key) not in keys]
            if len(kept) < len(lines):
                rewritten.append(write_array(path, kept))
        return rewritten

    def _take(self, told: News, generated: str, event_type: str) -> str:
        day = generated[:10]
        self._keys.setdefault(day, set()).add(_Key(generated, fitted(told.life.server.id, 64), event_type))
        return day
