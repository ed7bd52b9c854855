"""The demo does what the README says of it."""

import csv
import os
import subprocess
import sys
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

import schemas
from tests.exporters.openshift.jobs import seconds, taken_apart
from tests.real.prometheus.day import DAY

CLUSTER = "demo-ocp-mcpu"
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
    of_cloud = {"galaxy-formation", "protein-folding", "climate-downscaling", "nlp-archive"}
    assert groups.keys() == of_cloud | {"galaxy-inference", "protein-screening", "climate-dashboards"}
    assert groups["galaxy-inference"] == groups["galaxy-formation"]
    assert set(rows) == {"hierarchy.csv", "group.csv", "names.csv", "pi2project.csv"}


@pytest.fixture(scope="module")
def jobs(done: tuple[Path, str]) -> list[dict[str, str]]:
    """The lines that XDMoD gets of the cluster's day."""
    (file,) = (done[0] / "outbox" / CLUSTER / "jobs").iterdir()
    assert file.name == "2026-10-31.log"
    return [taken_apart(line) for line in file.read_text().splitlines()]


def _of_pods(done: tuple[Path, str], kind: str) -> list[dict[str, str]]:
    """The rows of one of the files of the cluster's report."""
    file = done[0] / "reports" / CLUSTER / f"{kind}-2026-10-31_2026-10-31.csv"
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines, quotechar="|"))


def test_the_jobs_are_the_report_of_the_pods(done: tuple[Path, str], jobs: list[dict[str, str]]) -> None:
    """CPU and pod time of each namespace is the same in both, to the second; what asked for no CPU has none."""
    told = defaultdict[str, tuple[Fraction, int]](lambda: (Fraction(), 0))
    for job in jobs:
        cores = Fraction(int(job["ncpus"]), 1000) if job["reqmem"] else 0
        cpu, time = told[job["account"]]
        told[job["account"]] = cpu + cores * seconds(job), time + seconds(job)
    reported = _of_pods(done, "usage")
    assert told == {row["name"]: (Fraction(row["cpu_seconds"]), int(row["pod_seconds"])) for row in reported}


def test_the_jobs_are_of_whom_the_hierarchy_says(done: tuple[Path, str], jobs: list[dict[str, str]]) -> None:
    """Their group is a key of group.csv, with ColdFront's ids beside it; who has no allocation goes by annotations."""
    keys = dict(csv.reader((done[0] / "outbox" / "hierarchy" / "group.csv").read_text().splitlines()))
    columns = ("account", "group", "gid", "uid", "user")
    whose = {tuple(job[name] for name in columns) for job in jobs}
    assert whose == {
        ("galaxy-inference-3f9c1a", "galaxy-inference", "7", "15", "bruno"),
        ("protein-screening-b81d07", "protein-screening", "8", "16", "chen"),
        ("climate-dashboards-52e6f4", "climate-dashboards", "9", "17", "emeka"),
        ("nlp-web", "nlp-web", "10", "0", "nlp-web"),
    }
    assert {group for _, group, *_ in whose} - keys.keys() == {"nlp-web"}
    managers = {row["Project - Allocation ID"]: row["Manager (PI)"] for row in _of_pods(done, "invoice")}
    assert managers == {
        "galaxy-inference-3f9c1a": "amara@example.org",
        "protein-screening-b81d07": "ines@example.org",
        "climate-dashboards-52e6f4": "dalia@example.org",
        "nlp-web": "farid@example.org",
    }


def test_each_pod_of_the_day_is_a_job(jobs: list[dict[str, str]]) -> None:
    """Names that are used again are several jobs, and what runs through midnight is cut there."""
    assert len({job["jobid"] for job in jobs}) == len(jobs)
    changed = {pod.name for pod in DAY.pods if pod.sizes}
    assert Counter(job["jobname"] for job in jobs if job["jobname"] not in changed) == Counter(
        pod.name for pod in DAY.pods if pod.name not in changed
    )
    edges = {(job["start"], job["end"]) for job in jobs if job["jobname"].startswith(("train", "nightly"))}
    assert edges == {
        ("2026-10-31T00:00:00", "2026-10-31T11:42:15"),
        ("2026-10-31T23:20:10", "2026-11-01T00:00:00"),
    }


def test_no_pod_is_free_without_a_word(done: tuple[Path, str]) -> None:
    """Unknown GPUs, parts of GPUs and a pod that asked for nothing have lines with hours, and no price."""
    rows = {row["SU Type"]: row for row in _of_pods(done, "invoice")}
    unpriced = {name for name, row in rows.items() if row["Rate"] == "0"}
    assert unpriced == {"OpenShift Unknown GPU", "OpenShift Unknown MIG GPU", "Unknown"}
    assert all(int(rows[name]["SU Hours (GBhr or SUhr)"]) > 0 for name in unpriced)
    assert "2 pods have no price (no rate)" in done[1]


def test_the_secret_is_for_nobody_else(done: tuple[Path, str]) -> None:
    """The file can be read by its owner only, and nothing prints what is in it."""
    file = done[0] / "keycloak.secret"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().strip() not in done[1]
