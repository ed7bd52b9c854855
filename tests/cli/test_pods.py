"""`export openshift` and `report openshift`, as a user calls them."""

import ast
import csv
import json
import re
import shutil
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from msgspec.structs import replace

import schemas
from ledger import Ledger
from ledger.cluster import Namespace
from tests.cli.here import call_at
from tests.exporters.openshift.jobs import seconds, taken_apart
from tests.hierarchy.estate import OCP, Estate
from tests.pods import at, collected, demand, empty_ledger, pod
from tests.reporter.test_acceptance import machine_in

ROOT = Path(__file__).parents[2]
RATES = ROOT / "docs" / "rates" / "nerc-openshift.toml"
A100 = "NVIDIA-A100-SXM4-40GB"
CLASS = "label_nerc_mghpcc_org_class"
CONFIGURATION = f"""
[[openshift]]
name = "ocp-prod"
resource = "openshift"
url = "http://localhost:9"
coldfront_resource = "NERC-OCP"
prefix = "o-"
cpu = "millicores"
pod_labels = ["{CLASS}"]
class_label = "{CLASS}"
class_namespaces = ["notebooks"]
"""


def gpu(resource: str, model: str | None = None, number: int = 1) -> dict[str, Any]:
    return {"gpus": {resource: number}, "gpu_model": model}


def records() -> list[Any]:
    """A month's end and the next month's beginning of some namespaces."""
    first, second = "2026-02-01", "2026-02-02"
    a100, l40s = gpu("nvidia.com/gpu", A100), gpu("nvidia.com/gpu", "NVIDIA-L40S")
    notebooks: dict[str, Any] = {"namespace": "notebooks"}
    return [
        *pod("long", ("2026-01-30 23:00", "2026-02-03 05:07:03", demand("1.5", 4)), namespace="bio"),
        *pod("train", (f"{first} 10:00", f"{first} 20:00", demand("40", 200, **a100))),
        *pod("odd", (f"{second} 10:00", f"{second} 12:00", demand("8", 32, **l40s))),
        *pod("mig", (f"{second} 10:00", f"{second} 11:00", demand("2", 8, **gpu("nvidia.com/mig-1g.5gb", number=3)))),
        *pod("nothing", (f"{second} 10:00", f"{second} 11:00", demand(None, None)), namespace="bio"),
        *pod("nb", (f"{second} 10:00", f"{second} 11:30", demand("1", 6)), labels={CLASS: "cs101"}, **notebooks),
        *pod("nb2", (f"{second} 10:00", f"{second} 11:30", demand("0.25", 1)), **notebooks),
        Namespace("bio", at("2026-01-01"), {"annotation_cf_pi": "pi@uni.edu"}),
    ]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger with these pods, beside its configuration."""
    (tmp_path / "xdmod-cloud.toml").write_text(CONFIGURATION)
    ledger = empty_ledger(tmp_path)
    collected(ledger, "2026-02-05", records(), "ocp-prod")
    return ledger


@pytest.fixture
def site(ledger: Ledger, tmp_path: Path) -> Path:
    """The folder of a site that has collected a cluster."""
    assert ledger.watermark("ocp-prod")
    return tmp_path


def run(site: Path, *words: str) -> CompletedProcess[str]:
    done = call_at(site, *words)
    assert done.returncode == 0, done.stderr
    return done


def report(site: Path, *words: str) -> dict[str, Any]:
    (one,) = json.loads(run(site, "report", "openshift", "--json", *words).stdout)
    said: dict[str, Any] = one["report"]
    return said


def jobs(site: Path) -> list[dict[str, str]]:
    files = sorted((site / "outbox" / "openshift" / "jobs").glob("*.log"))
    return [taken_apart(line) for file in files for line in file.read_text().splitlines()]


def table(site: Path, name: str) -> list[dict[str, str]]:
    """The rows of a file, as invoicing reads them."""
    with (site / "reports" / "openshift" / name).open(newline="") as file:
        return list(csv.DictReader(file, quotechar="|"))


def within(jobs: list[dict[str, str]], since: str, until: str) -> Iterator[dict[str, str]]:
    return (one for one in jobs if since <= one["start"] < until)


@pytest.mark.parametrize(
    "window", [("2026-02-01", "2026-02-04"), ("2026-01-30", "2026-01-31"), ("2026-01-01", "2026-02-04")]
)
def test_the_lines_add_up_to_the_report(site: Path, window: tuple[str, str]) -> None:
    """Core, memory and GPU seconds of every namespace: what XDMoD is told is what is charged, to the second."""
    run(site, "export", "openshift")
    last = {"2026-02-04": "2026-02-03", "2026-01-31": "2026-01-30"}[window[1]]
    said = report(site, "--from", window[0], "--to", last)
    told = list(within(jobs(site), *window))
    assert {one["account"] for one in told} == {one["name"] for one in said["namespaces"]}
    for sums in said["namespaces"]:
        mine = [one for one in told if one["account"] == sums["name"]]
        known = [one for one in mine if one["reqmem"]]
        assert sum(map(seconds, mine)) == sums["seconds"]
        assert sum(seconds(one) * int(one["ncpus"]) for one in known) == 1000 * float(sums["core_seconds"])
        assert sum(seconds(one) * int(one["reqmem"][:-1]) * 2**20 for one in known) == sums["byte_seconds"]
        assert sum(seconds(one) * gpus(one) for one in mine) == sums["gpu_seconds"]
        assert sum(seconds(one) for one in mine if one not in known) == sums["seconds_without_cpu"]


def gpus(job: dict[str, str]) -> int:
    """What XDMoD reads: the first gres/gpu."""
    return next((int(part.split("=")[1]) for part in job["alloctres"].split(",") if part.startswith("gres/gpu")), 0)


def test_whole_cores_are_the_report_rounded_up(site: Path) -> None:
    """Each pod's cores, rounded up, times its seconds."""
    text = (site / "xdmod-cloud.toml").read_text()
    (site / "xdmod-cloud.toml").write_text(text.replace('"millicores"', '"cores"'))
    run(site, "export", "openshift")
    run(site, "report", "openshift", "--month", "2026-02")
    told = sum(
        seconds(one) * int(one["ncpus"]) for one in within(jobs(site), "2026-02-01", "2026-03-01") if one["reqmem"]
    )
    rows = [row for row in table(site, "pods-2026-02.csv") if row["CPU Request"] != "unknown"]
    known = [
        (datetime.fromisoformat(row["Pod Start Time"]), datetime.fromisoformat(row["Pod End Time"]), row)
        for row in rows
    ]
    assert told == sum((end - start).total_seconds() * -(-float(row["CPU Request"]) // 1) for start, end, row in known)


def test_the_files_are_as_invoicing_reads_them(site: Path) -> None:
    """16 columns in their order, quoted by a bar; what nobody knows is there, with hours and without a price."""
    run(site, "report", "openshift", "--month", "2026-02", "--rates", str(RATES))
    rows = table(site, "invoice-2026-02.csv")
    assert list(rows[0]) == [
        "Invoice Month", "Report Start Time", "Report End Time", "Project - Allocation", "Project - Allocation ID",
        "Manager (PI)", "Cluster Name", "Invoice Email", "Invoice Address", "Institution",
        "Institution - Specific Code", "SU Hours (GBhr or SUhr)", "SU Type", "Rate", "Cost", "Generated At",
    ]  # fmt: skip
    picked = ("Project - Allocation ID", "SU Type", "SU Hours (GBhr or SUhr)", "Rate", "Cost", "Manager (PI)")
    assert [tuple(row[name] for name in picked) for row in rows] == [
        ("bio", "OpenShift CPU", "80", "0.013", "1.04", "pi@uni.edu"),
        ("bio", "Unknown", "1", "0", "0.00", "pi@uni.edu"),
        ("genomics-4f2a1b", "OpenShift GPUA100SXM4", "20", "2.078", "41.56", ""),
        ("genomics-4f2a1b", "OpenShift Unknown GPU", "2", "0", "0.00", ""),
        ("genomics-4f2a1b", "Unknown GPU", "1", "0", "0.00", ""),
        ("notebooks", "OpenShift CPU", "3", "0.013", "0.04", ""),
    ]
    assert {row["Invoice Month"] for row in rows} == {"2026-02"}
    assert {(row["Report Start Time"], row["Report End Time"]) for row in rows} == {
        ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")
    }
    generated = datetime.fromisoformat(rows[0]["Generated At"])
    assert 0 <= (datetime.now(UTC) - generated).total_seconds() < 600
    classes = table(site, "classes-2026-02.csv")
    assert [(row["Project - Allocation"], row["SU Hours (GBhr or SUhr)"]) for row in classes] == [
        ("notebooks:cs101", "3"),
        ("notebooks:noclass", "1"),
    ]


def test_the_pod_report_has_a_row_for_each_day(site: Path) -> None:
    """15 columns; decimals have four places."""
    run(site, "report", "openshift", "--month", "2026-02", "--rates", str(RATES))
    rows = table(site, "pods-2026-02.csv")
    assert list(rows[0]) == [
        "Namespace", "Pod Start Time", "Pod End Time", "Duration (Hours)", "Pod Name", "CPU Request", "GPU Request",
        "GPU Type", "GPU Resource", "Node", "Node Model", "Memory Request (GiB)", "Determining Resource", "SU Type",
        "SU Count",
    ]  # fmt: skip
    assert [row["Duration (Hours)"] for row in rows if row["Pod Name"] == "long"] == ["24.0000", "24.0000", "5.1175"]
    (train,) = [row for row in rows if row["Pod Name"] == "train"]
    assert list(train.values()) == [
        "genomics-4f2a1b", "2026-02-01T10:00:00Z", "2026-02-01T20:00:00Z", "10.0000", "train", "40.0000", "1", A100,
        "nvidia.com/gpu", "wrk-2", A100, "200.0000", "CPU", "OpenShift GPUA100SXM4", "2.0000",
    ]  # fmt: skip
    (nothing,) = [row for row in rows if row["Pod Name"] == "nothing"]
    assert (nothing["CPU Request"], nothing["SU Type"], nothing["SU Count"]) == ("unknown", "Unknown", "unknown")


def test_the_terminal_says_what_is_not_known(site: Path) -> None:
    """Pods and hours of what has no price, of what asked for nothing, and up to when the cluster was read."""
    said = run(site, "report", "openshift", "--month", "2026-02", "--rates", str(RATES)).stdout
    for words in (
        "1 pod has no price (no rate): 2.00 pod hours",
        "1 pod has no price (unknown GPU): 1.00 pod hours",
        "1 pod has no price (unknown size): 1.00 pod hours",
        "1 pod asked for no CPU, in 1.00 pod hours",
        "The cluster was read up to 2026-02-05 00:00 UTC",
        "│ notebooks:noclass",
    ):
        assert words in said


def test_without_rates_there_are_sums_and_no_invoice(site: Path) -> None:
    """And the sums by namespace are exact."""
    run(site, "report", "openshift", "--month", "2026-02")
    folder = site / "reports" / "openshift"
    assert sorted(path.name for path in folder.iterdir()) == ["pods-2026-02.csv", "usage-2026-02.csv"]
    bio = table(site, "usage-2026-02.csv")[0]
    assert (bio["name"], bio["pods"], bio["cpu_seconds"]) == ("bio", "2", str(int(1.5 * (2 * 86400 + 18423))) + ".5")
    assert table(site, "pods-2026-02.csv")[0]["SU Type"] == ""


def test_another_time_zone_has_other_days(site: Path) -> None:
    """A pod over midnight in Boston is of both months there."""
    boston = report(site, "--month", "2026-01", "--time-zone", "America/New_York")
    utc = report(site, "--month", "2026-01")
    hours = [
        next(one["seconds"] for one in said["namespaces"] if one["name"] == "bio") / 3600 for said in (boston, utc)
    ]
    assert hours == [30, 25]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu"])
def test_the_machines_own_time_zone_is_nobodys(site: Path, tmp_path_factory: pytest.TempPathFactory, zone: str) -> None:
    """Lines, pods and invoice have the same times on a machine that is set to any zone."""
    told = list[dict[str, bytes]]()
    for place in ("UTC", zone):
        folder = tmp_path_factory.mktemp("machine")
        shutil.copytree(site, folder, dirs_exist_ok=True)
        with machine_in(place):
            run(folder, "export", "openshift")
            run(folder, "report", "openshift", "--month", "2026-02")
        told.append(
            {
                path.name: path.read_bytes()
                for part in ("outbox", "reports")
                for path in (folder / part).rglob("*")
                if path.is_file()
            }
        )
    assert len(told[0]) == 7
    assert told[0] == told[1]


def test_two_clusters_are_never_mixed(ledger: Ledger, site: Path) -> None:
    """The same namespaces, names and uids on another cluster are other pods: each has its own lines and sums."""
    alone = report(site, "--month", "2026-02")
    with (site / "xdmod-cloud.toml").open("a") as file:
        file.write('[[openshift]]\nname = "test"\nresource = "test"\nurl = "http://localhost:9"\ncpu = "millicores"\n')
    once = pod("train", ("2026-02-01 10:00", "2026-02-01 20:00", demand("8", 32)))
    collected(ledger, "2026-02-05", once, "test")
    run(site, "export", "openshift")
    (other,) = (site / "outbox" / "test" / "jobs").iterdir()
    (line,) = (taken_apart(line) for line in other.read_text().splitlines())
    same = [job for job in jobs(site) if job["jobname"] == "train"]
    assert [(job["cluster"], job["ncpus"]) for job in [*same, line]] == [("openshift", "40000"), ("test", "8000")]
    assert len({(job["cluster"], job["jobid"]) for job in [*jobs(site), line]}) == len(jobs(site)) + 1
    both = json.loads(run(site, "report", "openshift", "--month", "2026-02", "--json").stdout)
    said = {one["source"]: one["report"]["namespaces"] for one in both}
    assert said["ocp-prod"] == alone["namespaces"]
    assert [(one["name"], one["pods"], one["seconds"]) for one in said["test"]] == [("genomics-4f2a1b", 1, 36000)]


def test_no_site_is_in_the_program() -> None:
    """Names of clusters, namespaces and GPU models, addresses and prices are the configuration's and the card's."""
    rooms = (
        "collectors/openshift",
        "exporters/openshift",
        "usage",
        "reporter",
        "operations",
        "cli",
        "ledger",
        "hierarchy",
    )
    card = tomllib.loads(RATES.read_text())
    models = [name for unit in card["unit"] for name in unit.get("gpu_types", ()) if re.search(r"[A-Z]\w*\d", name)]
    words = [*models, *(rate["price"] for rate in card["rate"] if "." in rate["price"])]
    words += ["nerc", "mghpcc", "rhods", "openshift-monitoring", "OpenShift CPU"]
    assert len(words) > 15
    for file in (file for room in rooms for file in (ROOT / room).rglob("*.py")):
        texts = {node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)}
        used = [text for text in texts if isinstance(text, str) and "\n" not in text and " " not in text]
        assert not [(file.name, word) for word in words for text in used if word in text]


def test_a_card_of_sessions_is_refused(site: Path) -> None:
    """Pods have none; nothing is written."""
    card = site / "card.toml"
    card.write_text(RATES.read_text().replace('"ceil_total"', '"min_1h_per_session"'))
    done = call_at(site, "report", "openshift", "--month", "2026-02", "--rates", str(card))
    assert done.returncode == 2
    assert "is for servers, and pods have no sessions" in done.stderr
    assert not (site / "reports").exists()


def test_a_card_that_is_for_no_cluster_is_refused(site: Path) -> None:
    """It is said which cluster has none, which files were read, and what to do; those of the configuration may lack."""
    card = site / "card.toml"
    card.write_text('resources = ["elsewhere"]\n' + RATES.read_text())
    done = call_at(site, "report", "openshift", "--month", "2026-02", "--rates", str(card))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"No rate card is for openshift: {card} is for other resources. Name one more with --rates" in done.stderr
    assert not (site / "reports").exists()
    with (site / "xdmod-cloud.toml").open("a") as file:
        file.write('[reports]\nrates = ["card.toml"]\n')
    assert "Service units" not in run(site, "report", "openshift", "--month", "2026-02").stdout
    both = ("--rates", str(card), "--rates", str(RATES))
    assert "Service units" in run(site, "report", "openshift", "--month", "2026-02", *both).stdout


def test_a_cluster_that_was_not_read_is_said(site: Path) -> None:
    """Nothing known is not nothing used."""
    with (site / "xdmod-cloud.toml").open("a") as file:
        file.write('[[openshift]]\nname = "other"\nresource = "other"\nurl = "http://localhost:9"\n')
    done = call_at(site, "report", "openshift", "other", "--month", "2026-02")
    assert (done.returncode, "collect openshift other" in done.stderr) == (1, True)
    assert "has not been collected yet" in run(site, "export", "openshift", "other").stdout


def test_an_export_is_told_once(site: Path) -> None:
    """The first run writes all days, the next none; a window is written again as it was."""
    first = run(site, "export", "openshift").stdout
    assert "ocp-prod: wrote 5 files, 2026-01-30.log to 2026-02-03.log" in first
    assert "jobs without CPU request: 1" in first
    assert "no day is whole that was not written" in run(site, "export", "openshift").stdout
    before = {path: path.read_bytes() for path in (site / "outbox").rglob("*.log")}
    (done,) = json.loads(
        run(site, "export", "openshift", "--from", "2026-02-01", "--to", "2026-02-03", "--json").stdout
    )
    assert [file["name"] for file in done["files"]] == ["2026-02-01.log", "2026-02-02.log"]
    assert {path: path.read_bytes() for path in (site / "outbox").rglob("*.log")} == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('cpu = "millicores"', 'cpu = "cores"', 'cpu = "millicores" and per = "day"'),
        ('cpu = "millicores"', 'cpu = "millicores"\nper = "life"', '"millicores" and "life" now'),
        ('cpu = "millicores"', 'pi = ["annotation_x"]', 'add "annotation_x" to annotations'),
        (f'pod_labels = ["{CLASS}"]', "", f'add "{CLASS}" to pod_labels'),
        ('cpu = "millicores"', 'cpu = "milli"', "openshift.0.cpu"),
        (
            'resource = "openshift"',
            'resource = "openshift_production_a"\n[[openshift]]\nname = "two"\nresource = "openshift_production_b"',
            'begins with "openshift_production": XDMoD tells jobs apart by the first 20 characters',
        ),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(site: Path, old: str, new: str, words: str) -> None:
    """What was told stays, and what is not kept cannot count."""
    run(site, "export", "openshift")
    text = (site / "xdmod-cloud.toml").read_text()
    assert old in text
    (site / "xdmod-cloud.toml").write_text(text.replace(old, new))
    done = call_at(site, "export", "openshift")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_the_pi_is_the_key_that_group_csv_has(ledger: Ledger, site: Path) -> None:
    """XDMoD finds the hierarchy's node by it; ColdFront's ids stand beside it; and the invoice is for the PI."""
    estate = Estate(ledger, clouds=(replace(OCP, prefix="o-"),))
    estate.person("pi", "Uni", "Biology")
    estate.project("5", "Genomics", "pi")
    estate.allocation("12", "5", OCP, "bio", cloud_project_name="Genomics on OCP", code="C-7")
    estate.run(at("2026-03-01"))
    groups = next(csv.reader(estate.csvs(site / "hierarchy")["group.csv"].splitlines()))
    run(site, "export", "openshift")
    told = {(one["group"], one["gid"], one["uid"]) for one in jobs(site) if one["account"] == "bio"}
    assert told == {(groups[0], "5", "12")}
    before = jobs(site)
    estate.allocation("12", "5", OCP, "bio", cloud_project_name="Renamed", code="C-7")
    estate.run(datetime.now(UTC) + timedelta(hours=1))
    run(site, "export", "openshift", "--from", "2026-01-01", "--to", "2026-03-01")
    assert jobs(site) == before
    run(site, "report", "openshift", "--month", "2026-02", "--rates", str(RATES))
    row = table(site, "invoice-2026-02.csv")[0]
    picked = (
        "Project - Allocation",
        "Project - Allocation ID",
        "Manager (PI)",
        "Institution",
        "Institution - Specific Code",
    )
    assert [row[name] for name in picked] == ["Genomics on OCP", "bio", "pi@example.org", "Uni", "C-7"]


def test_no_cell_is_a_formula(ledger: Ledger, site: Path) -> None:
    """What a namespace says of its PI is text, with bars and commas in it."""
    hostile = '=HYPERLINK("http://x|y","a")'
    collected(ledger, "2026-02-06", [Namespace("bio", at("2026-01-02"), {"annotation_cf_pi": hostile})], "ocp-prod")
    run(site, "report", "openshift", "--month", "2026-02", "--rates", str(RATES))
    assert table(site, "invoice-2026-02.csv")[0]["Manager (PI)"] == f"'{hostile}"


@pytest.mark.parametrize("name", ["invoice-csv", "pods-csv", "pod-sums-csv", "openshift-job"])
def test_every_format_names_all_its_columns(name: str) -> None:
    """What is written has every column, and no other."""
    schema = schemas.load(name)
    assert schema["required"] == list(schema["properties"])
    assert schema["additionalProperties"] is False
