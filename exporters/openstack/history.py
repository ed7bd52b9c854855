"""One server's records put in order: its actions, and what was observed of it when."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ledger import Action, Entry, Server

__all__ = ["History", "Observation"]

#: Clocks of Nova's hosts may differ by so much from that of its API.
_CLOCKS = timedelta(seconds=2)


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
                seen.append(Observation(observed, watermarks[mark - 1] if mark else observed, found))
        seen.sort(key=lambda observation: observation.at)
        ordered = sorted(actions.values(), key=lambda action: (action.start, action.finish))
        return cls(ordered, seen)

    @property
    def server(self) -> Server:
        """The server as last seen."""
        return self.observations[-1].server

    def settled(self) -> list[Action]:
        """The actions whose outcome is known: all but the last, if the server was last seen with a task under way."""
        return self.actions[:-1] if self.server.task_state is not None and not self.server.ended else self.actions

    def tells_state(self, observation: Observation) -> bool:
        """Whether the state observed is the one that the actions before it left, and no passing one."""
        if observation.server.task_state is not None and not observation.server.ended:
            return False
        return not any(
            action.start <= observation.at + _CLOCKS and action.finish > observation.at - _CLOCKS
            for action in self.actions
        )
