"""The demo does what the README says of it."""

import csv
import os
import subprocess
import sys
from collections import Counter
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
    """Line for line, from the last collection on."""
    _, printed = done
    tail = printed[printed.index("# Whose the projects are") :]
    assert "\n".join(line.rstrip() for line in tail.splitlines()) in (ROOT / "README.md").read_text()


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


def test_the_pi_who_moved_is_counted_for_both_institutions(done: tuple[Path, str]) -> None:
    """What the project used until then is the old institution's, the rest is the new one's, and nothing is lost."""
    listed = Counter[tuple[str, str]]()
    for session in _rows(done, "sessions", "galaxy-formation"):
        assert (session["counted_to"] <= "2026-10-18T00:00:00Z") == (session["institution"] == "Northern University")
        listed[session["pi"], session["institution"]] += int(session["core_seconds_in_period"])
    counted = Counter[tuple[str, str]]()
    for line in _rows(done, "usage", "galaxy-formation"):
        counted[line["pi"], line["institution"]] += int(line["core_seconds"])
    assert counted == listed
    before, after = (listed["Amara Okafor", name] for name in ("Northern University", "Harbor Institute"))
    assert before > after > 0


def _rows(done: tuple[Path, str], kind: str, project: str) -> list[dict[str, str]]:
    """The rows of a project in one of the report's files."""
    with (done[0] / "reports" / "demo-cloud" / f"{kind}-2026-10.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["project"] == project]


def test_the_hierarchy_for_xdmod_is_there(done: tuple[Path, str]) -> None:
    """All four files; the project of who moved is below the new institution, and the one that expired is nowhere."""
    folder = done[0] / "outbox" / "hierarchy"
    rows = {file.name: list(csv.reader(file.read_text().splitlines())) for file in folder.iterdir()}
    parents = {id: parent for id, _, parent in rows["hierarchy.csv"]}
    names = {id: name for id, name, _ in rows["hierarchy.csv"]}
    groups = dict(rows["group.csv"])
    assert names[groups["galaxy-formation"]] == "Amara Okafor"
    assert names[parents[parents[groups["galaxy-formation"]]]] == "Harbor Institute"
    assert groups.keys() == {"galaxy-formation", "protein-folding", "climate-downscaling", "nlp-archive"}
    assert set(rows) == {"hierarchy.csv", "group.csv", "names.csv", "pi2project.csv"}


def test_the_secret_is_for_nobody_else(done: tuple[Path, str]) -> None:
    """The file can be read by its owner only, and nothing prints what is in it."""
    file = done[0] / "keycloak.secret"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().strip() not in done[1]
