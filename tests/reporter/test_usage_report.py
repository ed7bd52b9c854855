"""A report has every second of the month once, and no other."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierarchy.owners import Label, Owner
from ledger.ownership import ProjectKey
from reporter import Daily, Group, Line, Period, Used, usage_report, usage_table
from reporter.tables import hours, notes
from tests.reporter.conftest import Desk
from tests.reporter.histories import event, put
from usage import Engine, Session

HOUR, DAY = 3600, 86400


def used(**quantities: int) -> Used:
    """What one server used in one session, unless told otherwise."""
    names = Used.__struct_fields__
    return Used(**(dict.fromkeys(names, 0) | {"servers": 1, "sessions": 1} | quantities))


def test_clipped_to_the_month(desk: Desk) -> None:
    """Of a server that runs from September to November, October has exactly its own 31 days."""
    life = (event("2026-09-20 10:00:00", "create.end"), event("2026-11-02 00:00:01", "delete.end"))

    assert desk.report(*life).total == used(active=31 * DAY, core=62 * DAY)
    assert desk.report(month="2026-09").total == used(active=10 * DAY + 14 * HOUR, core=2 * (10 * DAY + 14 * HOUR))
    assert desk.report(month="2026-11").total == used(active=DAY + 1, core=2 * (DAY + 1))
    assert desk.report(month="2026-12").total == used(servers=0, sessions=0)


def test_half_open(desk: Desk) -> None:
    """What ends as the month begins is not in it, and what begins as the month ends is not either."""
    report = desk.report(
        event("2026-09-30 23:00:00", "create.end", "before"),
        event("2026-10-01 00:00:00", "delete.end", "before"),
        event("2026-10-31 23:59:59", "create.end", "last-second"),
        event("2026-11-01 00:00:00", "delete.end", "last-second"),
        event("2026-11-01 00:00:00", "create.end", "after"),
        event("2026-11-01 01:00:00", "delete.end", "after"),
    )
    assert report.total == used(active=1, core=2)


def test_states(desk: Desk) -> None:
    """Inactive, shelved and stateless hours are told apart, and only active ones have core hours."""
    report = desk.report(
        event("2026-10-05 08:00:00", "create.start"),
        event("2026-10-05 08:00:30", "create.end"),
        event("2026-10-05 10:00:30", "power_off.end"),
        event("2026-10-05 13:00:30", "power_on.end"),
        event("2026-10-05 14:00:30", "shelve_offload.end"),
        event("2026-10-05 18:00:30", "delete.end"),
    )
    expected = used(sessions=5, active=3 * HOUR, core=6 * HOUR, inactive=3 * HOUR, shelved=4 * HOUR, other=30)
    assert report.lines == (Line(None, None, "physics", "ada", "m1.small", expected),)


def test_a_server_that_was_only_seen_once(desk: Desk) -> None:
    """A session of no length counts its server in its month, with no hours."""
    seen = event("2026-10-01 00:00:00", "create.end")
    assert desk.report(seen).total == used()
    assert desk.report(month="2026-09").total == used(servers=0, sessions=0)


def test_unknown_size(desk: Desk) -> None:
    """A server of unknown size is shown as unknown, its core hours are in no sum, and a note says so."""
    report = desk.report(
        event("2026-10-05 08:00:00", "create.end", "sized"),
        event("2026-10-05 09:00:00", "delete.end", "sized"),
        event("2026-10-05 08:00:00", "create.end", "unsized", flavor="unknown", cores=0),
        event("2026-10-05 10:00:00", "delete.end", "unsized", flavor="unknown", cores=0),
    )
    assert report.flavors == (
        Group("m1.small", used(active=HOUR, core=2 * HOUR)),
        Group(None, used(active=2 * HOUR, unsized=2 * HOUR)),
    )
    assert report.total == used(servers=2, sessions=2, active=3 * HOUR, core=2 * HOUR, unsized=2 * HOUR)
    assert any(note.startswith("1 server of unknown size, with 2.00 active hours") for note in notes(report))
    table = usage_table(report, "flavor")
    assert table.heads[-1] == "active h of unknown size"
    assert table.rows[1] == ("unknown", 1, 2.0, 0.0, 0.0, 0.0, 0.0, 2.0)


def test_unknown_owner(desk: Desk) -> None:
    """A server whose project and user nobody knows is counted as unknown, and notes say so."""
    report = desk.report(
        event("2026-10-05 08:00:00", "create.end", project=None, user=None),
        event("2026-10-05 09:00:00", "delete.end", project=None, user=None),
    )
    assert [group.name for group in (*report.projects, *report.users)] == [None, None]
    assert report.total == used(active=HOUR, core=2 * HOUR)
    assert [note.split(",")[0] for note in notes(report)[:2]] == [
        "1 server of unknown project",
        "1 server of unknown user",
    ]


def test_daily(desk: Desk) -> None:
    """A session over midnight is shared out between its days, in UTC."""
    report = desk.report(event("2026-10-30 23:00:00", "create.end"), event("2026-11-01 05:00:00", "delete.end"))
    assert report.daily == (
        Daily(date(2026, 10, 30), "physics", 2 * HOUR),
        Daily(date(2026, 10, 31), "physics", 2 * DAY),
    )


def test_no_session(desk: Desk) -> None:
    """A month without a session is no error; the note says where the sessions are that were read."""
    life = (event("2026-09-20 10:00:00", "create.end"), event("2026-09-21 10:00:00", "delete.end"))
    (note,) = notes(desk.report(*life))
    assert note.startswith("No session in 2026-10.")
    assert "from 2026-09-20 10:00 UTC to 2026-09-21 10:00 UTC" in note


def test_terminal_rows(desk: Desk) -> None:
    """A table for a terminal has hours rounded to two places, the largest project first and the total last."""
    report = desk.report(
        event("2026-10-05 08:00:00", "create.end", "a"),
        event("2026-10-05 08:10:00", "delete.end", "a"),
        event("2026-10-05 08:00:00", "create.end", "b", project="biology", flavor="m1.large", cores=8),
        event("2026-10-05 09:00:00", "delete.end", "b", project="biology", flavor="m1.large", cores=8),
    )
    assert usage_table(report).rows == (
        ("biology", 1, 1.0, 8.0, 0.0, 0.0, 0.0),
        ("physics", 1, 0.17, 0.33, 0.0, 0.0, 0.0),
        ("total", 2, 1.17, 8.33, 0.0, 0.0, 0.0),
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.00"), (17, "0.00"), (18, "0.01"), (3599, "1.00"), (3600, "1.00"), (10**15, "277777777777.78")],
)
def test_hours(seconds: int, text: str) -> None:
    """Hours are rounded to the nearest hundredth, however many they are."""
    assert hours(seconds) == text


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine that many examples share."""
    with Engine(threads=2) as shared:
        yield shared


START, END = Period.month("2026-10").seconds


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """Any session around October: of any state, owner and size, known or not."""
    start = draw(st.integers(START - 3 * DAY, END + DAY))
    length = draw(st.integers(0, 40 * DAY))
    names = st.sampled_from(["physics", "biology", "unknown", "", None])
    blank = dict.fromkeys(Session.__struct_fields__, 0)
    return msgspec.convert(
        blank
        | {
            "instance": draw(st.sampled_from("abcde")),
            "start_time_ts": start,
            "end_time_ts": start + length,
            "wallduration": length,
            "instance_type": draw(st.sampled_from(["m1.small", "m1.large", "unknown"])),
            "num_cores": draw(st.sampled_from([0, 1, 64])),
            "instance_state_id": draw(st.sampled_from([-1, 1, 2, 3])),
            "host": None,
            "project": draw(names),
            "username": draw(names),
            "domain": None,
        },
        Session,
    )


@given(st.lists(sessions(), max_size=8))
@settings(max_examples=60, deadline=None)
def test_totals_add_up(engine: Engine, drawn: list[Session]) -> None:
    """Every table adds up to the total, to the second, and the total to what the sessions have in the month."""
    put(engine, drawn)
    report = usage_report(engine, Period.month("2026-10"))
    for part in (report.lines, report.projects, report.users, report.flavors):
        assert _sums(part) == _times(report.total)
    assert sum(one.core for one in report.daily) == report.total.core
    inside = [(one, max(0, min(one.end_time_ts, END) - max(one.start_time_ts, START))) for one in drawn]
    states = {1: report.total.active, 2: report.total.inactive, 3: report.total.shelved, -1: report.total.other}
    for state, seconds in states.items():
        assert seconds == sum(share for one, share in inside if one.instance_state_id == state)
    assert report.total.core == sum(share * one.num_cores for one, share in inside if one.instance_state_id == 1)


def _sums(part: Sequence[Line | Group]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*(_times(one.used) for one in part), strict=True))) or (0,) * 7


def _times(used: Used) -> tuple[int, ...]:
    return (used.sessions, used.active, used.core, used.inactive, used.shelved, used.other, used.unsized)


def owner(project: str, since: str, until: str, institution: str, pi: str) -> Owner:
    """Who owned a project from one day (UTC) to another."""
    first, last = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (since, until))
    tree, cloud = ProjectKey("coldfront/1"), ProjectKey("demo/1")
    return Owner(Label(project), first, last, institution, pi, pi.lower(), tree, cloud)


def test_a_project_that_changes_hands(desk: Desk) -> None:
    """What ran across a move is cut at that instant: each institution has its own hours, and none are lost."""
    moved = [
        owner("physics", "1970-01-01", "2026-10-05", "University A", "Ann"),
        owner("physics", "2026-10-05", "9999-01-01", "University B", "Ann"),
    ]
    run = [event("2026-10-04 18:00:00", "create.end"), event("2026-10-05 18:00:00", "delete.end")]
    report = desk.report(*run, owners=moved)
    by_institution = {group.name: (group.used.active, group.used.core) for group in report.institutions}
    assert by_institution == {"University A": (6 * HOUR, 12 * HOUR), "University B": (18 * HOUR, 36 * HOUR)}
    assert {group.name for group in report.pis} == {"Ann, University A", "Ann, University B"}
    assert [(line.institution, line.used.active) for line in report.lines] == [
        ("University A", 6 * HOUR),
        ("University B", 18 * HOUR),
    ]
    assert report.total == used(active=24 * HOUR, core=48 * HOUR)


def test_what_nobody_owns(desk: Desk) -> None:
    """A project that is in no allocation is counted under the institution unknown, not left out."""
    run = [
        event("2026-10-05 08:00:00", "create.end"),
        event("2026-10-05 10:00:00", "delete.end"),
        event("2026-10-05 08:00:00", "create.end", "i-2", project="art"),
        event("2026-10-05 09:00:00", "delete.end", "i-2", project="art"),
    ]
    report = desk.report(*run, owners=[owner("physics", "1970-01-01", "9999-01-01", "University A", "Ann")])
    assert {group.name: group.used.active for group in report.institutions} == {"University A": 2 * HOUR, None: HOUR}
    assert any("1 server of unknown institution" in note for note in notes(report))
