"""One server's life as XDMoD will be told it: transitions, each at its time, and the spans in which it ran."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from exporters.openstack.evidence import Hosts, Sizes
from exporters.openstack.history import History, Observation
from exporters.openstack.vocabulary import CREATE_ERROR, EVENTS, INFERRED, State, state_of
from ledger import Action, Entry, Server, Size

__all__ = ["Life", "Running", "Transition", "life"]

_TICK = timedelta(microseconds=1)
_VOLUMES = frozenset({"attach_volume", "detach_volume"})


class Transition(NamedTuple):
    """One event of a server that is no heartbeat, with what was valid at its time (UTC)."""

    at: datetime
    event_type: str
    state: State
    size: Size
    host: str | None
    request: str
    volume: str | None = None


class Running(NamedTuple):
    """A span [start, end) in which a server ran, of one size and on one host; an end of none is still open."""

    start: datetime
    end: datetime | None
    size: Size
    host: str | None


class Life(NamedTuple):
    """All that is to be said of one server, as far as the ledger knows."""

    server: Server
    transitions: list[Transition]
    running: list[Running]


def life(entries: Sequence[Entry], watermarks: Sequence[datetime], hypervisors: Mapping[str, str]) -> Life | None:
    """Tell one server's life from its records; none where its own record is missing.

    `watermarks` are the moments at which its source was known, `hypervisors` maps compute hosts to hypervisor names.
    """
    history = History.of(entries, watermarks)
    if not history.observations:
        return None
    told = _Teller(history, Sizes(history), Hosts(history, hypervisors))
    for _, _, step in sorted(_steps(history), key=lambda step: step[:2]):
        if isinstance(step, Observation):
            told.observe(step)
        else:
            told.act(*step)
    return Life(history.server, told.transitions, told.running())


_Step = tuple[datetime, int, Observation | tuple[Action, bool]]


def _steps(history: History) -> Iterator[_Step]:
    """Starts and finishes of actions, and observations; at one instant in the actions' order, observations last."""
    settled = history.settled()
    for number, action in enumerate(settled):
        yield action.start, 2 * number, (action, False)
        yield action.finish, 2 * number + 1, (action, True)
    if not any(action.action == "create" for action in settled):
        seen = (observation.server for observation in history.observations)
        first = next((server for server in seen if server.vm_state != "building" or server.ended), None)
        if first:
            # Its first action was purged before anybody asked.
            born = Action(first.id, "create", "inferred", first.created, first.created, failed=first.launched is None)
            yield first.created, -2, (born, False)
            yield first.created, -1, (born, True)
    for number, observation in enumerate(history.observations, 2 * len(settled)):
        yield observation.at, number, observation


class _Teller:
    """Walks through a life, keeping the state that the server is in."""

    def __init__(self, history: History, sizes: Sizes, hosts: Hosts) -> None:
        self.transitions: list[Transition] = []
        self._history, self._sizes, self._hosts = history, sizes, hosts
        self._state: State | None = None
        self._launched = any(seen.server.launched for seen in history.observations)
        self._spans: list[tuple[datetime, datetime | None]] = []
        self._silent = dict(sizes.silent_changes())

    def act(self, action: Action, finished: bool) -> None:
        """Tell the start or the finish of an action."""
        words = EVENTS.get(action.action)
        # Nova calls a boot failed that succeeded on another host, and does not one that a deletion cut short.
        failed = not self._launched if action.action == "create" else action.failed
        if words is None or self._is_idle(action) or (failed and action.action != "create"):
            return
        if not finished:
            if words.start:
                self._say(action.start, words.start, self._state or State.BUILDING, action.request)
            if words.leaves not in (None, State.ACTIVE):
                self._rest(self.transitions[-1].at)
        elif failed:
            self._say(action.finish, CREATE_ERROR, State.ERROR, action.request)
            self._state = State.ERROR
        elif words.end:
            self._state = words.leaves or self._state
            self._say(action.finish, words.end, self._state or State.ACTIVE, action.request, self._volume(action))
            self._settle(words.leaves)

    def observe(self, observation: Observation) -> None:
        """Tell what an observation shows that no action has told."""
        if observation.at in self._silent and self._state not in (None, State.DELETED):
            self._infer("confirmResize", observation.at, "inferred-size")
        if not self._history.tells_state(observation):
            return
        seen = state_of(observation.server)
        if self._state is None or seen is State.BUILDING or seen.session_state == self._state.session_state:
            return
        if seen is State.DELETED:
            end = observation.server.terminated
            reason = "inferred-vanished" if observation.server.vanished else "inferred-deleted"
            self._infer("delete", end or observation.before, reason)
        elif self._state is State.BUILDING:
            return
        else:
            # It ran at least as long as nothing spoke against it, and runs again at the latest when it is seen to.
            at = observation.at if seen is State.ACTIVE else observation.before
            self._infer(INFERRED[seen], at, "inferred-state")
            self._state = seen

    def running(self) -> list[Running]:
        """The spans in which the server ran, cut where its size or host changed."""
        cuts = sorted({*self._hosts.moves(), *(at for at, _ in self._sizes.silent_changes()), *self._resizes()})
        spans = []
        for start, end in self._spans:
            inner = [cut for cut in cuts if start < cut and (end is None or cut < end)]
            for left, right in zip([start, *inner], [*inner, end], strict=True):
                assert left is not None
                spans.append(Running(left, right, self._sizes.at(left), self._hosts.at(left)))
        return spans

    def _resizes(self) -> list[datetime]:
        done = (action for action in self._history.actions if not action.failed)
        return [action.finish for action in done if action.action == "confirmResize"]

    def _is_idle(self, action: Action) -> bool:
        """Whether an action does nothing in the state that the server is in."""
        if self._state is State.DELETED:
            return True
        if action.action == "reboot":
            # A hard reboot starts a server that rests; any other leaves it as it was.
            return self._state not in (State.STOPPED, State.PAUSED, State.SUSPENDED, State.ERROR)
        if action.action == "shelveOffload":
            return self._state is State.SHELVED
        if action.action == "evacuate":
            return not self._stays_off(action)
        return False

    def _stays_off(self, evacuation: Action) -> bool:
        """Whether an evacuated server was left shut off, as newer Novas do; a start of it, or the next sight, tells."""
        following = (seen for seen in self._history.observations if seen.at >= evacuation.finish)
        sight = next(following, None)
        if sight is None or state_of(sight.server) is not State.ACTIVE:
            return True
        return any(
            action.action == "start" and not action.failed and evacuation.finish <= action.start < sight.at
            for action in self._history.actions
        )

    def _infer(self, action: str, at: datetime, reason: str) -> None:
        words = EVENTS[action]
        assert words.start is not None
        assert words.end is not None
        self._say(at, words.start, self._state or State.ACTIVE, reason)
        if words.leaves not in (None, State.ACTIVE):
            self._rest(self.transitions[-1].at)
        self._state = words.leaves or self._state
        self._say(self.transitions[-1].at, words.end, self._state or State.ACTIVE, reason)
        self._settle(words.leaves)

    def _say(self, at: datetime, event_type: str, state: State, request: str, volume: str | None = None) -> None:
        # Of two events at one instant XDMoD takes the one with the higher id first, whatever really came first.
        if self.transitions and at <= self.transitions[-1].at:
            at = self.transitions[-1].at + _TICK
        host = None if state is State.SHELVED else self._hosts.at(at)
        self.transitions.append(Transition(at, event_type, state, self._sizes.at(at), host, request, volume))

    def _settle(self, leaves: State | None) -> None:
        # Another action may have finished since the one that ends now began: a deletion interrupts whatever goes on.
        if leaves is State.ACTIVE:
            self._wake()
        elif leaves is not None:
            self._rest(self.transitions[-1].at)

    def _wake(self) -> None:
        if not self._spans or self._spans[-1][1] is not None:
            # A heartbeat at the very instant of the event that woke the server would come before it.
            self._spans.append((self.transitions[-1].at + _TICK, None))

    def _rest(self, at: datetime) -> None:
        if self._spans and self._spans[-1][1] is None:
            self._spans[-1] = (self._spans[-1][0], at)

    def _volume(self, action: Action) -> str | None:
        """The volume that an action attached or detached, where what was seen before and after leaves no doubt."""
        if action.action not in _VOLUMES:
            return None
        seen = self._history.observations
        before = next((sight for sight in reversed(seen) if sight.at < action.start), None)
        after = next((sight for sight in seen if sight.at >= action.finish), None)
        if before is None or after is None or after.server.ended:
            return None
        changes = (other for other in self._history.actions if other.action in _VOLUMES and not other.failed)
        if any(other is not action and before.at < other.finish and other.start <= after.at for other in changes):
            return None
        less, more = before.server.volumes, after.server.volumes
        if action.action == "detach_volume":
            less, more = more, less
        changed = set(more) - set(less)
        return changed.pop() if len(changed) == 1 and set(less) < set(more) else None
