"""The files of a report: whole, together, valid, and safe to open."""

import csv
import os
from pathlib import Path

import pytest

import schemas
from ledger import ConfigurationError, DataError, SourceUnavailable
from reporter import write_report
from tests.reporter.conftest import Desk
from tests.reporter.histories import Event, event

NAMES = ["sessions-2026-10.csv", "usage-2026-10.csv", "usage-2026-10.pdf"]


def life(instance: str = "i-1", project: str | None = "physics", **rest: object) -> tuple[Event, Event]:
    """A server that ran from September into the fourth hour of October."""
    return (
        event("2026-09-30 20:00:00", "create.end", instance, project=project, **rest),  # type: ignore[arg-type]
        event("2026-10-01 04:00:00", "delete.end", instance, project=project, **rest),  # type: ignore[arg-type]
    )


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_files(desk: Desk, tmp_path: Path) -> None:
    """A report is three files named by the month, and nothing else is left in the folder."""
    folder = tmp_path / "new" / "reports"
    paths = write_report(desk.report(*life()), desk.engine, folder, "Test cloud")
    assert [path.name for path in paths] == NAMES
    assert sorted(path.name for path in folder.iterdir()) == NAMES


def test_sessions(desk: Desk, tmp_path: Path) -> None:
    """The sessions' file has the whole session, and its seconds within the month."""
    sessions, *_ = write_report(desk.report(*life()), desk.engine, tmp_path, "Test cloud")
    (row,) = rows(sessions)
    assert row == {
        "instance": "i-1",
        "project": "physics",
        "user": "ada",
        "domain": "Default",
        "resource": "Test cloud",
        "institution": "unknown",
        "pi": "unknown",
        "state": "active",
        "start": "2026-09-30T20:00:00Z",
        "end": "2026-10-01T04:00:00Z",
        "seconds": "28800",
        "counted_from": "2026-10-01T00:00:00Z",
        "counted_to": "2026-10-01T04:00:00Z",
        "seconds_in_period": "14400",
        "core_seconds_in_period": "28800",
        "flavor": "m1.small",
        "cores": "2",
        "memory_mb": "4096",
        "disk_gb": "20",
        "host": "node-1",
        "start_event_type_id": "2",
        "end_event_type_id": "6",
    }


def test_usage(desk: Desk, tmp_path: Path) -> None:
    """The sums' file has hours to read and seconds to add; what is unknown says so."""
    history = (*life(), *life("i-2", None, user=None, flavor="unknown", cores=0))
    _, usage, _ = write_report(desk.report(*history), desk.engine, tmp_path, "Test cloud")
    known, unknown = rows(usage)
    assert (known["project"], known["core_hours"], known["core_seconds"]) == ("physics", "8.00", "28800")
    assert [unknown[name] for name in ("project", "user", "flavor", "core_hours", "core_seconds")] == ["unknown"] * 5
    assert (unknown["active_hours"], unknown["active_seconds"]) == ("4.00", "14400")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "'quoted"])
def test_formulas(desk: Desk, tmp_path: Path, name: str) -> None:
    """A name that a spreadsheet would run has an apostrophe before it, in both files."""
    sessions, usage, _ = write_report(desk.report(*life(project=name)), desk.engine, tmp_path, "Test cloud")
    assert [row["project"] for path in (sessions, usage) for row in rows(path)] == [f"'{name}"] * 2


def test_rows_are_as_their_schemas_have_them(desk: Desk, tmp_path: Path) -> None:
    """What was written, read back, is valid, in the columns and the order of its schema."""
    history = (*life(), *life("i-2", 'Ж, "x"\n', flavor="unknown", cores=0), *life("i-3", None, user="=x"))
    sessions, usage, _ = write_report(desk.report(*history), desk.engine, tmp_path, "Test cloud")
    for path, schema in ((sessions, "session-list-csv"), (usage, "usage-csv")):
        read = rows(path)
        assert len(read) == 3
        for row in read:
            schemas.validator(schema).validate(row)
            assert list(row) == list(schemas.load(schema)["properties"]) == schemas.load(schema)["required"]


def test_same_bytes(desk: Desk, tmp_path: Path) -> None:
    """The same sessions give the same bytes."""
    history = (*life(), *life("i-2", "biology"), *life("i-3", "Łódź"))
    first = write_report(desk.report(*history), desk.engine, tmp_path / "first", "Test cloud")
    second = write_report(desk.report(*reversed(history)), desk.engine, tmp_path / "second", "Test cloud")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_failure_changes_nothing(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last file cannot be made, those of an earlier report stay as they were."""
    earlier = {
        path: path.read_bytes() for path in write_report(desk.report(*life()), desk.engine, tmp_path / "out", "A")
    }
    later = desk.report(*life(), *life("i-2"))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("reporter.writing.write_pdf", full)
    with pytest.raises(SourceUnavailable, match=r"There is no room left in .*out for the report"):
        write_report(later, desk.engine, tmp_path / "out", "A")
    assert {path: path.read_bytes() for path in sorted((tmp_path / "out").iterdir())} == earlier


def test_a_report_of_other_sessions(desk: Desk, tmp_path: Path) -> None:
    """A report is not written beside sessions that it was not made of."""
    report = desk.report(*life())
    desk.report(*life(), *life("i-2"))
    with pytest.raises(DataError, match=r"is of 1 session, but the engine now has 2\."):
        write_report(report, desk.engine, tmp_path / "out", "Test cloud")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_row_that_its_schema_forbids(desk: Desk, tmp_path: Path) -> None:
    """A session that cannot be is named, and nothing is written."""
    desk.report(*life())
    desk.engine.connection.execute("UPDATE sessions SET memory_mb = -1")
    with pytest.raises(DataError, match=r"instance “i-1”, project “physics”.*Nothing was written"):
        write_report(desk.report(), desk.engine, tmp_path / "out", "Test cloud")
    assert list((tmp_path / "out").iterdir()) == []


def test_no_folder_to_write_to(desk: Desk, tmp_path: Path) -> None:
    """Where the folder cannot be, the message names it and the way out."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"Cannot write the report into .*file: .*Name another folder"):
        write_report(desk.report(*life()), desk.engine, tmp_path / "file", "Test cloud")
