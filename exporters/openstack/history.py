"""One server's records put in order: its actions, and what was observed of it when."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from ledger import Action, Entry, Server

__all__ = ["History", "Observation"]

#: Clocks of Nova's hosts may differ by so much from that of its API.
_CLOCKS = timedelta(seconds=2)

#: Actions that Nova takes while a task is under way, and that are none themselves.
_BESIDE_TASKS = frozenset({"extend_volume", "live_migration_abort", "live_migration_force_complete", "lock", "unlock"})


class Observation(NamedTuple):
    """A server as it was seen at a time (UTC). Until `before`, nothing spoke against what was seen last."""

    at: datetime
    before: datetime
    server: Server


class History(NamedTuple):
    """What is known of one server: its actions by start, its observations by time."""

    actions: list[Action]
    observations: list[Observation]

    @classmethod
    def of(cls, entries: Iterable[Entry], watermarks: Sequence[datetime]) -> "History":
        """Put a server's records in order; the newest record of an action counts."""
        actions: dict[str, Action] = {}
        seen: list[Observation] = []
        for _, observed, found in entries:
            if isinstance(found, Action):
                actions[found.identity] = found
            elif isinstance(found, Server):
                mark = bisect_left(watermarks, observed)
                # A run is dated by its first answer; a server that changed since was seen so only after that.
                at = max(observed, found.updated) if not found.ended else observed
                seen.append(Observation(at, watermarks[mark - 1] if mark else observed, found))
        seen.sort(key=lambda observation: observation.at)
        ordered = sorted(actions.values(), key=lambda action: (action.start, action.finish))
        return cls(_with_end(ordered, seen), seen)

    @property
    def server(self) -> Server:
        """The server as last seen."""
        return self.observations[-1].server

    def settled(self) -> list[Action]:
        """The actions whose outcome is known: all but the one under way, if the server was last seen with a task.

        An action after whose start the server was seen without a task is not the one: some tasks have no action.
        """
        if not _is_busy(self.server):
            return self.actions
        idle = max((seen.at for seen in self.observations if not _is_busy(seen.server)), default=None)
        begun = (
            action
            for action in reversed(self.actions)
            if action.action not in _BESIDE_TASKS
            and (idle is None or action.start > idle - _CLOCKS)
            and (action.action != "create" or self.server.vm_state == "building")
        )
        under_way = next(begun, None)
        return [action for action in self.actions if action is not under_way]

    def tells_state(self, observation: Observation) -> bool:
        """Whether the state observed is the one that the actions before it left, and no passing one."""
        if _is_busy(observation.server):
            return False
        return not any(
            action.start <= observation.at + _CLOCKS and action.finish > observation.at - _CLOCKS
            for action in self.actions
        )


def _with_end(actions: list[Action], seen: list[Observation]) -> list[Action]:
    """Let the last deletion finish when the server ended: one that ran on no host has no event, and no finish."""
    last = max((n for n, action in enumerate(actions) if action.action in ("delete", "forceDelete")), default=None)
    ended = seen[-1].server.terminated if seen and seen[-1].server.ended else None
    if last is None or ended is None or actions[last].finish != actions[last].start or ended < actions[last].start:
        return actions
    return [*actions[:last], replace(actions[last], finish=ended), *actions[last + 1 :]]


def _is_busy(server: Server) -> bool:
    # Between scheduling and spawning, Nova shows a server that is being built without a task.
    return not server.ended and (server.task_state is not None or server.vm_state == "building")
