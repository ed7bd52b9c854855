"""Each rule of XDMoD's state machine, by a history small enough to follow by hand."""

from datetime import date
from pathlib import Path

import pytest

from tests.usage.histories import Event, event, rebuilt, spans, write
from usage import Engine, Session

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


def one(engine: Engine, folder: Path, *history: Event) -> Session:
    (session,) = rebuilt(engine, folder, *history)
    return session


def test_a_session_is_described_by_its_start(engine: Engine, tmp_path: Path) -> None:
    """Flavor, host, user, domain and disk come from the start event, whatever later ones say."""
    later = {"host": "node2", "user_name": "bob", "domain": "other", "disk_gb": "99", "vcpus": "8"}
    session = one(engine, tmp_path, event("10:00:00", "create.end"), event("11:00:00", "exists", **later))
    assert (session.host, session.username, session.domain) == ("node1", "alice", "Default")
    assert (session.instance_type, session.num_cores, session.memory_mb, session.disk_gb) == ("c1.m4", 1, 4096, 20)


def test_the_project_is_that_of_the_earliest_event(engine: Engine, tmp_path: Path) -> None:
    """An instance belongs to the project of its earliest event, of whatever type, for all its history."""
    sessions = rebuilt(
        engine,
        tmp_path,
        event("12:00:00", "delete.end", project_id="p-3", project_name="projthree"),
        event("11:00:00", "create.end", project_id="p-2", project_name="projtwo"),
        event("10:00:00", "update"),
    )
    assert [session.project for session in sessions] == ["projone"]


def test_a_project_keeps_its_first_name(engine: Engine, tmp_path: Path) -> None:
    """A project is told by its id and called what it was first called."""
    renamed = event("12:00:00", "create.end", instance_id="vm2", project_name="renamed")
    sessions = rebuilt(engine, tmp_path, event("10:00:00", "create.end"), renamed)
    assert [session.project for session in sessions] == ["projone", "projone"]


@pytest.mark.parametrize(("field", "attribute"), [("host", "host"), ("user_name", "username"), ("domain", "domain")])
def test_what_is_missing_is_unknown(engine: Engine, tmp_path: Path, field: str, attribute: str) -> None:
    """A session whose start lacks a description is kept, with that unknown."""
    assert getattr(one(engine, tmp_path, event("10:00:00", "create.end", **{field: None})), attribute) is None


def test_a_project_without_an_id_is_unknown(engine: Engine, tmp_path: Path) -> None:
    """A project's name without its id names no project."""
    assert one(engine, tmp_path, event("10:00:00", "create.end", project_id=None)).project is None


@pytest.mark.parametrize(
    ("disk", "gigabytes"), [(None, 0), ("20", 20), ("20.7", 21), ("20.5", 21), ("", 0), ("1e1", 10)]
)
def test_disk_is_a_rounded_number(engine: Engine, tmp_path: Path, disk: str | None, gigabytes: int) -> None:
    """Disk is rounded to whole GB, and 0 when it is missing or no number."""
    assert one(engine, tmp_path, event("10:00:00", "create.end", disk_gb=disk)).disk_gb == gigabytes


@pytest.mark.parametrize(
    ("vcpus", "memory", "buckets"),
    [
        (0, 0, (0, 0)),
        (1, 1, (1, 1)),
        (3, 2047, (2, 1)),
        (4, 2048, (3, 2)),
        (11, 8192, (4, 3)),
        (32, 65535, (6, 6)),
        (33, 65536, (7, 7)),
        (128, 131073, (7, 8)),
    ],
)
def test_sizes_fall_into_buckets(
    engine: Engine, tmp_path: Path, vcpus: int, memory: int, buckets: tuple[int, int]
) -> None:
    """Cores and memory fall into XDMoD's buckets; nothing of either falls into none."""
    session = one(engine, tmp_path, event("10:00:00", "create.end", vcpus=vcpus, memory_mb=memory))
    assert (session.processorbucket_id, session.memorybucket_id) == buckets


def test_a_flavor_may_be_redefined_later(engine: Engine, tmp_path: Path) -> None:
    """A later definition of a flavor leaves earlier sessions as they are."""
    sessions = rebuilt(
        engine,
        tmp_path,
        event("10:00:00", "create.end", vcpus="1"),
        event("11:00:00", "delete.end", vcpus="1"),
        event("12:00:00", "create.end", instance_id="vm2", vcpus="2"),
    )
    assert [session.num_cores for session in sessions] == [1, 2]


def test_two_definitions_of_a_flavor_at_one_instant(engine: Engine, tmp_path: Path) -> None:
    """Of two definitions of one flavor at one instant, one loses its sessions."""
    sessions = rebuilt(
        engine,
        tmp_path,
        event("10:00:00", "create.end", vcpus="1"),
        event("10:00:00", "create.end", instance_id="vm2", vcpus="2"),
    )
    assert [session.num_cores for session in sessions] == [2]


def test_what_starts_after_today_is_dropped(engine: Engine, tmp_path: Path) -> None:
    """A session that starts later than the last second of the day of the ingest has no flavor yet."""
    folder = write(tmp_path, event("10:00:00", "exists"), event("2026-03-02T00:00:00", "create.end"))
    engine.read(folder, today=date(2026, 3, 1))
    assert [session.start_event_type_id for session in engine.sessions()] == [16]
    engine.read(folder, today=date(2026, 3, 2))
    assert [session.start_event_type_id for session in engine.sessions()] == [16, 2]


def test_names_are_cut_as_the_database_cuts_them(engine: Engine, tmp_path: Path) -> None:
    """Names are cut by characters, not bytes, and may hold quotes and backslashes."""
    long = 'ø"\\' * 100
    names = dict.fromkeys(("instance_id", "host", "instance_type", "project_name", "user_name", "domain"), long)
    session = one(engine, tmp_path, event("10:00:00", "create.end", **names))
    assert {session.instance, session.host, session.instance_type, session.domain} == {long[:64]}
    assert (session.project, session.username) == (long[:256], long[:255])


def test_a_later_file_overrules(engine: Engine, tmp_path: Path) -> None:
    """Of the same event in two files the later by name wins, and one in a folder below wins over both."""
    name = "2026-03-0{}T00:00:00_2026-03-02T00:00:00.json"
    write(tmp_path, event("10:00:00", "create.end", user_name="second"), name=name.format(2))
    write(tmp_path, event("10:00:00", "create.end", user_name="first"), name=name.format(1))
    engine.read(tmp_path)
    assert [session.username for session in engine.sessions()] == ["second"]
    write(tmp_path / "again", event("10:00:00", "create.end", user_name="third"), name=name.format(1))
    engine.read(tmp_path)
    assert [session.username for session in engine.sessions()] == ["third"]
