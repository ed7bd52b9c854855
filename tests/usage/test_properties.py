"""Random histories: the sessions against a plain state machine, the days against the sessions."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.usage.histories import Event, event, rebuilt, write
from usage import Engine, Session

#: Names that take part, with id and state; written out here, so that a slip in the rules shows.
TYPES = {
    "create.start": (1, -1),
    "create.end": (2, 1),
    "shutdown.end": (4, 2),
    "delete.end": (6, 2),
    "resume.end": (8, 1),
    "exists": (16, 1),
    "suspend.end": (17, 2),
    "shelve_offload.end": (19, 3),
    "power_off.start": (44, 2),
    "power_off.end": (45, 2),
    "resize.confirm.end": (49, -1),
    "pause.end": (55, 2),
    "power_on.start": (58, -1),
    "shelve_offload.start": (64, 3),
    "reboot.end": (None, None),
}
START = datetime(2026, 3, 1, 23, 59, 50)  # noqa: DTZ001 - event files have no offset
HOSTILE = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def events(draw: st.DrawFn) -> Event:
    """An event at one of a few seconds around midnight or days apart, so that ties and crossings are common."""
    kind = draw(st.sampled_from(["exists", *TYPES]))
    offset = draw(st.sampled_from([0, 1, 9, 10, 11, 86_409, 86_410, 200_000])) + draw(
        st.sampled_from([0.0, 0.0, 0.000001, 0.6])
    )
    missing = draw(st.sampled_from([(), (), (), (), ("vcpus",), ("instance_type",)]))
    return event(
        (START + timedelta(seconds=offset)).isoformat(timespec="microseconds"),
        kind,
        instance_id=draw(st.sampled_from(["vm-a", "vm-b", "vm-c", "vm-d"])),
        state=draw(st.sampled_from(["active", "active", "ACTIVE", "stopped", None])),
        host=draw(st.sampled_from(["node1", "node1", None])),
        **dict.fromkeys(missing),
    )


class Span(NamedTuple):
    """What the plain state machine says of a session."""

    instance: str
    start: int
    end: int
    start_type: int
    end_type: int


class Open(NamedTuple):
    """The start of a session that is not over, and its last heartbeat."""

    at: int
    type: int
    has_flavor: bool
    heartbeat: int | None = None


def microseconds(record: Event) -> int:
    return round(datetime.fromisoformat(record["generated"]).replace(tzinfo=UTC).timestamp() * 1_000_000)


def counts(record: Event) -> bool:
    kind = record["event_type"].removeprefix("compute.instance.")
    return TYPES[kind][0] is not None and (kind != "exists" or record.get("state", "").lower() == "active")


def plain_sessions(history: list[Event]) -> list[Span]:
    """Return the sessions of a history, one event after the other."""
    unique = {
        (
            record["instance_id"],
            microseconds(record),
            -(TYPES[record["event_type"].removeprefix("compute.instance.")][0] or 0),
            record.get("host", ""),
        ): "vcpus" in record and "instance_type" in record
        for record in history
        if counts(record)
    }
    found: dict[tuple[str, int, int], Span] = {}
    for instance, steps in groupby(sorted(unique.items()), key=lambda step: step[0][0]):
        opened: Open | None = None

        def close(start: Open, end: int, by: int, instance: str = instance) -> None:
            if start.has_flavor:
                second = start.at // 1_000_000
                found[instance, second, start.type] = Span(instance, second, end // 1_000_000, start.type, by)

        for (_, at, minus_type, _), has_flavor in steps:
            kind = -minus_type
            if kind == 16 and opened and opened.type not in (4, 17, 19, 45, 55):
                opened = opened._replace(heartbeat=at)
                continue
            if opened:
                close(opened, at, kind)
            opened = None if kind == 6 else Open(at, kind, has_flavor)
        if opened:
            close(opened, opened.heartbeat or opened.at, 16 if opened.heartbeat else 4)
    return [found[key] for key in sorted(found)]


def different_fates(history: list[Event]) -> bool:
    """Whether one event stands in the history both with and without its flavor, where XDMoD says nothing certain."""
    fates: dict[tuple[object, ...], set[bool]] = {}
    for record in history:
        key = (record["instance_id"], record["generated"], record["event_type"])
        fates.setdefault(key, set()).add("vcpus" in record and "instance_type" in record)
    return any(len(fate) > 1 for fate in fates.values())


@HOSTILE
@given(history=st.lists(events(), max_size=40).filter(lambda history: not different_fates(history)))
def test_sessions_are_those_of_the_plain_state_machine(engine: Engine, tmp_path: Path, history: list[Event]) -> None:
    """Whatever the order, the ties and the gaps, the sessions are those of a machine that takes one event at a time."""
    sessions = rebuilt(engine, tmp_path, *history)
    assert [
        Span(s.instance, s.start_time_ts, s.end_time_ts, s.start_event_type_id, s.end_event_type_id) for s in sessions
    ] == plain_sessions(history)
    states = {number: state for number, state in TYPES.values() if number not in (None, 49)}
    assert all(s.instance_state_id == states.get(s.start_event_type_id, s.instance_state_id) for s in sessions)


@HOSTILE
@given(
    history=st.lists(events(), max_size=40).filter(lambda history: not different_fates(history)), cut=st.integers(0, 40)
)
def test_how_events_lie_in_files_does_not_matter(
    engine: Engine, tmp_path: Path, history: list[Event], cut: int
) -> None:
    """The sessions of a history are the same in one file and in two, read once or twice."""
    whole = rebuilt(engine, tmp_path / "whole", *history)
    name = "2026-03-0{}T00:00:00_2026-03-31T23:59:59.json"
    write(tmp_path / "parts", *history[:cut], name=name.format(1))
    write(tmp_path / "parts", *history[cut:], name=name.format(2))
    write(tmp_path / "parts", *history, name=name.format(3))
    engine.read(tmp_path / "parts")
    assert list(engine.sessions()) == whole


def day_of(second: int) -> int:
    day = datetime.fromtimestamp(second, UTC)
    return day.year * 100_000 + day.timetuple().tm_yday


def seconds_by_day(session: Session) -> Counter[int]:
    """Return the seconds of a session by day, counted one midnight after the other."""
    seconds: Counter[int] = Counter()
    at = session.start_time_ts
    while at < session.end_time_ts:
        midnight = (at // 86_400 + 1) * 86_400
        seconds[day_of(at)] += min(midnight, session.end_time_ts) - at
        at = midnight
    return seconds


@HOSTILE
@given(history=st.lists(events(), max_size=40))
def test_days_add_up_to_the_sessions(engine: Engine, tmp_path: Path, history: list[Event]) -> None:
    """Each second of a session that has a state is in exactly one day, and every session starts and ends once."""
    sessions = [session for session in rebuilt(engine, tmp_path, *history) if session.instance_state_id != -1]
    days = list(engine.days())
    expected: Counter[int] = Counter()
    for session in sessions:
        expected.update(seconds_by_day(session))
    wall: Counter[int] = Counter()
    for day in days:
        wall[day.day_id] += day.wall_s
        assert (day.core_s, day.mem_s, day.rv_s) == (day.wall_s, day.wall_s * 4096 * 1024**2, day.wall_s * 20 * 1024**3)
    assert +wall == expected
    active = [session for session in sessions if session.instance_state_id == 1]
    assert sum(day.started for day in days) == sum(session.start_event_type_id != 49 for session in active)
    assert sum(day.ended for day in days) == sum(session.end_event_type_id != 49 for session in active)
    touched = {day_of(second) for s in sessions for second in range(s.start_time_ts, s.end_time_ts + 86_400, 86_400)}
    assert {day.day_id for day in days} <= touched
