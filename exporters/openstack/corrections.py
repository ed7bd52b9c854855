"""Takes back what was told and is not true: out of files that still wait, or by events that make it harmless."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from exporters.openstack.event import stamp
from exporters.openstack.heartbeats import Grid, beats
from exporters.openstack.life import Transition
from exporters.openstack.news import News, corrections
from exporters.openstack.vocabulary import HEARTBEAT
from exporters.outbox import array_lines, day_of, write_array
from ledger.exports import WrittenFile
from ledger.text import fitted

__all__ = ["Withdrawals"]


class _Key(Struct, frozen=True):
    generated: str
    instance_id: str
    event_type: str


class Withdrawals:
    """What one export takes back of what was told before."""

    def __init__(self, outbox: Path, told_before: Iterable[WrittenFile]) -> None:
        self._outbox = outbox
        self._told: dict[str, dict[str, WrittenFile]] = {}
        for file in told_before:
            self._told.setdefault(day_of(file.name) or "", {})[file.name] = file
        self._keys: dict[str, set[_Key]] = {}
        self.too_late = 0

    def add(self, told: News) -> Iterator[Transition]:
        """Take back what is withdrawn of one server; returns the events that must be told to make up for the rest."""
        late = []
        for event in told.withdrawn:
            self._take(told, stamp(event.at), event.event_type)
        for span in told.withdrawn_spans:
            assert span.end is not None
            days = {self._take(told, stamp(beat), HEARTBEAT) for beat in beats(span.start, span.end, Grid.HOURLY)}
            if any(self._is_handed_on(day) for day in days):
                late.append(span)
        if late:
            self.too_late += 1
            yield from corrections(told._replace(withdrawn_spans=late))

    def apply(self) -> list[WrittenFile]:
        """Rewrite the waiting files that hold something withdrawn, each whole or not at all.

        Returns the exported ones among them as they now are, also where an export that died had rewritten them.
        """
        rewritten = []
        for path in sorted(self._outbox.glob("*.json")):
            day = day_of(path.name) or ""
            keys = self._keys.get(day)
            if not keys:
                continue
            try:
                lines = array_lines(path)
            except FileNotFoundError:
                continue  # handed on this very moment
            kept = [line for line in lines if msgspec.json.decode(line, type=_Key) not in keys]
            written = write_array(path, kept) if len(kept) < len(lines) else None
            before = self._told.get(day, {}).get(path.name)
            if before:
                now = written or WrittenFile(path.name, len(lines), sha256(path.read_bytes()).hexdigest())
                rewritten += [now] if now != before else []
        return rewritten

    def _is_handed_on(self, day: str) -> bool:
        """Whether a file of a day has already left the outbox."""
        return any(not (self._outbox / name).exists() for name in self._told.get(day, ()))

    def _take(self, told: News, generated: str, event_type: str) -> str:
        day = generated[:10]
        self._keys.setdefault(day, set()).add(_Key(generated, fitted(told.life.server.id, 64), event_type))
        return day
