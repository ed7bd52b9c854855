"""Checks of servers' lives: the last reading and open intervals, starts and ends, actions and what was seen."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from exporters.openstack.life import Life, Transition
from exporters.openstack.vocabulary import State, state_of
from operations.verification.checks.books import Books, Lived
from operations.verification.checks.records import Checked, Finding, checked, error, warning

__all__ = ["open_intervals", "partners", "two_accounts"]

_PREFIX = "compute.instance."
_START, _END = "create.start", "delete.end"
#: What wakes a server that was put to rest so.
_WOKEN_BY = {
    "power_off.end": "power_on.end",
    "pause.end": "unpause.end",
    "suspend.end": "resume.end",
    "shelve_offload.end": "unshelve.end",
}
_RESTED_BY = {wakes: rests for rests, wakes in _WOKEN_BY.items()}
#: The actions that Nova takes only in the one state that their partner leaves; a hard reboot wakes whatever rests.
_PAIRED = frozenset({"stop", "start", "pause", "unpause", "suspend", "resume", "shelve", "unshelve"})
#: So begins the request of an event that no action tells.
_INFERRED = "inferred"


def open_intervals(books: Books) -> Checked:
    """The servers that were active when the cloud was last read are those whose active time has no end."""
    counts = Counter[str]()

    def found() -> Iterator[Finding]:
        recent = books.mark.at - timedelta(seconds=books.settings.overlap_seconds)
        for one in books.living():
            if _is_settled(one, recent):
                counts["compared"] += 1
                server = one.history.server
                active = not server.ended and state_of(server) is State.ACTIVE
                running = bool(one.life.running) and one.life.running[-1].end is None
                if active != running:
                    yield error(server.id, _interval(active), f"{_interval(running)}, by its actions")

    what = "servers active at the last reading are the open active intervals"
    return checked(what, lambda: counts["compared"], "servers", found())


def partners(books: Books) -> Checked:
    """What ended had begun; what was put to rest was awake, and what was woken was at rest."""
    counts = Counter[str]()

    def found() -> Iterator[Finding]:
        for one in books.lives():
            counts["compared"] += len(one.life.transitions)
            yield from _unbegun(one.life)
            yield from _unpaired(one, _within(one.life.transitions, books))

    what = "each end has a start before it, stops and starts have their partners"
    return checked(what, lambda: counts["compared"], "events", found())


def two_accounts(books: Books) -> Checked:
    """Actions tell every change of state that readings show; one that they do not was dated by the readings."""
    counts = Counter[str]()

    def found() -> Iterator[Finding]:
        for one in books.lives():
            for event in _within(one.life.transitions, books):
                counts["compared"] += 1
                if event.request.startswith(_INFERRED) and event.event_type.endswith(".end"):
                    yield warning(
                        one.history.server.id, f"an action for {_said(event)}", f"only readings ({event.request})"
                    )

    what = "actions and readings tell the same changes of state"
    return checked(what, lambda: counts["compared"], "events", found())


def _is_settled(one: Lived, recent: datetime) -> bool:
    """Whether the last sight of a server tells its state, and nothing is about to be read again."""
    sight = one.history.observations[-1]
    pending = any(action.finish >= recent for action in one.history.actions)
    return not pending and sight.server.vm_state != "building" and one.history.tells_state(sight)


def _interval(open: bool) -> str:
    return "an open active interval" if open else "no open active interval"


def _unbegun(life: Life) -> Iterator[Finding]:
    types = [event.event_type.removeprefix(_PREFIX) for event in life.transitions]
    if _END in types and _START not in types[: types.index(_END)]:
        yield error(life.server.id, f"{_START} before {_END}", f"the first event is {types[0]}")


def _within(transitions: Iterable[Transition], books: Books) -> Iterator[Transition]:
    return (event for event in transitions if books.period.start <= event.at < books.period.end)


def _unpaired(one: Lived, transitions: Iterable[Transition]) -> Iterator[Finding]:
    """What was not put to rest within the period may have been before."""
    server, paired = one.history.server.id, {it.request for it in one.history.actions if it.action in _PAIRED}
    resting, known = "", False
    for event in transitions:
        what, judged = event.event_type.removeprefix(_PREFIX), known and event.request in paired
        if what in _WOKEN_BY:
            if judged and what == resting:
                yield warning(server, f"{_WOKEN_BY[what]} before {_said(event)}", f"another {what}")
            resting, known = what, True
        elif what in _RESTED_BY:
            if judged and resting != _RESTED_BY[what]:
                had = resting or "nothing that put it to rest"
                yield warning(server, f"{_RESTED_BY[what]} before {_said(event)}", had)
            resting, known = "", True
        elif what in ("create.end", _END):
            resting, known = "", True


def _said(event: Transition) -> str:
    return f"{event.event_type.removeprefix(_PREFIX)} at {event.at:%Y-%m-%d %H:%M:%S} UTC"
