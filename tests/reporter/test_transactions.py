"""What was done is said in plain words, and harms neither a spreadsheet nor a terminal."""

import csv
import io
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import schemas
from exporters.openstack.vocabulary import EVENTS, WITHOUT_EFFECT
from ledger import ConfigurationError
from reporter import Period
from reporter.csvs import write_rows
from reporter.periods import zone_named
from reporter.transactions import WORDS, Outcome, Transaction, log_lines, log_rows, told
from tests.simulation import OPERATIONS
from tests.simulation.operations import OTHERS

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def done(action: str = "stop", outcome: Outcome = Outcome.DONE, **more: Any) -> Transaction:
    """One action of ada's on a server of physics."""
    known = {"at": AT, "resource": "sim", "server": "web", "instance": "i-1", "project": "physics", "project_id": "p-1"}
    ids = {"user": "ada", "user_id": "u-1", "acting_project": "p-1", "request": "req-1"}
    return Transaction(**{**known, **ids, "action": action, "outcome": outcome, **more})


@pytest.mark.parametrize(
    ("transaction", "words"),
    [
        (done("create"), "created the server"),
        (done("create", Outcome.FAILED), "failed to create the server"),
        (done("create", repeated=True), "created the server at a second try"),
        (done("resize", before="m1.small", after="m1.large"), "resized the server from m1.small to m1.large"),
        (done("resize", Outcome.FAILED, before="m1.small"), "failed to resize the server from m1.small"),
        (done("resize", after="m1.large"), "resized the server to m1.large"),
        (done("resize"), "resized the server"),
        (done("stop", Outcome.OPEN), "began to stop the server; how it ended is not known"),
        (done("frobnicate"), "did frobnicate"),
        (done("frobnicate", Outcome.FAILED), "failed to do frobnicate"),
        (done("vanished"), "the server vanished: it is listed no more, and no deletion was recorded"),
    ],
)
def test_words(transaction: Transaction, words: str) -> None:
    """An auditor reads what happened, and whether it did."""
    assert told(transaction) == words


def test_every_known_action_has_words() -> None:
    """Those that are translated for XDMoD, those that are not, and those that a real Nova recorded."""
    recorded = {operation.action for operation in (*OPERATIONS.values(), *OTHERS.values())}
    assert {*EVENTS, *WITHOUT_EFFECT, *recorded} <= WORDS.keys()


def test_a_line_names_everything() -> None:
    """Time with its offset, who, where, what, and the ids; another acting project is said."""
    (line,) = log_lines([done(acting_project="p-admin")], BERLIN)
    assert line == (
        "2026-10-25 02:30:00+02:00 | ada | physics | stopped the server | web | "
        "instance i-1, user u-1, project p-1, request req-1, for project p-admin"
    )


def test_what_has_no_name_is_told_by_its_id() -> None:
    """And what nobody did, by nobody."""
    lines = log_lines([done(user=None, project=None), done(user=None, user_id=None)], UTC)
    assert [line.split(" | ")[1:3] for line in lines] == [["u-1", "p-1"], ["unknown", "physics"]]


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "x | root | deleted", "\u202eexe", "\r", "\U000e0001"])
def test_a_line_stays_a_line_of_six_columns(name: str) -> None:
    """A name neither steers the terminal nor passes for another column."""
    (line,) = log_lines([done(project=name, user=name, server=name)], UTC)
    assert line.isprintable()
    assert line.count("|") == 5


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "'quoted", 'a,"b"\n', ""])
def test_cells_are_safe_and_valid(name: str) -> None:
    """What was written, read back, is valid, in the columns of its schema, and no formula."""
    file = io.StringIO(newline="")
    assert write_rows(file, "log-csv", log_rows([done(name, server=name, project=name, user_id=name)], BERLIN)) == 1
    file.seek(0)
    (row,) = csv.DictReader(file)
    schemas.validator("log-csv").validate(row)
    assert list(row) == list(schemas.load("log-csv")["properties"]) == schemas.load("log-csv")["required"]
    assert row["server"] in (name, f"'{name}")
    assert not row["server"].startswith(tuple("=+-@\t\r＝"))


def test_times_over_the_change_of_the_clocks() -> None:
    """The hour that comes twice is told apart by its offset; the data stay in UTC."""
    hours = [done(at=datetime(2026, 10, 25, hour, 30, tzinfo=UTC)) for hour in (0, 1)]
    rows = list(log_rows(hours, BERLIN))
    assert [row["time"] for row in rows] == ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]
    assert [row["local_time"] for row in rows] == ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]


@pytest.mark.parametrize(
    ("period", "start", "hours"),
    [
        (Period.month("2026-10", BERLIN), datetime(2026, 9, 30, 22, tzinfo=UTC), 31 * 24 + 1),
        (Period.month("2026-03", BERLIN), datetime(2026, 2, 28, 23, tzinfo=UTC), 31 * 24 - 1),
        (Period.days("2026-10-25", "2026-10-25", BERLIN), datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
        (Period.days("2026-12-31", "2027-01-01"), datetime(2026, 12, 31, tzinfo=UTC), 48),
        # In São Paulo the clocks skipped midnight.
        (
            Period.days("2018-11-04", "2018-11-04", ZoneInfo("America/Sao_Paulo")),
            datetime(2018, 11, 4, 3, tzinfo=UTC),
            23,
        ),
    ],
)
def test_periods_of_a_time_zone(period: Period, start: datetime, hours: int) -> None:
    """They begin and end at its midnights, however long its days are."""
    assert period.start == start
    assert (period.end - period.start).total_seconds() == hours * 3600


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-10-32", "2026-11-01", '"2026-10-32" is no day'),
        ("20261001", "2026-11-01", "is no day"),
        ("2026-10-01", "", "is no day"),
        ("2026-10-01", "9999-12-31", "is no day"),
        ("2026-10-02", "2026-10-01", "2026-10-01 comes before 2026-10-02"),
        ("1969-12-31", "1970-01-01", "before 1970"),
    ],
)
def test_what_is_no_period(first: str, last: str, said: str) -> None:
    """It is refused, and the message says how to write one."""
    with pytest.raises(ConfigurationError, match=said):
        Period.days(first, last)


@pytest.mark.parametrize("name", ["Europe/Berln", "../../etc/passwd", "/etc/localtime", "Europe", "", "a\0b"])
def test_what_is_no_time_zone(name: str) -> None:
    """It is refused, whatever it would be as a path."""
    with pytest.raises(ConfigurationError, match="is no time zone"):
        zone_named(name)
