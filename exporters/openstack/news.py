"""What a further look into the ledger adds to what was told of a server, and what it takes back."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from exporters.openstack.heartbeats import clipped, less
from exporters.openstack.life import Life, Running, Transition, life
from exporters.openstack.vocabulary import State
from ledger import Entry

__all__ = ["CORRECTION", "Known", "News", "corrections", "news"]


#: What stands for the request of an event that corrects others.
CORRECTION = "correction"


class Known(NamedTuple):
    """A state of knowledge: records up to `seq`, the times at which the source was known, events up to `horizon`."""

    seq: int
    watermarks: Sequence[datetime]
    horizon: datetime


class News(NamedTuple):
    """What to tell of one server: transitions, and spans whose heartbeats are due.

    `withdrawn` and `withdrawn_spans` were told before and are not true, or not quite: then more was learned of the
    past. Of a transition XDMoD keeps one telling, the newest, if it is told again.
    """

    life: Life
    transitions: list[Transition]
    spans: list[Running]
    withdrawn: list[Transition]
    withdrawn_spans: list[Running]


def news(entries: Sequence[Entry], before: Known | None, now: Known, hypervisors: Mapping[str, str]) -> News | None:
    """Compare what is to be told of a server by two states of knowledge; none where nothing is known yet."""
    told = life([entry for entry in entries if entry.seq <= now.seq], now.watermarks, hypervisors)
    if told is None:
        return None
    transitions = [event for event in told.transitions if event.at < now.horizon]
    spans = clipped(told.running, None, now.horizon)
    if before is None:
        return News(told, transitions, spans, [], [])
    if entries[-1].seq <= before.seq:
        fresh = [event for event in transitions if event.at >= before.horizon]
        return News(told, fresh, clipped(spans, before.horizon, now.horizon), [], [])
    old = life([entry for entry in entries if entry.seq <= before.seq], before.watermarks, hypervisors)
    old_transitions = [event for event in old.transitions if event.at < before.horizon] if old else []
    old_spans = clipped(old.running, None, before.horizon) if old else []
    return News(
        told,
        [event for event in transitions if event not in old_transitions],
        less(spans, old_spans),
        [event for event in old_transitions if event not in transitions],
        less(old_spans, spans),
    )


def corrections(told: News) -> Iterator[Transition]:
    """Events that make heartbeats harmless which were handed on, but should not have been.

    XDMoD forgets no event, and a heartbeat after a server's stop, pause, suspension, shelving or deletion would start
    an active session. After the *start* of such an action it only lengthens the session that is there. So the start is
    told once more, just after the finish.
    """
    for span in told.withdrawn_spans:
        ends = (
            event for event in told.life.transitions if event.at >= span.start and event.event_type.endswith(".end")
        )
        rest = next(ends, None)
        if rest is not None and rest.state is not State.ACTIVE:
            again = f"{rest.event_type.removesuffix('.end')}.start"
            yield rest._replace(at=rest.at + timedelta(microseconds=1), event_type=again, request=CORRECTION)
