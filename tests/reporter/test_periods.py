"""A month is named exactly, or refused."""

from datetime import UTC, datetime

import pytest

from ledger import ConfigurationError
from reporter import Period


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
