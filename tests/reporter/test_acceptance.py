"""Worked examples of earlier reports: through events, sessions and sums their numbers come out as they were."""

import csv
import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from ledger import ConfigurationError
from reporter import Only, Period, UsageReport, usage_report, usage_table
from reporter.session_list import heading, session_lines
from reporter.statistic import question
from tests.reporter.conftest import Desk
from tests.reporter.histories import Event, event, put
from usage import Session, rules

HOUR = 3600
THE_30TH = Period.days("2019-01-30", "2019-01-30")
#: One server was stopped for a part of the day, and had been told to be active twice; another one runs on.
TWO_ITEMS = (
    event("2019-01-29 22:00:00", "create.end", "item-1", user="one"),
    event("2019-01-30 02:00:00", "power_on.end", "item-1", user="one"),
    event("2019-01-30 05:00:00", "power_off.end", "item-1", user="one"),
    event("2019-01-30 20:00:00", "power_on.end", "item-1", user="one"),
    event("2019-01-31 03:00:00", "delete.end", "item-1", user="one"),
    event("2019-01-30 00:00:00", "create.end", "item-2", user="two"),
    event("2019-01-31 12:00:00", "exists", "item-2", user="two"),
)
#: Servers of one, one and four cores, of which the last was deleted.
THREE_SERVERS = (
    event("2015-11-22 13:56:00", "create.end", "i1", project="uuid1", cores=1),
    event("2015-11-23 00:01:00", "create.end", "i2", project="uuid3", cores=1),
    event("2015-11-23 05:05:00", "create.end", "i3", project="uuid1", flavor="m1.large", cores=4),
    event("2015-11-24 19:40:00", "delete.end", "i3", project="uuid1", flavor="m1.large", cores=4),
    event("2015-11-30 00:00:00", "exists", "i1", project="uuid1", cores=1),
    event("2015-11-30 00:00:00", "exists", "i2", project="uuid3", cores=1),
)


def report_of(desk: Desk, period: Period, *events: Event) -> UsageReport:
    """What the events come to in a period."""
    if events:
        desk.report(*events)
    return usage_report(desk.engine, period)


def test_the_states_of_a_day(desk: Desk) -> None:
    """Active 9 h and shut off 15 h are all of the day; an open server has it whole; asking again changes nothing."""
    report = report_of(desk, THE_30TH, *TWO_ITEMS)
    used = {group.name: (group.used.active, group.used.inactive) for group in report.users}
    assert used == {"one": (32_400, 54_000), "two": (86_400, 0)}
    assert sum(used["one"]) == 86_400
    assert report_of(desk, THE_30TH) == report
    assert report_of(desk, THE_30TH, *TWO_ITEMS) == report


def test_a_dump_has_what_overlaps_its_window(desk: Desk) -> None:
    """A session that began the evening before is in it, whole, and with its part of the window."""
    desk.report(*TWO_ITEMS)
    text = heading() + "".join(session_lines(desk.engine, "sim", THE_30TH, []))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    first = next(row for row in rows if row["start"] == "2019-01-29T22:00:00Z")
    assert (first["end"], first["seconds"], first["seconds_in_period"]) == ("2019-01-30T02:00:00Z", "14400", "7200")
    assert [row["instance"] for row in rows] == ["item-1"] * 4 + ["item-2"]


def test_hourly_samples(desk: Desk) -> None:
    """A server that was seen active at 0, 1 and 2 o'clock ran for two hours."""
    beats = (event(f"2019-01-30 0{hour}:00:00", "exists") for hour in range(3))
    assert report_of(desk, THE_30TH, *beats).total.active == 2 * HOUR


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        (THE_30TH, "2019-01-30", "2019-01-31"),
        (Period.days("2019-01-30", "2019-02-05"), "2019-01-30", "2019-02-06"),
        (Period.month("2019-01"), "2019-01-01", "2019-02-01"),
        (Period.days("2019-01-31", "2019-02-27"), "2019-01-31", "2019-02-28"),
        (Period.month("2020-02"), "2020-02-01", "2020-03-01"),
        (Period.month("2019-12"), "2019-12-01", "2020-01-01"),
    ],
)
def test_where_periods_end(period: Period, start: str, end: str) -> None:
    """A day, a week, months of all lengths, and one that begins on its 31st: the end is not in it."""
    assert (period.start, period.end) == tuple(datetime.fromisoformat(it).replace(tzinfo=UTC) for it in (start, end))


#: Hours of each server of a flavor, exact, and the total as it is to be printed.
PRINTED = {
    "VM(2,4,10)": ((4041, 4041), "8082.00"),
    "VM(4,8,10)": ((4041,), "4041.00"),
    "VM(56,115,10)": ((513, 512, 512), "1537.00"),
    "VM(8,16,10)": ((513, 512, 512, 507), "2044.00"),
    "VM(8,16,160)": ((4041,), "4041.00"),
    "VM(8,32,10)": ((513, 512, 129, 513, 513, 513, 510, 383), "3586.00"),
    # Each has a second more than is printed of it.
    "VM(,,)": ((*[Fraction("1612.05") + Fraction(1, HOUR)] * 19, Fraction("1612.06") + Fraction(1, HOUR)), "32241.02"),
}


@pytest.mark.parametrize("flavor", PRINTED)
def test_totals_are_of_what_was_not_rounded(desk: Desk, flavor: str) -> None:
    """The hours of servers add up to what is printed below them, or, where each was rounded, to nearly that."""
    details, total = PRINTED[flavor]
    start = int(datetime(2019, 1, 1, tzinfo=UTC).timestamp())
    put(
        desk.engine,
        (ran(str(number), flavor, start, start + int(hours * HOUR)) for number, hours in enumerate(details)),
    )
    report = usage_report(desk.engine, Period.days("2019-01-01", "2019-12-31"))
    *rows, last = [float(row[2]) for row in usage_table(report, "user").rows]
    assert (f"{last:.2f}", sorted(rows)) == (total, sorted(round(float(hours), 2) for hours in details))
    assert f"{float(usage_table(report, 'flavor').rows[0][2]):.2f}" == total
    assert f"{sum(rows):.2f}" == ("32241.01" if flavor == "VM(,,)" else total)


def ran(user: str, flavor: str, start: int, end: int) -> Session:
    """A session of a server that is a user's only one."""
    known = dict.fromkeys(Session.__struct_fields__, 1) | dict.fromkeys(("host", "project", "domain"), "x")
    known |= {"instance": user, "username": user, "instance_type": flavor, "instance_state_id": rules.ACTIVE}
    return Session(**{**known, "start_time_ts": start, "end_time_ts": end, "wallduration": end - start})  # type: ignore[arg-type]


def test_core_hours_of_four_days(desk: Desk) -> None:
    """Exact to the second: what was there for a part of a day counts for that part."""
    report = report_of(desk, Period.days("2015-11-22", "2015-11-25"), *THREE_SERVERS)
    by_day = dict.fromkeys((f"2015-11-{day}" for day in (22, 23, 24, 25)), 0)
    for one in report.daily:
        by_day[one.day.isoformat()] += one.core
    assert [round(core / HOUR, 3) for core in by_day.values()] == [10.067, 123.65, 126.667, 48.0]
    assert {group.name for group in report.projects} == {"uuid1", "uuid3"}


@pytest.mark.parametrize(
    "words", ["1 or id=0", "user union select version(),2,3,4,5", "' OR ''='", 'x"; DROP TABLE sessions; --']
)
def test_words_are_never_asked_of_a_database(desk: Desk, words: str) -> None:
    """What is no dimension, project or user is refused as such, and does nothing."""
    report = report_of(desk, THE_30TH, *TWO_ITEMS)
    with pytest.raises(ConfigurationError, match="no dimension"):
        question("cloud_wall_time", words, "day", "2019-01-30", "2019-01-30", series=False)
    with pytest.raises(ConfigurationError, match="no statistic"):
        question(words, "none", "day", "2019-01-30", "2019-01-30", series=False)
    for only in (Only(project=words), Only(user=words), Only(institution=words)):
        with pytest.raises(ConfigurationError, match="There is no "):
            usage_report(desk.engine, THE_30TH, only=only)
    assert report_of(desk, THE_30TH) == report


@contextmanager
def machine_in(zone: str) -> Iterator[None]:
    """Let the machine's own time be that of a zone."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


def test_the_machines_own_time_zone_is_nobodys(desk: Desk) -> None:
    """Days begin, and times are written, as they do in UTC, or in the zone that was asked for."""
    midnight = (
        event("2017-02-28 23:00:00", "create.end"),
        event("2017-03-01 00:00:00", "power_off.end"),
        event("2017-03-01 01:00:00", "delete.end"),
    )
    with machine_in("Australia/Melbourne"):
        assert datetime.now().astimezone().utcoffset() in (timedelta(hours=10), timedelta(hours=11))
        report = report_of(desk, Period.month("2017-03"), *midnight)
        lines = "".join(session_lines(desk.engine, "sim", Period.month("2017-03"), []))
    assert (report.total.active, report.total.inactive) == (0, HOUR)
    assert "2017-03-01T00:00:00Z" in lines
    assert report_of(desk, Period.month("2017-03"), *midnight) == report
