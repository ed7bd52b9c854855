"""Which size and which host a server had when, from what was observed of it and what its actions say.

Nova tells only the present size and host. A resize divides a server's life into epochs, and an observation is
evidence for the epoch in which it was made; likewise each move between hosts. Where there is no evidence, the answer
is unknown, not today's.
"""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from exporters.openstack.history import History
from ledger import Action, Size
from ledger.times import EPOCH

__all__ = ["UNKNOWN_SIZE", "Hosts", "Sizes"]

#: XDMoD keeps a session without cores, but never adds it up: unknown is neither nothing nor a guess.
UNKNOWN_SIZE = Size("unknown", 0, 0, 0)
_FOREVER = datetime.max.replace(tzinfo=UTC)


class _Epoch(NamedTuple):
    start: datetime
    seen: list[tuple[datetime, Size]]


class Sizes:
    """The sizes of one server over time. A resize takes effect when it is confirmed."""

    def __init__(self, history: History) -> None:
        self._epochs = [_Epoch(EPOCH, [])]
        resized: datetime | None = None
        tries: list[tuple[datetime, datetime, bool]] = []
        for action in history.actions:
            if action.failed:
                continue
            if action.action == "resize":
                resized = action.finish
            elif action.action == "confirmResize" and resized:
                tries.append((resized, action.finish, True))
                self._epochs.append(_Epoch(action.finish, []))
                resized = None
            elif action.action == "revertResize" and resized:
                tries.append((resized, action.finish, False))
                resized = None
        if resized:
            tries.append((resized, _FOREVER, False))
        starts = [epoch.start for epoch in self._epochs]
        for at, _, server in history.observations:
            trial = next(((end, kept) for start, end, kept in tries if start <= at < end), None)
            if server.task_state is not None and not server.ended:
                continue
            if trial is None:
                self._epochs[bisect_right(starts, at) - 1].seen.append((at, server.size))
            elif trial[1]:
                self._epochs[bisect_right(starts, trial[0]) - 1].seen.append((trial[0], server.size))
        if not any(epoch.seen for epoch in self._epochs) and len(self._epochs) == 1 and not tries:
            # Seen only with a task under way, but never resized: it has had one size.
            self._epochs[0].seen.append((history.observations[0].at, history.observations[0].server.size))

    def at(self, time: datetime) -> Size:
        """The size in effect at a time (UTC)."""
        epoch = next(epoch for epoch in reversed(self._epochs) if epoch.start <= time)
        if not epoch.seen:
            return UNKNOWN_SIZE
        return next((size for at, size in reversed(epoch.seen) if at <= time), epoch.seen[0][1])

    def silent_changes(self) -> list[tuple[datetime, Size]]:
        """When, within an epoch, another size was seen than before, though no resize tells of it."""
        return [
            (at, size)
            for epoch in self._epochs
            for (_, before), (at, size) in zip(epoch.seen, epoch.seen[1:], strict=False)
            if size != before
        ]


#: Event of a moving action -> whether its host is where the server went (True) or came from (False).
_WHERE = {
    "compute__do_build_and_run_instance": True,
    "compute_finish_resize": True,
    "compute_resize_instance": False,
    "compute_post_live_migration_at_destination": True,
    "compute_pre_live_migration": True,
    "compute_live_migration": False,
    "compute_rebuild_instance": True,
    "compute_unshelve_instance": True,
    "compute_finish_revert_resize": True,
    "compute_revert_resize": False,
}
_MOVES = frozenset({"resize", "migrate", "live-migration", "evacuate", "unshelve", "revertResize"})


class Hosts:
    """The hypervisors that one server was on over time; `hypervisors` maps compute hosts to them."""

    def __init__(self, history: History, hypervisors: Mapping[str, str]) -> None:
        moves = [action for action in history.actions if action.action in _MOVES and not action.failed]
        boots = [action for action in history.actions if action.action == "create"]
        self._starts = [EPOCH, *(move.finish for move in moves)]
        self._seen: list[list[tuple[datetime, str]]] = [[] for _ in self._starts]
        for at, _, server in history.observations:
            if server.host and not any(move.start <= at < move.finish for move in moves):
                self._seen[bisect_right(self._starts, at) - 1].append((at, server.host))
        ends = [(None, _ends(boots[0])[1] if boots else None), *(_ends(move) for move in moves), (None, None)]
        for number, seen in enumerate(self._seen):
            told = ends[number][1] or ends[number + 1][0]
            if told and not seen:
                seen.append((self._starts[number], hypervisors.get(told, told)))

    def at(self, time: datetime) -> str | None:
        """The host at a time (UTC); none where it is not known."""
        seen = self._seen[bisect_right(self._starts, time) - 1]
        first = seen[0][1] if seen else None
        return next((host for at, host in reversed(seen) if at <= time), first)

    def moves(self) -> list[datetime]:
        """When the server came to another host."""
        return self._starts[1:]


def _ends(move: Action) -> tuple[str | None, str | None]:
    told = {_WHERE[event]: host for event, host in move.hosts if event in _WHERE}
    return told.get(False), told.get(True)
