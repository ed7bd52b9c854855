"""A month is named exactly, or refused."""

from datetime import UTC, datetime

import pytest

from ledger import ConfigurationError
from reporter import Period
from reporter.periods import zone_named


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-10", datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-12", datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2028-02", datetime(2028, 2, 1, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
def test_month(text: str, start: datetime, end: datetime) -> None:
    """A month goes from its first second up to that of the next month."""
    assert Period.month(text) == Period(text, start, end)


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-00", "2026-1", "2026", "10-2026", "2026-10-01", "", "0000-01", "9999-12", "٢٠٢٦-١٠"]
)
def test_what_is_no_month(text: str) -> None:
    """What is no month is refused, and the message says how to write one."""
    with pytest.raises(ConfigurationError, match=r"is no month\. Write it as YYYY-MM"):
        Period.month(text)


def test_days_where_the_clocks_change() -> None:
    """Each day begins at its midnight: one has 25 hours, one 23, and one that the zone left out is not there."""
    berlin = zone_named("Europe/Berlin")
    for month, odd, hours in (("2026-10", 25, 25), ("2026-03", 29, 23)):
        days = list(Period.month(month, berlin).each_day())
        assert [day.day for day, *_ in days] == list(range(1, 32))
        assert {day.day: (until - since) / 3600 for day, since, until in days if until - since != 86400} == {odd: hours}
    left_out = Period.days("2011-12-29", "2011-12-31", zone_named("Pacific/Apia"))
    assert [day.day for day, *_ in left_out.each_day()] == [29, 31]


@pytest.mark.parametrize(
    ("now", "zone", "name"),
    [
        ("2026-11-01T00:00:00", "UTC", "2026-10"),
        ("2026-01-31T23:30:00", "Europe/Berlin", "2026-01"),
        ("2026-01-01T00:30:00", "America/New_York", "2025-11"),
    ],
)
def test_the_last_month_that_is_over(now: str, zone: str, name: str) -> None:
    """It is that of the time zone, whose month may end before or after that of UTC."""
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert Period.last_month(zone_named(zone), moment).name == name


def test_the_name_in_the_name_of_a_file() -> None:
    """It has no blanks."""
    assert Period.month("2026-10").file_name == "2026-10"
    assert Period.days("2026-10-12", "2026-10-18").file_name == "2026-10-12_2026-10-18"
