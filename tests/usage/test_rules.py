"""Each rule of XDMoD's state machine, by a history small enough to follow by hand."""

from pathlib import Path

import pytest

from tests.usage.histories import Event, event, rebuilt, spans
from usage import Engine

HOUR = 3600

#: What is shown, the history, and its sessions as start event, start, end, end event and state; times from 10:00.
HISTORIES: list[tuple[str, list[Event], list[tuple[int, int, int, int, int]]]] = [
    (
        "each event that is no heartbeat closes a session and opens the next",
        [event("10:00:00", "create.start"), event("10:00:05", "create.end"), event("12:00:00", "delete.end")],
        [(1, 0, 5, 2, -1), (2, 5, 2 * HOUR, 6, 1)],
    ),
    (
        "deleting makes tiny sessions",
        [
            event("10:00:00", "create.end"),
            event("11:00:00", "delete.start"),
            event("11:00:01", "shutdown.start"),
            event("11:00:02", "shutdown.end"),
            event("11:00:03", "delete.end"),
        ],
        [(2, 0, HOUR, 5, 1), (5, 3600, 3601, 3, -1), (3, 3601, 3602, 4, -1), (4, 3602, 3603, 6, 2)],
    ),
    (
        "an open session ends at its last heartbeat",
        [event("10:00:00", "create.end"), event("11:00:00", "exists"), event("15:00:00", "exists")],
        [(2, 0, 5 * HOUR, 16, 1)],
    ),
    (
        "an open session without a heartbeat has no length and ends by type 4",
        [event("10:00:00", "create.end")],
        [(2, 0, 0, 4, 1)],
    ),
    (
        "missing heartbeats never split a session",
        [event("10:00:00", "exists"), event("2026-03-21T10:00:00", "exists")],
        [(16, 0, 20 * 24 * HOUR, 16, 1)],
    ),
    (
        "a heartbeat closes a stopped session and opens an active one",
        [
            event("10:00:00", "create.end"),
            event("11:00:00", "power_off.end"),
            event("12:00:00", "exists"),
            event("13:00:00", "exists"),
        ],
        [(2, 0, HOUR, 45, 1), (45, HOUR, 2 * HOUR, 16, 2), (16, 2 * HOUR, 3 * HOUR, 16, 1)],
    ),
    (
        "after the start of a stop a heartbeat only prolongs it",
        [event("10:00:00", "create.end"), event("11:00:00", "power_off.start"), event("12:00:00", "exists")],
        [(2, 0, HOUR, 44, 1), (44, HOUR, 2 * HOUR, 16, 2)],
    ),
    (
        "a stopped instance that is not heard of any more stays stopped for 0 s",
        [event("10:00:00", "create.end"), event("11:00:00", "power_off.end")],
        [(2, 0, HOUR, 45, 1), (45, HOUR, HOUR, 4, 2)],
    ),
    (
        "shelved is a state of its own",
        [event("10:00:00", "create.end"), event("11:00:00", "shelve_offload.end"), event("13:00:00", "unshelve.end")],
        [(2, 0, HOUR, 19, 1), (19, HOUR, 3 * HOUR, 20, 3), (20, 3 * HOUR, 3 * HOUR, 4, 1)],
    ),
    ("the end of a deletion opens nothing", [event("10:00:00", "delete.end")], []),
    (
        "after a deletion a heartbeat opens a session",
        [event("10:00:00", "create.end"), event("11:00:00", "delete.end"), event("12:00:00", "exists")],
        [(2, 0, HOUR, 6, 1), (16, 2 * HOUR, 2 * HOUR, 4, 1)],
    ),
    (
        "at equal time the higher id comes first",
        [event("10:00:00", "create.end"), event("10:00:00", "power_off.end"), event("12:00:00", "delete.end")],
        [(2, 0, 2 * HOUR, 6, 1), (45, 0, 0, 2, 2)],
    ),
    (
        "the order of the records does not matter",
        [event("13:00:00", "delete.end"), event("12:00:00", "exists"), event("10:00:00", "create.end")],
        [(2, 0, 3 * HOUR, 6, 1)],
    ),
    (
        "the same event twice counts once",
        [event("10:00:00", "exists"), event("10:00:00", "exists")],
        [(16, 0, 0, 4, 1)],
    ),
    (
        "the same heartbeat from two hosts counts twice",
        [event("10:00:00", "exists"), event("10:00:00", "exists", host="node2")],
        [(16, 0, 0, 16, 1)],
    ),
    (
        "two starts of one type within one second are one session, the later",
        [
            event("10:00:00.100000", "create.end"),
            event("10:00:00.900000", "create.end"),
            event("11:00:00", "delete.end"),
        ],
        [(2, 0, HOUR, 6, 1)],
    ),
    (
        "sessions use whole seconds, cut and not rounded",
        [event("10:00:00.900000", "create.end"), event("11:00:00.100000", "delete.end")],
        [(2, 0, HOUR, 6, 1)],
    ),
    (
        "an offset is ignored",
        [event("10:00:00-05:00", "create.end"), event("11:00:00Z", "delete.end")],
        [(2, 0, HOUR, 6, 1)],
    ),
    (
        "what is no time is 1970 and its session is lost",
        [event("10:00:00", "exists", generated="1772359200"), event("11:00:00", "delete.end")],
        [],
    ),
    (
        "a resize has the state of the session before it",
        [
            event("10:00:00", "create.end"),
            event("11:00:00", "power_off.end"),
            event("12:00:00", "resize.confirm.end"),
            event("13:00:00", "delete.end"),
        ],
        [(2, 0, HOUR, 45, 1), (45, HOUR, 2 * HOUR, 49, 2), (49, 2 * HOUR, 3 * HOUR, 6, 2)],
    ),
    (
        "a resize after a resize has the state of the session before both",
        [
            event("10:00:00", "create.end"),
            event("11:00:00", "resize.confirm.end"),
            event("12:00:00", "resize.confirm.end"),
        ],
        [(2, 0, HOUR, 49, 1), (49, HOUR, 2 * HOUR, 49, 1), (49, 2 * HOUR, 2 * HOUR, 4, 1)],
    ),
    (
        "a resize that is the first event has no state",
        [event("10:00:00", "resize.confirm.end")],
        [(49, 0, 0, 4, -1)],
    ),
    (
        "types that are not mapped change nothing",
        [event("10:00:00", "create.end"), event("10:30:00", "reboot.end"), event("11:00:00", "shelve.end")],
        [(2, 0, 0, 4, 1)],
    ),
    (
        "a heartbeat counts only while active, in any case, and never without a state",
        [
            event("10:00:00", "create.end"),
            event("11:00:00", "exists", state="ACTIVE"),
            event("12:00:00", "exists", state="error"),
            event("13:00:00", "exists", state=None),
        ],
        [(2, 0, HOUR, 16, 1)],
    ),
    (
        "a start without a flavor, vcpus or memory loses its session alone",
        [
            event("10:00:00", "create.start", vcpus=None),
            event("11:00:00", "create.end", instance_type=""),
            event("12:00:00", "power_off.start", instance_type=None),
            event("13:00:00", "power_off.end", memory_mb=None),
            event("14:00:00", "power_on.end"),
        ],
        [(59, 4 * HOUR, 4 * HOUR, 4, 1)],
    ),
    ("an event of no instance is of no session", [event("10:00:00", "create.end", instance_id=None)], []),
]


@pytest.mark.parametrize(("history", "sessions"), [case[1:] for case in HISTORIES], ids=[case[0] for case in HISTORIES])
def test_a_history_makes_these_sessions(
    engine: Engine, tmp_path: Path, history: list[Event], sessions: list[tuple[int, int, int, int, int]]
) -> None:
    """A history makes exactly the sessions that the rule says."""
    assert spans(rebuilt(engine, tmp_path, *history)) == sessions
