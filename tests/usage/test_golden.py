"""The rebuilt sessions and days against those recorded from a running XDMoD."""

import io
from pathlib import Path

import pytest

import schemas
from usage import DAY_COLUMNS, SESSION_COLUMNS, Engine

#: Each recorded set and the folders of its event files.
SETS = {
    "cases": ("golden/cases",),
    "random": ("golden/random",),
    "ref": ("reference/openstack", "reference/openstack_error_sessions"),
}


def read(engine: Engine, xdmod_data: Path, name: str) -> Path:
    engine.read(*(xdmod_data / folder for folder in SETS[name]))
    return xdmod_data / "golden" / name


@pytest.mark.parametrize("name", SETS)
def test_sessions_equal_what_xdmod_builds(engine: Engine, xdmod_data: Path, name: str, tmp_path: Path) -> None:
    """A running XDMoD built exactly these sessions from exactly these events."""
    recorded = read(engine, xdmod_data, name)
    engine.write_sessions(tmp_path / "sessions.csv")
    assert (tmp_path / "sessions.csv").read_bytes() == (recorded / "sessions.csv").read_bytes()


@pytest.mark.parametrize("name", SETS)
def test_days_equal_what_xdmod_adds_up(engine: Engine, xdmod_data: Path, name: str) -> None:
    """A running XDMoD added up exactly these days."""
    recorded = read(engine, xdmod_data, name)
    stream = io.StringIO()
    engine.write_days(stream)
    assert stream.getvalue().splitlines() == (recorded / "days.csv").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", SETS)
def test_columns_are_the_recorded_ones(xdmod_data: Path, name: str) -> None:
    """The columns of each file are in the order that XDMoD's were recorded in."""
    for file, columns in (("sessions.csv", SESSION_COLUMNS), ("days.csv", DAY_COLUMNS)):
        header = (xdmod_data / "golden" / name / file).read_text(encoding="utf-8").splitlines()[0]
        assert tuple(header.split(",")) == columns


@pytest.mark.parametrize(("format_name", "columns"), [("sessions-csv", SESSION_COLUMNS), ("days-csv", DAY_COLUMNS)])
def test_each_column_is_described(format_name: str, columns: tuple[str, ...]) -> None:
    """The schema of a file describes its columns, all of them and in their order."""
    described = schemas.load(format_name)["properties"]
    assert tuple(described) == columns
    assert all(column["description"] for column in described.values())
