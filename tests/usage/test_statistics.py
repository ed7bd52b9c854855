"""What XDMoD's statistics are made of: periods, sums over sessions, capacities, formulas."""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from tests.usage.test_golden import SETS, read
from usage import Engine
from usage.statistics import STATISTICS, SUMMED, UNITS, Period, Span, Sums, available, periods_of, query

HOUR, DAY = 3600, 86_400


@pytest.mark.parametrize(
    ("unit", "first", "last", "labels", "ids", "days"),
    [
        ("day", "2018-04-18", "2018-04-18", ["2018-04-18"], [201800108], [(201800108, 201800108)]),
        ("month", "2018-04-18", "2018-04-30", ["2018-04"], [201800004], [(201800091, 201800120)]),
        (
            "month",
            "2019-12-31",
            "2020-02-01",
            ["2019-12", "2020-01", "2020-02"],
            [201900012, 202000001, 202000002],
            [(201900335, 201900365), (202000001, 202000031), (202000032, 202000060)],
        ),
        ("quarter", "2018-04-18", "2018-06-30", ["2018 Q2"], [201800002], [(201800091, 201800181)]),
        ("quarter", "2020-12-31", "2020-12-31", ["2020 Q4"], [202000004], [(202000275, 202000366)]),
        ("year", "2020-07-01", "2020-07-01", ["2020"], [202000000], [(202000001, 202000366)]),
        ("day", "2018-04-19", "2018-04-18", [], [], []),
    ],
)
def test_periods_are_xdmods(
    unit: str, first: str, last: str, labels: list[str], ids: list[int], days: list[tuple[int, int]]
) -> None:
    """Each period that the days touch is there whole, with XDMoD's id and label."""
    there = list(periods_of(UNITS[unit], date.fromisoformat(first), date.fromisoformat(last)))
    assert [UNITS[unit].label(period.id) for period in there] == labels
    assert [period.id for period in there] == ids
    assert [(period.first_day, period.last_day) for period in there] == days


@pytest.mark.parametrize("unit", UNITS)
def test_periods_leave_no_second_out(unit: str) -> None:
    """Each period begins with the second after the one before."""
    there = list(periods_of(UNITS[unit], date(2019, 1, 1), date(2021, 12, 31)))
    assert all(before.last_second + 1 == after.first_second for before, after in pairwise(there))
    assert there[-1].last_second + 1 == datetime(2022, 1, 1, tzinfo=UTC).timestamp()


def at(time: str) -> int:
    """A time in UTC as seconds since 1970."""
    return int(datetime.fromisoformat(f"{time}Z").timestamp())


def session(start: str, end: str, events: tuple[int, int] = (2, 4), /, **changed: object) -> tuple[Any, ...]:
    """A session of two cores, 1024 MiB and 20 GB, as a row of what `query` asks for; by default active."""
    days = [int(f"{time[:4]}00{date.fromisoformat(time[:10]).timetuple().tm_yday:03}") for time in (start, end)]
    row = {
        "dimension_id": "a",
        "label": "a",
        "resource_id": 1,
        "start_second": at(start),
        "end_second": at(end),
        "start_day": days[0],
        "end_day": days[1],
        "start_event": events[0],
        "end_event": events[1],
        "state": 1,
        "cores": 2,
        "memory_mb": 1024,
        "disk_gb": 20,
    }
    return tuple((row | changed).values())


SESSION_FIELDS = (
    "dimension_id, label, resource_id, start_second, end_second, start_day, end_day, start_event, end_event, state,"
    " cores, memory_mb, disk_gb"
)


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database of nothing."""
    with duckdb.connect() as connection:
        yield connection


def values(rows: Sequence[Sequence[object]], names: str) -> str:
    lines = ", ".join(f"({', '.join('NULL' if it is None else repr(it) for it in row)})" for row in rows)
    return f"SELECT * FROM (VALUES {lines}) AS given ({names})"


def asked(
    database: duckdb.DuckDBPyConnection,
    unit: str,
    first: str,
    last: str,
    *sessions: tuple[Any, ...],
    series: bool = False,
) -> dict[tuple[object, object], dict[str, int]]:
    """What sessions add up to, by period and label."""
    there = periods_of(UNITS[unit], date.fromisoformat(first), date.fromisoformat(last))
    fields = [(it.id, it.first_day, it.last_day, it.first_second, it.last_second) for it in there]
    periods = values(fields, "period_id, first_day, last_day, first_second, last_second")
    rows = database.execute(query(values(sessions, SESSION_FIELDS), periods, UNITS[unit], series=series)).fetchall()
    return {(row[0], row[2]): dict(zip(SUMMED, row[6:], strict=True)) for row in rows}


APRIL = ("2018-04-01", "2018-04-30")


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ("2018-04-18T10:00:00", "2018-04-18T11:00:00", HOUR),
        ("2018-04-17T23:00:00", "2018-04-18T01:00:00", HOUR),
        ("2018-04-18T23:00:00", "2018-04-19T01:00:00", HOUR),
        ("2018-04-17T10:00:00", "2018-04-19T10:00:00", DAY),
        ("2018-04-18T10:00:00", "2018-04-18T10:00:00", 0),
        ("2018-04-17T10:00:00", "2018-04-18T00:00:00", 0),
        ("2018-04-18T10:00:00", "2018-04-18T23:59:59", 14 * HOUR - 1),
    ],
)
def test_a_session_counts_in_a_day_with_its_seconds_there(
    database: duckdb.DuckDBPyConnection, start: str, end: str, seconds: int
) -> None:
    """All of it, from midnight, up to midnight, or the whole day; the last second of a day is not lost at midnight."""
    ((_, sums),) = asked(database, "day", "2018-04-18", "2018-04-18", session(start, end)).items()
    assert (sums["wall"], sums["core"]) == (seconds, 2 * seconds)
    assert (sums["memory"], sums["disk"], sums["active_wall"]) == (1024 * seconds, 20 * seconds, seconds)


@pytest.mark.parametrize(
    ("events", "by_day", "by_month"), [((2, 4), 1, 1), ((2, 49), 0, 1), ((49, 4), 1, 0), ((49, 49), 0, 0)]
)
def test_what_has_ended_is_another_question_by_day_than_by_month(
    database: duckdb.DuckDBPyConnection, events: tuple[int, int], by_day: int, by_month: int
) -> None:
    """By day XDMoD leaves out what ends in a resize, by all longer units what begins with one."""
    one = session("2018-04-18T10:00:00", "2018-04-18T11:00:00", events)
    for unit, expected in (("day", by_day), ("month", by_month), ("quarter", by_month), ("year", by_month)):
        assert [sums["ended"] for sums in asked(database, unit, *APRIL, one).values()] == [expected]


def test_a_resize_starts_no_session_and_does_not_run_on_the_first_day(database: duckdb.DuckDBPyConnection) -> None:
    """A session that begins with a resize was started before; it runs from the day after, or within a longer period."""
    one = session("2018-04-18T10:00:00", "2018-04-20T11:00:00", (49, 4))
    days = asked(database, "day", *APRIL, one, series=True)
    assert [(sums["started"], sums["running"]) for sums in days.values()] == [(0, 0), (0, 1), (0, 1)]
    assert [(it["started"], it["running"]) for it in asked(database, "month", *APRIL, one).values()] == [(0, 1)]


def test_over_several_periods_a_session_runs_once(database: duckdb.DuckDBPyConnection) -> None:
    """What runs in the first period with any session counts there, all else where it starts."""
    early = session("2018-04-10T10:00:00", "2018-04-20T10:00:00")
    later = session("2018-04-12T10:00:00", "2018-04-20T10:00:00", dimension_id="b", label="b")
    resized = session("2018-04-12T10:00:00", "2018-04-20T10:00:00", (49, 4), dimension_id="c", label="c")
    sums = asked(database, "day", *APRIL, early, later, resized)
    assert {label: it["running"] for (_, label), it in sums.items()} == {"a": 1, "b": 1, "c": 0}
    sums = asked(database, "day", "2018-04-13", "2018-04-30", early, later, resized)
    assert {label: it["running"] for (_, label), it in sums.items()} == {"a": 1, "b": 1, "c": 1}


def test_what_has_no_name_has_its_place_in_time(database: duckdb.DuckDBPyConnection) -> None:
    """A session that a dimension does not name has no row; but XDMoD's first period is that of all sessions."""
    nameless = session("2018-04-10T10:00:00", "2018-04-10T11:00:00", dimension_id=None, label=None)
    resized = session("2018-04-11T10:00:00", "2018-04-13T10:00:00", (49, 4))
    there = asked(database, "day", *APRIL, nameless, resized)
    assert {key: sums["running"] for key, sums in there.items()} == {(None, "a"): 0}


@pytest.mark.parametrize(
    ("changed", "counted"), [({"state": 2}, 1), ({"state": 3}, 1), ({"state": -1}, 0), ({"cores": 0}, 0)]
)
def test_states_count_apart_from_numbers_of_sessions(
    database: duckdb.DuckDBPyConnection, changed: dict[str, object], counted: int
) -> None:
    """Inactive and shelved time is wall time, but no session; of no state or without cores nothing counts."""
    sums = asked(database, "day", *APRIL, session("2018-04-18T10:00:00", "2018-04-18T11:00:00", **changed))
    assert len(sums) == counted
    for it in sums.values():
        assert it["wall"] == HOUR
        assert (it["active_wall"], it["started"], it["ended"], it["running"]) == (0, 0, 0, 0)


def test_sums_may_be_larger_than_an_integer(database: duckdb.DuckDBPyConnection) -> None:
    """A TiB of memory for a century, in bytes, fits into no 64 bits."""
    one = session("1970-01-01T00:00:00", "2069-12-31T00:00:00", memory_mb=2**30)
    ((_, sums),) = asked(database, "year", "1970-01-01", "2069-12-31", one, one).items()
    assert STATISTICS["cloud_avg_memory_reserved"].of(Sums(**sums)) == 2**50


DAY_18 = next(iter(periods_of(UNITS["day"], date(2018, 4, 18), date(2018, 4, 18))))


@pytest.mark.parametrize(
    ("cores", "percents", "seconds"),
    [
        ([(0, 9, 234)], [(0, 9, 100)], 234 * DAY),
        ([(0, 9, 10)], [(0, 9, 90)], 9 * DAY),
        ([(0, 0, 10), (1, 9, 20)], [(0, 0, 100), (1, 9, 50)], 10 * DAY),
        ([(1, 9, 10)], [(1, 9, 100)], None),
        ([(0, 9, 10), (0, 9, 20)], [(0, 9, 100)], 30 * DAY),
        ([(0, 9, 10), (0, 9, 20)], [(0, 9, 100), (0, 9, 50)], 45 * DAY),
        ([(0, 9, 0)], [(0, 9, 100)], 0),
    ],
)
def test_capacity_is_what_specifications_allocate(
    cores: list[tuple[int, int, int]], percents: list[tuple[int, int, int]], seconds: int | None
) -> None:
    """Spans (in days from the day asked for) of cores times those of percent; where spans overlap, each counts."""

    def spans(given: list[tuple[int, int, int]]) -> list[Span]:
        first = DAY_18.first_second
        return [Span(7, first + since * DAY, first + (until + 1) * DAY - 1, amount) for since, until, amount in given]

    assert available(spans(cores), spans(percents), DAY_18) == ({} if seconds is None else {7: seconds})


def test_capacity_is_whole() -> None:
    """XDMoD stores core seconds as a whole number, rounded once for each period and resource."""
    spans = [Span(1, 0, 0, 1), Span(1, 1, 1, 1)]
    period = Period(0, 0, 0, 0, 1)
    assert available(spans, [Span(1, 0, 1, 25)], period) == {1: 1}
    assert available(spans[:1], [Span(1, 0, 1, 25)], period) == {1: 0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cloud_avg_cores_reserved", 2.0),
        ("cloud_avg_memory_reserved", 4 * 2**20),
        ("cloud_avg_rv_storage_reserved", 0.5 * 2**30),
        ("cloud_avg_wallduration_hours", 1.5),
        ("cloud_core_time", 4.0),
        ("cloud_core_utilization", 25.0),
        ("cloud_num_sessions_ended", 3),
        ("cloud_num_sessions_running", 1),
        ("cloud_num_sessions_started", 2),
        ("cloud_wall_time", 2.0),
    ],
)
def test_formulas(name: str, value: float) -> None:
    """Averages are weighted by wall time, that of a session counts active time alone; nothing over nothing is 0."""
    sums = Sums(
        wall=2 * HOUR,
        core=4 * HOUR,
        memory=8 * HOUR,
        disk=HOUR,
        active_wall=HOUR * 3 // 2,
        started=2,
        ended=3,
        running=1,
        available=16 * HOUR,
    )
    assert STATISTICS[name].of(sums) == value
    assert STATISTICS[name].of(Sums()) == 0


def test_the_statistics_are_xdmods(xdmod_data: Path) -> None:
    """Each of XDMoD's cloud statistics is here, by its title and unit."""
    theirs = msgspec.json.decode((xdmod_data / "schemas" / "datawarehouse-Cloud-statistics.json").read_bytes())
    assert {name: (it.title, it.unit) for name, it in STATISTICS.items()} == {
        name: (it["name"], it["unit"]) for name, it in theirs.items()
    }


@pytest.mark.parametrize("name", SETS)
def test_days_equal_what_xdmod_adds_up(engine: Engine, xdmod_data: Path, name: str) -> None:
    """By day, flavor and state a running XDMoD added up exactly these numbers."""
    recorded = read(engine, xdmod_data, name)
    ((since, until),) = engine.connection.execute(
        "SELECT to_timestamp(min(start_time_ts))::DATE, to_timestamp(max(end_time_ts))::DATE FROM sessions"
    ).fetchall()
    fields = [
        (it.id, it.first_day, it.last_day, it.first_second, it.last_second)
        for it in periods_of(UNITS["day"], since, until)
    ]
    sessions = """
        SELECT instance_type AS dimension_id, instance_state_id AS label, 1 AS resource_id,
            start_time_ts AS start_second, end_time_ts AS end_second, start_day_id AS start_day, end_day_id AS end_day,
            start_event_type_id AS start_event, end_event_type_id AS end_event, instance_state_id AS state,
            num_cores AS cores, memory_mb, disk_gb
        FROM sessions"""
    periods = values(fields, "period_id, first_day, last_day, first_second, last_second")
    rows = engine.connection.execute(query(sessions, periods, UNITS["day"], series=True)).fetchall()
    ours = {
        (row[0], row[1], row[2]): (
            *(sums["started"], sums["ended"], sums["running"], sums["wall"], sums["core"]),
            *(sums["memory"] * 2**20, sums["disk"] * 2**30),
        )
        for row in rows
        for sums in [dict(zip(SUMMED, row[6:], strict=True))]
    }
    with (recorded / "days.csv").open(encoding="utf-8", newline="") as file:
        _, *lines = csv.reader(file)
    assert ours == {(int(day), flavor, int(state)): tuple(map(int, rest)) for day, flavor, state, *rest in lines}
