"""What is told of servers whose records are incomplete, late, contradictory or simultaneous."""

from itertools import pairwise
from typing import NamedTuple

import pytest

from exporters.openstack.evidence import UNKNOWN_SIZE
from exporters.openstack.life import Life, life
from ledger import Action
from tests.exporters.histories import LARGE, SMALL, XLARGE, Step, at, clock, did, entries, lived, seen, spans, told

BOOT = (did("create", "08:00:00", "08:00:04"), seen("08:20"))
CREATED = [("08:00:00", "create.start", "building"), ("08:00:04", "create.end", "active")]
Told = list[tuple[str, str, str]]


class Case(NamedTuple):
    """What is known of a server; what is told of it after its boot; when it ran (an empty end: it still does)."""

    known: tuple[Step, ...]
    told: Told
    ran: list[tuple[str, str]]


def _ended(start: str, end: str, state: str = "active") -> Told:
    return [(start, "delete.start", state), (end, "delete.end", "deleted")]


OFF = [("09:00:00", "power_off.start", "active"), ("09:00:02", "power_off.end", "stopped")]
STOP = did("stop", "09:00:00", "09:00:02")
SHELVE = did("shelve", "09:00:00", "09:00:06")
SHELVED = [("09:00:00", "shelve_offload.start", "active"), ("09:00:06", "shelve_offload.end", "shelved_offloaded")]
DELETE = did("delete", "11:00:00", "11:00:02")
GONE = seen("11:20", "deleted", terminated="11:00:02")

ENDS = {
    "no action tells of the deletion": Case(
        (*BOOT, seen("11:20", "deleted", terminated="11:00:02")),
        _ended("11:00:02", "11:00:02.000001"),
        [("08:00:04", "11:00:02")],
    ),
    "no action tells of a deletion that came while it was stopped": Case(
        (*BOOT, STOP, seen("09:20", "stopped"), GONE),
        [*OFF, *_ended("11:00:02", "11:00:02.000001", "stopped")],
        [("08:00:04", "09:00:00")],
    ),
    "deleted, by the action": Case((*BOOT, DELETE, GONE), _ended("11:00:00", "11:00:02"), [("08:00:04", "11:00:00")]),
    "deleted while stopped": Case(
        (*BOOT, STOP, DELETE, GONE),
        [*OFF, *_ended("11:00:00", "11:00:02", "stopped")],
        [("08:00:04", "09:00:00")],
    ),
    "deleted while a detachment goes on": Case(
        (*BOOT, did("detach_volume", "10:59:55", "11:00:01"), DELETE, GONE),
        [
            ("11:00:00", "delete.start", "active"),
            ("11:00:01", "volume.detach", "active"),
            ("11:00:02", "delete.end", "deleted"),
        ],
        [("08:00:04", "11:00:00")],
    ),
    "deleted while it starts": Case(
        (*BOOT, STOP, did("start", "10:59:58", "11:00:01"), DELETE, GONE),
        [
            *OFF,
            ("10:59:58", "power_on.start", "stopped"),
            ("11:00:00", "delete.start", "stopped"),
            ("11:00:01", "power_on.end", "active"),
            ("11:00:02", "delete.end", "deleted"),
        ],
        [("08:00:04", "09:00:00"), ("11:00:01", "11:00:02")],
    ),
    "deleted while it stops": Case(
        (*BOOT, did("stop", "10:59:58", "11:00:01"), did("delete", "10:59:59", "11:00:00"), GONE),
        [
            ("10:59:58", "power_off.start", "active"),
            *_ended("10:59:59", "11:00:00"),
        ],
        [("08:00:04", "10:59:58")],
    ),
    "shelved, then deleted; Nova has no events of that": Case(
        (*BOOT, SHELVE, seen("09:20", "shelved_offloaded"), did("delete", "11:00:00"), GONE),
        [*SHELVED, *_ended("11:00:00", "11:00:02", "shelved_offloaded")],
        [("08:00:04", "09:00:00")],
    ),
    "shelved and never unshelved": Case(
        (*BOOT, SHELVE, seen("09:20", "shelved_offloaded")), SHELVED, [("08:00:04", "09:00:00")]
    ),
    "softly deleted": Case(
        (*BOOT, did("softDelete", "09:00:00", "09:00:02"), seen("09:20", "soft-delete")),
        [OFF[0], ("09:00:02", "power_off.end", "soft-delete")],
        [("08:00:04", "09:00:00")],
    ),
    "softly deleted, then reclaimed by Nova without an action": Case(
        (*BOOT, did("softDelete", "09:00:00", "09:00:02"), seen("09:20", "soft-delete"), GONE),
        [
            OFF[0],
            ("09:00:02", "power_off.end", "soft-delete"),
            *_ended("11:00:02", "11:00:02.000001", "soft-delete"),
        ],
        [("08:00:04", "09:00:00")],
    ),
    "softly deleted and restored": Case(
        (*BOOT, did("softDelete", "09:00:00", "09:00:02"), did("restore", "10:00:00", "10:00:02"), seen("10:20")),
        [
            OFF[0],
            ("09:00:02", "power_off.end", "soft-delete"),
            ("10:00:00", "power_on.start", "soft-delete"),
            ("10:00:02", "power_on.end", "active"),
        ],
        [("08:00:04", "09:00:00"), ("10:00:02", "")],
    ),
    "vanished: it ends when nothing spoke against its life": Case(
        (*BOOT, seen("11:20", vanished=True)), _ended("11:00:00", "11:00:00.000001"), [("08:00:04", "11:00:00")]
    ),
    "vanished while it was stopped": Case(
        (*BOOT, STOP, seen("09:20", "stopped"), seen("11:20", "stopped", vanished=True)),
        [*OFF, *_ended("11:00:00", "11:00:00.000001", "stopped")],
        [("08:00:04", "09:00:00")],
    ),
    "vanished just after it was started": Case(
        (*BOOT, STOP, did("start", "11:10:00", "11:10:02"), seen("11:20", vanished=True)),
        [
            *OFF,
            ("11:10:00", "power_on.start", "stopped"),
            ("11:10:02", "power_on.end", "active"),
            *_ended("11:10:02.000001", "11:10:02.000002"),
        ],
        [("08:00:04", "09:00:00")],
    ),
}
STATES = {
    "the guest shut itself down; it is charged until nothing spoke against it": Case(
        (*BOOT, seen("11:20", "stopped")),
        [("11:00:00", "power_off.start", "active"), ("11:00:00.000001", "power_off.end", "stopped")],
        [("08:00:04", "11:00:00")],
    ),
    "the guest shut itself down and was started": Case(
        (*BOOT, seen("11:20", "stopped"), did("start", "12:00:00", "12:00:02"), seen("12:20")),
        [
            ("11:00:00", "power_off.start", "active"),
            ("11:00:00.000001", "power_off.end", "stopped"),
            ("12:00:00", "power_on.start", "stopped"),
            ("12:00:02", "power_on.end", "active"),
        ],
        [("08:00:04", "11:00:00"), ("12:00:02", "")],
    ),
    "the guest shut itself down after the start that was seen with it": Case(
        (*BOOT, STOP, did("start", "11:10:00", "11:10:02"), seen("11:20", "stopped")),
        [
            *OFF,
            ("11:10:00", "power_on.start", "stopped"),
            ("11:10:02", "power_on.end", "active"),
            ("11:10:02.000001", "power_off.start", "active"),
            ("11:10:02.000002", "power_off.end", "stopped"),
        ],
        [("08:00:04", "09:00:00")],
    ),
    "it runs though no action says why; it is charged from when it was seen to": Case(
        (*BOOT, STOP, seen("09:20", "stopped"), seen("11:20")),
        [*OFF, ("11:20:00", "power_on.start", "stopped"), ("11:20:00.000001", "power_on.end", "active")],
        [("08:00:04", "09:00:00"), ("11:20:00", "")],
    ),
    "a hard reboot started it": Case(
        (*BOOT, STOP, did("reboot", "10:00:00", "10:00:02"), seen("10:20")),
        [*OFF, ("10:00:00", "power_on.start", "stopped"), ("10:00:02", "power_on.end", "active")],
        [("08:00:04", "09:00:00"), ("10:00:02", "")],
    ),
    "in error, and without power": Case(
        (*BOOT, seen("11:20", "error")),
        [("11:00:00", "power_off.start", "active"), ("11:00:00.000001", "power_off.end", "stopped")],
        [("08:00:04", "11:00:00")],
    ),
    "in error, but the guest runs": Case((*BOOT, seen("11:20", "error", power_state=1)), [], [("08:00:04", "")]),
    "rescued": Case((*BOOT, did("rescue", "09:00:00", "09:00:03"), seen("09:20", "rescued")), [], [("08:00:04", "")]),
    "shelved without an action": Case(
        (*BOOT, seen("11:20", "shelved_offloaded")),
        [
            ("11:00:00", "shelve_offload.start", "active"),
            ("11:00:00.000001", "shelve_offload.end", "shelved_offloaded"),
        ],
        [("08:00:04", "11:00:00")],
    ),
    "evacuated, and left stopped": Case(
        (*BOOT, did("evacuate", "09:00:00", "09:00:06"), seen("09:20", "stopped", host="node2")),
        [("09:00:00", "power_off.start", "active"), ("09:00:06", "power_off.end", "stopped")],
        [("08:00:04", "09:00:00")],
    ),
    "evacuated, left stopped, and started before it was seen": Case(
        (
            *BOOT,
            did("evacuate", "09:00:00", "09:00:06"),
            did("start", "09:10:00", "09:10:02"),
            seen("09:20", host="node2"),
        ),
        [
            ("09:00:00", "power_off.start", "active"),
            ("09:00:06", "power_off.end", "stopped"),
            ("09:10:00", "power_on.start", "stopped"),
            ("09:10:02", "power_on.end", "active"),
        ],
        [("08:00:04", "09:00:00"), ("09:10:02", "")],
    ),
    "evacuated, and left running": Case(
        (*BOOT, did("evacuate", "09:00:00", "09:00:06"), seen("09:20", host="node2")),
        [],
        [("08:00:04", "09:00:06"), ("09:00:06", "")],
    ),
    "evacuated, and not seen since": Case(
        (*BOOT, did("evacuate", "09:00:00", "09:00:06")),
        [("09:00:00", "power_off.start", "active"), ("09:00:06", "power_off.end", "stopped")],
        [("08:00:04", "09:00:00")],
    ),
    "a volume is attached while the server stops": Case(
        (*BOOT, did("attach_volume", "08:59:58", "09:00:01"), STOP, seen("09:20", "stopped")),
        [OFF[0], ("09:00:01", "volume.attach", "active"), OFF[1]],
        [("08:00:04", "09:00:00")],
    ),
    "stopped before the finish of its start was written": Case(
        (*BOOT, did("stop", "08:30:00"), did("start", "08:59:50", "09:00:01"), STOP, seen("09:20", "stopped")),
        [
            ("08:30:00", "power_off.start", "active"),
            ("08:30:00.000001", "power_off.end", "stopped"),
            ("08:59:50", "power_on.start", "stopped"),
            ("09:00:00", "power_off.start", "stopped"),
            ("09:00:01", "power_on.end", "active"),
            ("09:00:02", "power_off.end", "stopped"),
        ],
        [("08:00:04", "08:30:00"), ("09:00:01", "09:00:02")],
    ),
    "resized while it was stopped": Case(
        (*BOOT, STOP, did("resize", "10:00:00", "10:00:08"), seen("10:20", "resized", power_state=4)),
        [*OFF, ("10:00:00", "resize.prep.start", "stopped"), ("10:00:08", "finish_resize.end", "stopped")],
        [("08:00:04", "09:00:00")],
    ),
    "seen in the midst of an action": Case(
        (*BOOT, STOP, seen("09:00:01"), seen("09:20", "stopped")), OFF, [("08:00:04", "09:00:00")]
    ),
    "seen a moment before an action, by a clock that is slow": Case(
        (*BOOT, STOP, seen("08:59:59", "stopped"), seen("09:20", "stopped")), OFF, [("08:00:04", "09:00:00")]
    ),
    "seen a moment after an action, by a clock that is fast": Case(
        (*BOOT, STOP, seen("09:00:03"), seen("09:20", "stopped")), OFF, [("08:00:04", "09:00:00")]
    ),
}


@pytest.mark.parametrize("case", [*ENDS, *STATES])
def test_a_server_is_told_and_charged(case: str) -> None:
    """A server is charged for the time in which, by all that is known, it ran; a change that no action tells of too."""
    known, expected, ran = {**ENDS, **STATES}[case]
    life = lived(*known)
    assert told(life) == [*CREATED, *expected]
    assert [(start, end) for start, end, _, _ in spans(life)] == ran


BOOTS = {
    "it never came up": (
        (did("create", "08:00:00", "08:00:04", failed=True), seen("08:20", "error", launched=None)),
        [],
    ),
    "it never came up and was deleted": (
        (
            did("create", "08:00:00", "08:00:04", failed=True),
            seen("08:20", "error", launched=None),
            DELETE,
            seen("11:20", "deleted", launched=None, terminated="11:00:02"),
        ),
        _ended("11:00:00", "11:00:02", "error"),
    ),
    "no host was found, and Nova has no events of its deletion": (
        (
            did("create", "08:00:00", "08:00:04", failed=True),
            did("delete", "11:00:00"),
            seen("11:20", "deleted", launched=None, terminated="11:00:00", host=None),
        ),
        _ended("11:00:00", "11:00:00.000001", "error"),
    ),
    "it was deleted while it was built": (
        (
            did("create", "08:00:00", "08:00:04"),
            did("delete", "08:00:10", "08:00:12"),
            seen("08:20", "deleted", launched=None, terminated="08:00:12"),
        ),
        _ended("08:00:10", "08:00:12", "error"),
    ),
}


@pytest.mark.parametrize("case", BOOTS)
def test_a_server_that_was_never_launched_is_charged_nothing(case: str) -> None:
    """Nova's word that a server never came up outweighs what its actions say."""
    known, expected = BOOTS[case]
    life = lived(*known)
    assert told(life) == [CREATED[0], ("08:00:04", "create.error", "error"), *expected]
    assert life.running == []


def test_a_boot_that_failed_on_one_host_and_succeeded_on_another() -> None:
    """Nova keeps the first host's error with the action, but the server runs."""
    life = lived(
        did(
            "create",
            "08:00:00",
            "08:00:09",
            failed=True,
            hosts={
                "conductor_schedule_and_build_instances": "conductor",
                "compute__do_build_and_run_instance": "node2",
            },
        ),
        seen("08:20", host="node2"),
    )
    assert told(life)[1] == ("08:00:09", "create.end", "active")
    assert spans(life) == [("08:00:09", "", "s", "node2")]


@pytest.mark.parametrize(("launched", "kind"), [("08:00:04", "create.end"), (None, "create.error")])
def test_a_server_whose_first_action_was_purged(launched: str | None, kind: str) -> None:
    """It begins when Nova says that it was created."""
    life = lived(seen("11:20", "deleted", created="08:00:00", launched=launched, terminated="11:00:02"))
    assert [(when[:8], what) for when, what, _ in told(life)] == [
        ("08:00:00", "create.start"),
        ("08:00:00", kind),
        ("11:00:02", "delete.start"),
        ("11:00:02", "delete.end"),
    ]
    assert [(start, end) for start, end, _, _ in spans(life)] == ([("08:00:00", "11:00:02")] if launched else [])


def test_a_server_seen_while_it_was_built_whose_first_action_was_purged() -> None:
    """A server is not lost because its boot was never answered."""
    assert spans(lived(seen("08:00:02", "building"), seen("08:20"))) == [("08:00:00", "", "s", "node1")]


@pytest.mark.parametrize("known", [(), (did("create", "08:00:00"),), (did("stop", "09:00:00"),)])
def test_actions_alone_tell_nothing(known: tuple[Step, ...]) -> None:
    """Without the server's own record, neither its owner nor its size is known."""
    assert life(entries(*known), [], {}) is None


BUSY = {
    "it is being stopped": ((*BOOT, STOP), seen("09:00:01", task_state="powering-off"), CREATED),
    "it is being stopped, and was locked since": (
        (*BOOT, STOP, did("lock", "09:00:01")),
        seen("09:00:02", task_state="powering-off"),
        CREATED,
    ),
    "it is being built": ((did("create", "08:00:00"),), seen("08:00:02", "building"), []),
    "it is being built, before its task is set": (
        (did("create", "08:00:00", "08:00:01"),),
        seen("08:00:02", "building", task_state=None),
        [],
    ),
    "it does something that no action tells of, long after it was stopped": (
        (*BOOT, STOP, seen("09:20", "stopped")),
        seen("11:20", "stopped", task_state="shelving_offloading"),
        [*CREATED, *OFF],
    ),
    "it does something that no action tells of, when it is first seen": (
        (did("create", "08:00:00", "08:00:04"),),
        seen("11:20", task_state="image_uploading"),
        CREATED,
    ),
    "it is gone, whatever its task was": (
        (*BOOT, DELETE),
        seen("11:20", "deleted", terminated="11:00:02", task_state="deleting"),
        [*CREATED, *_ended("11:00:00", "11:00:02")],
    ),
}


@pytest.mark.parametrize("case", BUSY)
def test_an_action_that_is_under_way_is_not_told(case: str) -> None:
    """XDMoD forgets no event, so that an action is told once its outcome is known, and never taken back."""
    known, sight, expected = BUSY[case]
    assert told(lived(*known, sight)) == expected


def test_what_was_held_back_is_told_when_it_is_done() -> None:
    """The newest record of an action counts."""
    pending = seen("09:00:01", task_state="powering-off")
    assert told(lived(*BOOT, did("stop", "09:00:00"), pending, STOP, seen("09:20", "stopped")))[2:] == OFF


SIMULTANEOUS = {
    "created and deleted": [("create", "08:00:00"), ("delete", "08:00:00")],
    "stopped and started": [("create", "08:00:00"), ("stop", "09:00:00"), ("start", "09:00:00")],
    "started and stopped": [
        ("create", "08:00:00"),
        ("stop", "08:30:00"),
        ("start", "09:00:00"),
        ("stop", "09:00:00"),
    ],
    "paused and unpaused, again and again": [
        ("create", "08:00:00"),
        *[("pause", "09:00:00"), ("unpause", "09:00:00")] * 3,
    ],
    "shelved, unshelved and deleted": [
        ("create", "08:00:00"),
        ("shelve", "09:00:00"),
        ("unshelve", "09:00:00"),
        ("delete", "09:00:00"),
    ],
    "resized and confirmed": [("create", "08:00:00"), ("resize", "09:00:00"), ("confirmResize", "09:00:00")],
}


@pytest.mark.parametrize("case", SIMULTANEOUS)
def test_actions_within_one_second_are_told_in_the_order_in_which_they_happened(case: str) -> None:
    """At one instant XDMoD takes the higher id first, so that no two events of a server are at one."""
    actions = [did(*action) for action in SIMULTANEOUS[case]]
    # Nova gives each its own request, also where their times are the same.
    for number, (when, action) in enumerate(actions):
        assert isinstance(action, Action)
        actions[number] = when, Action(action.server, action.action, f"req-{number}", action.start, action.finish)
    life = lived(*actions, seen("10:00"))
    ours = [event for event in life.transitions if event.request.startswith("req-")]
    assert [event.request for event in ours] == [f"req-{number // 2}" for number in range(2 * len(actions))]
    assert all(one.at < other.at for one, other in pairwise(life.transitions))
    assert {clock(event.at)[:8] for event in ours} == {when for _, when in SIMULTANEOUS[case]}


def test_an_action_that_begins_as_another_finishes() -> None:
    """The one that finishes comes first."""
    life = lived(*BOOT, STOP, did("start", "09:00:02", "09:00:04"), seen("09:20"))
    assert told(life)[3:] == [
        ("09:00:02", "power_off.end", "stopped"),
        ("09:00:02.000001", "power_on.start", "stopped"),
        ("09:00:04", "power_on.end", "active"),
    ]


RESIZE, CONFIRM = did("resize", "09:00:00", "09:00:08"), did("confirmResize", "10:00:00", "10:00:01")
REVERT = did("revertResize", "10:00:00", "10:00:04")
AGAIN = (did("resize", "11:00:00", "11:00:08"), did("confirmResize", "11:10:00", "11:10:01"))
TRYING, ENLARGED = seen("09:20", "resized", size=LARGE), seen("10:20", size=LARGE)

SIZES: dict[str, tuple[tuple[Step, ...], list[tuple[str, str]]]] = {
    "resized, and confirmed": ((*BOOT, RESIZE, TRYING, CONFIRM, ENLARGED), [("s", "10:00:01"), ("l", "")]),
    "resized, confirmed, and not seen since": ((*BOOT, RESIZE, TRYING, CONFIRM), [("s", "10:00:01"), ("l", "")]),
    "resized, and reverted": ((*BOOT, RESIZE, TRYING, REVERT, seen("10:20")), [("s", "")]),
    "resized, and neither yet": ((*BOOT, RESIZE, TRYING), [("s", "")]),
    "a resize that failed": (
        (*BOOT, did("resize", "09:00:00", "09:00:08", failed=True), seen("09:20"), CONFIRM),
        [("s", "")],
    ),
    "a confirmation that failed, and one that did not": (
        (*BOOT, RESIZE, did("confirmResize", "09:30:00", "09:30:01", failed=True), CONFIRM, ENLARGED),
        [("s", "10:00:01"), ("l", "")],
    ),
    "resized before it was first seen": (
        (did("create", "08:00:00", "08:00:04"), RESIZE, CONFIRM, ENLARGED),
        [("unknown", "10:00:01"), ("l", "")],
    ),
    "first seen between a resize and its confirmation": (
        (did("create", "08:00:00", "08:00:04"), RESIZE, TRYING, CONFIRM, ENLARGED),
        [("unknown", "10:00:01"), ("l", "")],
    ),
    "resized twice between two sights": (
        (*BOOT, RESIZE, CONFIRM, *AGAIN, seen("11:20", size=XLARGE)),
        [("s", "10:00:01"), ("unknown", "11:10:01"), ("xl", "")],
    ),
    "resized twice, the first seen while it was tried": (
        (*BOOT, RESIZE, TRYING, CONFIRM, *AGAIN, seen("11:20", size=XLARGE)),
        [("s", "10:00:01"), ("l", "11:10:01"), ("xl", "")],
    ),
    "resized, reverted and resized": (
        (*BOOT, RESIZE, TRYING, REVERT, *AGAIN, seen("11:20", size=XLARGE)),
        [("s", "11:10:01"), ("xl", "")],
    ),
    "seen while it was resized": (
        (*BOOT, RESIZE, seen("09:00:05", size=LARGE, task_state="resize_finish"), REVERT, seen("10:20")),
        [("s", "")],
    ),
    "another size, and no resize": ((*BOOT, seen("10:20", size=LARGE)), [("s", "10:20:00"), ("l", "")]),
    "migrated, and confirmed": (
        (*BOOT, did("migrate", "09:00:00", "09:00:08"), CONFIRM, seen("10:20")),
        [("s", "")],
    ),
    "only ever seen with a task under way": (
        (did("create", "08:00:00", "08:00:04"), seen("08:20", task_state="image_uploading")),
        [("s", "")],
    ),
}


def _sized(life: Life) -> list[tuple[str, str]]:
    """Each size that the server ran with, and until when."""
    running = [(span.size.name, clock(span.end)[:8]) for span in life.running]
    return [last for last, after in zip(running, [*running[1:], None], strict=True) if not after or last[0] != after[0]]


@pytest.mark.parametrize("case", SIZES)
def test_a_size_holds_from_its_confirmation(case: str) -> None:
    """A server is charged for the size that it had then; one that nobody saw is unknown, and not today's."""
    known, sizes = SIZES[case]
    life = lived(*known)
    assert _sized(life) == sizes
    for event in life.transitions:
        assert event.size.name == next(size for size, end in sizes if not end or clock(event.at) < end)


def test_an_unknown_size_has_no_cores() -> None:
    """XDMoD keeps a session without cores, and adds it to no sum."""
    assert UNKNOWN_SIZE.vcpus == 0


def test_the_session_that_a_resize_begins_has_the_new_size() -> None:
    """XDMoD takes a session's size from the event that begins it, which is the end of the confirmation."""
    life = lived(*BOOT, RESIZE, CONFIRM, ENLARGED)
    sized = {event.event_type.removeprefix("compute.instance."): event.size for event in life.transitions}
    assert (sized["finish_resize.end"], sized["resize.confirm.start"]) == (SMALL, SMALL)
    assert sized["resize.confirm.end"] == LARGE


def test_a_size_seen_to_differ_begins_a_session() -> None:
    """A change that no action tells of is told as the confirmation of a resize, when it was seen."""
    assert told(lived(*BOOT, seen("10:20", size=LARGE)))[2:] == [
        ("10:20:00", "resize.confirm.start", "active"),
        ("10:20:00.000001", "resize.confirm.end", "active"),
    ]


def test_a_stop_inferred_just_after_a_resize_has_the_new_size() -> None:
    """What is told after an event is told with what was valid after it."""
    life = lived(
        *BOOT, did("resize", "11:01:00"), did("confirmResize", "11:10:00"), seen("11:20", "stopped", size=LARGE)
    )
    assert [event.size for event in life.transitions if "power_off" in event.event_type] == [LARGE, LARGE]


LIVE = {
    "compute_live_migration": "node1",
    "compute_pre_live_migration": "node2",
    "compute_post_live_migration_at_destination": "node2",
}
COLD = {"compute_prep_resize": "node2", "compute_resize_instance": "node1", "compute_finish_resize": "node2"}
MOVED = did("live-migration", "09:00:00", "09:00:06")
MOVED_ON = did("live-migration", "09:10:00", "09:10:06")

HOSTS: dict[str, tuple[tuple[Step, ...], list[tuple[str | None, str]]]] = {
    "seen before and after": ((*BOOT, MOVED, seen("09:20", host="node2")), [("node1", "09:00:06"), ("node2", "")]),
    "not seen since": ((*BOOT, MOVED), [("node1", "09:00:06"), (None, "")]),
    "not seen since, but the events tell": (
        (*BOOT, did("live-migration", "09:00:00", "09:00:06", hosts=LIVE)),
        [("node1", "09:00:06"), ("node2", "")],
    ),
    "not seen before, but the events tell": (
        (
            did("create", "08:00:00", "08:00:04"),
            did("live-migration", "09:00:00", "09:00:06", hosts=LIVE),
            seen("09:20", host="node2"),
        ),
        [("node1", "09:00:06"), ("node2", "")],
    ),
    "not seen before": (
        (did("create", "08:00:00", "08:00:04"), MOVED, seen("09:20", host="node2")),
        [(None, "09:00:06"), ("node2", "")],
    ),
    "not seen before, but the boot tells": (
        (
            did("create", "08:00:00", "08:00:04", hosts={"compute__do_build_and_run_instance": "node1"}),
            MOVED,
            seen("09:20", host="node2"),
        ),
        [("node1", "09:00:06"), ("node2", "")],
    ),
    "moved twice between two sights": (
        (*BOOT, MOVED, MOVED_ON, seen("09:20", host="node3")),
        [("node1", "09:00:06"), (None, "09:10:06"), ("node3", "")],
    ),
    "a move that failed": (
        (*BOOT, did("live-migration", "09:00:00", "09:00:06", failed=True), seen("09:20")),
        [("node1", "")],
    ),
    "seen in the midst of a move": (
        (*BOOT, seen("09:00:03", host="node1", task_state="migrating"), MOVED, seen("09:20", host="node2")),
        [("node1", "09:00:06"), ("node2", "")],
    ),
    "seen in the midst of a move, on the host that it comes to": (
        (
            did("create", "08:00:00", "08:00:04"),
            seen("09:00:03", host="node2", task_state="migrating"),
            MOVED,
            seen("09:20", host="node2"),
        ),
        [(None, "09:00:06"), ("node2", "")],
    ),
    "migrated with a break, and reverted": (
        (
            *BOOT,
            did("migrate", "09:00:00", "09:00:08", hosts=COLD),
            did("revertResize", "10:00:00", "10:00:04"),
            seen("10:20"),
        ),
        [("node1", "09:00:08"), ("node2", "10:00:04"), ("node1", "")],
    ),
    "evacuated, and left running": (
        (*BOOT, did("evacuate", "09:00:00", "09:00:06"), seen("09:20", host="node2")),
        [("node1", "09:00:06"), ("node2", "")],
    ),
}


@pytest.mark.parametrize("case", HOSTS)
def test_a_host_is_where_the_server_was_seen_or_its_events_say(case: str) -> None:
    """No session is said to have run on a host to which the server came later."""
    known, hosts = HOSTS[case]
    assert [(span.host, clock(span.end)[:8]) for span in lived(*known).running] == hosts


def test_a_host_is_called_as_its_hypervisor() -> None:
    """XDMoD joins events to hypervisor facts by name, which need not be that of the compute service."""
    moved = did("live-migration", "09:00:00", "09:00:06", hosts={**LIVE, "compute_live_migration": "compute-1"})
    known = (did("create", "08:00:00", "08:00:04"), moved, seen("09:20", host="node2"))
    assert lived(*known, hypervisors={"compute-1": "node1.example"}).running[0].host == "node1.example"


def test_a_shelved_server_is_on_no_host() -> None:
    """From its offload until it is brought back, no host carries it."""
    life = lived(*BOOT, SHELVE, did("unshelve", "10:00:00", "10:00:05"), seen("10:20", host="node2"))
    assert [(event.event_type.removeprefix("compute.instance."), event.host) for event in life.transitions[2:]] == [
        ("shelve_offload.start", "node1"),
        ("shelve_offload.end", None),
        ("unshelve.start", None),
        ("unshelve.end", "node2"),
    ]


ATTACH, DETACH = did("attach_volume", "09:00:00", "09:00:02"), did("detach_volume", "09:10:00", "09:10:02")
ATTACH_MORE = did("attach_volume", "09:15:00", "09:15:02")

VOLUMES: dict[str, tuple[tuple[Step, ...], list[str | None]]] = {
    "attached between two sights": ((*BOOT, ATTACH, seen("09:20", volumes=["v1"])), ["v1"]),
    "detached between two sights": ((*BOOT, seen("08:40", volumes=["v1"]), DETACH, seen("09:20")), ["v1"]),
    "one of several": ((*BOOT, seen("08:40", volumes=["v1"]), ATTACH, seen("09:20", volumes=["v1", "v2"])), ["v2"]),
    "never seen": ((*BOOT, ATTACH, DETACH, seen("09:20")), [None, None]),
    "one came and one went": (
        (*BOOT, seen("08:40", volumes=["v1"]), ATTACH, DETACH, seen("09:20", volumes=["v2"])),
        [None, None],
    ),
    "one came, went, and another came": (
        (*BOOT, ATTACH, DETACH, ATTACH_MORE, seen("09:20", volumes=["v2"])),
        [None, None, None],
    ),
    "a failed attachment besides": (
        (
            *BOOT,
            did("attach_volume", "08:59:00", failed=True),
            ATTACH,
            seen("09:20", volumes=["v1"]),
        ),
        ["v1"],
    ),
    "swapped": (
        (*BOOT, seen("08:40", volumes=["v1"]), ATTACH, seen("09:20", volumes=["v2"])),
        [None],
    ),
    "not seen since": ((*BOOT, ATTACH), [None]),
    "not seen before": (
        (did("create", "08:00:00", "08:00:04"), ATTACH, seen("09:20", volumes=["v1"])),
        [None],
    ),
    "deleted since: Nova then lists no volumes": (
        (*BOOT, seen("08:40", volumes=["v1"]), ATTACH, DELETE, GONE),
        [None],
    ),
}


@pytest.mark.parametrize("case", VOLUMES)
def test_a_volume_is_named_where_there_is_no_doubt(case: str) -> None:
    """Nova's actions do not say which volume; only one difference between two sights does."""
    known, volumes = VOLUMES[case]
    assert [event.volume for event in lived(*known).transitions if ".volume." in event.event_type] == volumes


def test_what_was_learned_late_is_told_at_its_time() -> None:
    """The order in which the ledger learned is not the order in which things happened."""
    assert told(lived(*BOOT, DELETE, GONE, STOP))[2:] == [*OFF, *_ended("11:00:00", "11:00:02", "stopped")]
    assert lived(*BOOT, STOP).transitions[-1].at < at("09:00:03")


def test_a_sight_is_not_older_than_what_it_shows() -> None:
    """A server that was listed late in a long reading, already stopped, did not stop before its action."""
    known = (*BOOT, did("stop", "08:40:05", "08:40:08"), seen("08:30", "stopped", updated=at("08:40:08")))
    assert spans(lived(*known)) == [("08:00:04", "08:40:05", "s", "node1")]


def test_a_deletion_that_hung_does_not_swallow_what_came_after() -> None:
    """The server ran on, was seen to, and was deleted by a later request."""
    gone = seen("20:20", "deleted", terminated="20:00:02", updated=at("20:00:02"))
    known = (*BOOT, did("delete", "10:00:00"), seen("13:00"), did("delete", "20:00:00", "20:00:02"), gone)
    assert [span[:2] for span in spans(lived(*known))] == [("08:00:04", "10:00:00"), ("13:00:00", "20:00:00")]


def test_a_host_of_the_past_stays_what_it_was() -> None:
    """A server that was moved though Nova calls it failed is told on its new host from the next sight on."""
    moved = did("live-migration", "09:00:00", "09:00:06", failed=True)
    life = lived(*BOOT, moved, seen("09:20", host="node2"), did("stop", "10:00:00", "10:00:02"))
    assert [event.host for event in life.transitions] == ["node1", "node1", "node2", "node2"]
