"""The demo does what the README says of it."""

import os
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

import schemas

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which the demo ran, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "demo"]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return folder / "demo-output", ran.stdout


def test_the_readme_shows_what_the_demo_prints(done: tuple[Path, str]) -> None:
    """Line for line, from the verification on."""
    _, printed = done
    shown = (ROOT / "README.md").read_text()
    tail = printed[printed.index("# What XDMoD will make of it") :]
    for line in tail.splitlines():
        assert line.rstrip() in shown


def test_every_event_of_the_demo_is_what_xdmod_accepts(done: tuple[Path, str], xdmod_data: Path) -> None:
    """By XDMoD's own schema, and by ours."""
    folder, _ = done
    schema = (xdmod_data / "schemas" / "schemas-cloud_openstack-event.schema.json").read_bytes()
    theirs = jsonschema_rs.validator_for(msgspec.json.decode(schema))
    files = sorted((folder / "outbox" / "demo-cloud" / "events").glob("*.json"))
    events = [event for file in files for event in msgspec.json.decode(file.read_bytes())]
    assert len(events) > 400
    assert all(theirs.is_valid(event) and schemas.validator("openstack-event").is_valid(event) for event in events)


def test_the_report_is_there(done: tuple[Path, str]) -> None:
    """Sessions and hours as CSV, and a PDF."""
    names = {path.name for path in (done[0] / "reports" / "demo-cloud").iterdir()}
    assert names == {"sessions-2026-10.csv", "usage-2026-10.csv", "usage-2026-10.pdf"}
