"""Events of one server, validated and encoded; what does not fit the schema is set aside with the reason."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime
from itertools import chain, groupby

import jsonschema_rs
import msgspec

import schemas
from exporters.openstack.event import Names, as_record, heartbeat, owner_at, stamp, transition
from exporters.openstack.heartbeats import Grid, beats
from exporters.openstack.life import Life, Running, Transition
from exporters.quarantine import Unfit, fault

__all__ = ["Encoder"]

_HEAD = b'{"generated":"'
_TAIL = len(_HEAD) + len("2026-10-01T08:00:00.000000")


class Encoder:
    """Encodes what is told of servers, by the names of the time of each event."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._json = msgspec.json.Encoder()
        self._schema = schemas.validator("openstack-event")
        self._time = jsonschema_rs.validator_for(schemas.load("openstack-event")["properties"]["generated"])
        self.unfit: list[Unfit] = []

    def transitions(self, life: Life, told: list[Transition]) -> Iterator[bytes]:
        """One line for each transition that is fit."""
        for event in told:
            named = event._replace(size=self._names.told(event.size))
            record = transition(life, named, owner_at(self._names, life, event.at))
            if self._fits(as_record(record)):
                yield self._json.encode(record)

    def heartbeats(self, life: Life, spans: list[Running], grid: Grid) -> Iterator[bytes]:
        """One line for each heartbeat of the spans that is fit."""
        renamed = self._names.changes(life.server)
        for span in spans:
            assert span.end is not None
            moments = beats(span.start, span.end, grid)
            yield from self._span(life, span, moments) if not renamed else self._renamed(life, span, moments, renamed)

    def _renamed(
        self, life: Life, span: Running, moments: Iterator[datetime], renamed: list[datetime]
    ) -> Iterator[bytes]:
        for _, some in groupby(moments, key=lambda moment: bisect_right(renamed, moment)):
            yield from self._span(life, span, some)

    def _span(self, life: Life, span: Running, moments: Iterator[datetime]) -> Iterator[bytes]:
        # They differ in their time alone, and the schema judges each field by itself: the rest is judged once.
        first = next(moments, None)
        if first is None:
            return
        named = span._replace(size=self._names.told(span.size))
        event = heartbeat(life, named, first, owner_at(self._names, life, first))
        tail, record = self._json.encode(event)[_TAIL:], as_record(event)
        if self._schema.is_valid(record):
            is_time = self._time.is_valid
            for moment in chain([first], moments):
                time = stamp(moment)
                if is_time(time) or self._fits({**record, "generated": time}):
                    yield _HEAD + time.encode() + tail
            return
        for moment in chain([first], moments):
            self._fits({**record, "generated": stamp(moment)})

    def _fits(self, record: dict[str, object]) -> bool:
        reason = fault(self._schema, record)
        if reason:
            self.unfit.append(Unfit(reason, dict(record)))
        return reason is None
