"""Each action that Nova records tells XDMoD what it must, and nothing else does."""

from typing import NamedTuple

import pytest

from exporters.openstack.vocabulary import EVENTS, INFERRED, WITHOUT_EFFECT, State
from tests.exporters.histories import Step, at, did, lived, seen, spans, told

BOOT = (did("create", "08:00:00", "08:00:04"), seen("08:20"))
STOP, PAUSE = did("stop", "09:00:00", "09:00:02"), did("pause", "09:00:00", "09:00:01")
SUSPEND, SHELVE = did("suspend", "09:00:00", "09:00:03"), did("shelve", "09:00:00", "09:00:06")
SOFT_DELETE, RESIZE = did("softDelete", "09:00:00", "09:00:02"), did("resize", "09:00:00", "09:00:08")
MIGRATE = did("migrate", "09:00:00", "09:00:08")
FROM, UNTIL = ("10:00:00", "10:00:05")


class Case(NamedTuple):
    """An action at ten o'clock that takes five seconds: what was before, what is told of it, and whether it runs then.

    What is told is a type and the state with it, at the action's start and at its finish.
    """

    before: tuple[Step, ...]
    start: tuple[str, str] | None
    end: tuple[str, str]
    runs: bool


#: The last action of every case is the one that it is for.
CASES: dict[str, Case] = {
    "delete": Case(BOOT, ("delete.start", "active"), ("delete.end", "deleted"), False),
    "forceDelete": Case(BOOT, ("delete.start", "active"), ("delete.end", "deleted"), False),
    "softDelete": Case(BOOT, ("power_off.start", "active"), ("power_off.end", "soft-delete"), False),
    "restore": Case((*BOOT, SOFT_DELETE), ("power_on.start", "soft-delete"), ("power_on.end", "active"), True),
    "stop": Case(BOOT, ("power_off.start", "active"), ("power_off.end", "stopped"), False),
    "start": Case((*BOOT, STOP), ("power_on.start", "stopped"), ("power_on.end", "active"), True),
    "suspend": Case(BOOT, ("suspend.start", "active"), ("suspend.end", "suspended"), False),
    "resume": Case((*BOOT, SUSPEND), ("resume.start", "suspended"), ("resume.end", "active"), True),
    "pause": Case(BOOT, ("pause.start", "active"), ("pause.end", "paused"), False),
    "unpause": Case((*BOOT, PAUSE), ("unpause.start", "paused"), ("unpause.end", "active"), True),
    "shelve": Case(BOOT, ("shelve_offload.start", "active"), ("shelve_offload.end", "shelved_offloaded"), False),
    "shelveOffload": Case(BOOT, ("shelve_offload.start", "active"), ("shelve_offload.end", "shelved_offloaded"), False),
    "unshelve": Case((*BOOT, SHELVE), ("unshelve.start", "shelved_offloaded"), ("unshelve.end", "active"), True),
    "resize": Case(BOOT, ("resize.prep.start", "active"), ("finish_resize.end", "active"), True),
    "migrate": Case(BOOT, ("resize.prep.start", "active"), ("finish_resize.end", "active"), True),
    "confirmResize": Case((*BOOT, RESIZE), ("resize.confirm.start", "active"), ("resize.confirm.end", "active"), True),
    "rebuild": Case(BOOT, ("rebuild.start", "active"), ("rebuild.end", "active"), True),
    "evacuate": Case(BOOT, ("power_off.start", "active"), ("power_off.end", "stopped"), False),
    "reboot": Case((*BOOT, STOP), ("power_on.start", "stopped"), ("power_on.end", "active"), True),
    "attach_volume": Case(BOOT, None, ("volume.attach", "active"), True),
    "detach_volume": Case(BOOT, None, ("volume.detach", "active"), True),
}
#: Nova's other actions that were measured, and some that were not, and one of a Nova that is yet to come.
NOTHING = sorted({*WITHOUT_EFFECT, "defragment"})


@pytest.mark.parametrize("action", CASES)
def test_an_action_is_told_at_its_times(action: str) -> None:
    """Start and finish are told with the types that XDMoD has for them, and the server is charged for what it ran."""
    before, start, end, runs = CASES[action]
    life = lived(*before, did(action, FROM, UNTIL))
    expected = [*([(FROM, *start)] if start else []), (UNTIL, *end)]
    assert told(life, after=FROM) == expected
    assert [event.request for event in life.transitions][-len(expected) :] == [f"req-{action}-{FROM}"] * len(expected)
    assert (life.running[-1].end is None) is runs


def test_a_boot_is_told_at_its_times() -> None:
    """A server is charged from the finish of its boot."""
    life = lived(*BOOT)
    assert told(life) == [("08:00:00", "create.start", "building"), ("08:00:04", "create.end", "active")]
    assert spans(life) == [("08:00:04", "", "s", "node1")]


def test_each_action_that_is_translated_has_a_case() -> None:
    """An action that is new in the table is tested."""
    assert {*CASES, "create"} == EVENTS.keys()
    assert not EVENTS.keys() & WITHOUT_EFFECT


@pytest.mark.parametrize(
    ("action", "before", "start", "end"),
    [
        ("stop", (), "09:00:00", "10:00:00"),
        ("start", (STOP,), "09:00:00", "10:00:05"),
        ("unshelve", (SHELVE,), "09:00:00", "10:00:05"),
    ],
)
def test_what_rests_is_charged_until_it_begins_to_and_from_when_it_runs_again(
    action: str, before: tuple[Step, ...], start: str, end: str
) -> None:
    """Seconds in which a server goes down or comes up are no active ones."""
    running = [(first, last) for first, last, _, _ in spans(lived(*BOOT, *before, did(action, FROM, UNTIL)))]
    assert running == ([("08:00:04", start), (end, "")] if before else [("08:00:04", end)])


@pytest.mark.parametrize("action", NOTHING)
def test_what_changes_no_session_is_not_told(action: str) -> None:
    """Neither events nor charges follow from an action that XDMoD has no type for."""
    life = lived(*BOOT, did(action, FROM, UNTIL))
    assert told(life, after=FROM) == []
    assert (spans(life)[0][0], life.running[-1].end) == ("08:00:04", None)


@pytest.mark.parametrize("action", [action for action in [*CASES, *NOTHING] if action != "create"])
def test_a_failed_action_changes_nothing(action: str) -> None:
    """A server that Nova failed to change is as it was."""
    before = CASES[action].before if action in CASES else BOOT
    assert lived(*before, did(action, FROM, UNTIL, failed=True))[1:] == lived(*before)[1:]


@pytest.mark.parametrize("vm_state", ["error", "deleted"])
def test_a_failed_boot_runs_for_no_second(vm_state: str) -> None:
    """A server that never came up has an error instead of a session, whatever was seen of it later."""
    life = lived(did("create", "08:00:00", "08:00:04", failed=True), seen("08:20", vm_state, launched=None))
    assert told(life)[:2] == [("08:00:00", "create.start", "building"), ("08:00:04", "create.error", "error")]
    assert life.running == []


@pytest.mark.parametrize(
    "before", [(), (PAUSE,), (SUSPEND,), (STOP,)], ids=["active", "paused", "suspended", "stopped"]
)
def test_a_reboot_wakes_only_what_rests(before: tuple[Step, ...]) -> None:
    """A reboot of a running server is no start of another session."""
    life = lived(*BOOT, *before, did("reboot", FROM, UNTIL))
    assert [kind for _, kind, _ in told(life, after=FROM)] == (["power_on.start", "power_on.end"] if before else [])
    assert life.running[-1].end is None


@pytest.mark.parametrize("later", ["shelveOffload", "delete"])
def test_a_second_action_to_the_same_end_is_not_told(later: str) -> None:
    """What is on no host already is not offloaded again, and what is deleted not deleted again."""
    first = "shelve" if later == "shelveOffload" else "delete"
    once = (*BOOT, did(first, "09:00:00", "09:00:06"))
    assert lived(*once, did(later, FROM, UNTIL)) == lived(*once)


@pytest.mark.parametrize("action", [action for action in EVENTS if action != "delete"])
def test_nothing_is_told_after_a_deletion(action: str) -> None:
    """An action that finishes after the server's end starts no session anew."""
    gone = (*BOOT, did("delete", "09:00:00", "09:00:02"))
    assert lived(*gone, did(action, FROM, UNTIL)) == lived(*gone)


def test_each_state_that_can_be_inferred_is_told_as_an_action_that_leaves_it() -> None:
    """A state that was seen, and that no action tells of, ends the session before it in XDMoD as well."""
    assert {state: (EVENTS[action].leaves or state).session_state for state, action in INFERRED.items()} == {
        state: state.session_state for state in State if state is not State.BUILDING
    }


@pytest.mark.parametrize("action", CASES)
def test_events_stand_between_those_before_and_after(action: str) -> None:
    """Of two events in one second the later one has the later time."""
    life = lived(*CASES[action].before, did(action, FROM), did("delete", FROM))
    times = [event.at for event in life.transitions]
    assert times == sorted(set(times))
    assert times[-1] < at("10:00:01")
    assert life.transitions[-1].event_type == "compute.instance.delete.end"
    assert life.running[-1].end is not None
