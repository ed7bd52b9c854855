"""A statement explains every charge: each stretch of each server, what it costs, and what was done to it."""

import csv
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import schemas
from demo.__main__ import CONFIGURATION, RECORDING
from demo.owners import CLIENT, REALM, Owners
from demo.replay import Recording, Replay
from tests.cli.here import call
from tests.simulation import Flavor, SimulatedCloud
from tests.site import Site

START = datetime(2026, 10, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
RATES = Path(__file__).parents[2] / "docs" / "rates"
CARD = """
currency = "USD"
hours = "{hours}"

[[unit]]
name = "SU"
per = {{ vcpus = 1 }}

[[rate]]
unit = "SU"
price = "{price}"
from = 2026-01-01

[[outage]]
from = 2026-10-05T02:00:00+00:00
until = 2026-10-05T03:00:00+00:00
"""


class Billed:
    """A site beside a cloud whose script the tests have lived through, and the statements that it gives."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def made(self, *words: str, month: str = "2026-10") -> subprocess.CompletedProcess[str]:
        """What the command does for a month; its files lie in `out`."""
        return call(self.site, "report", "statement", "--month", month, "--output", str(self.out), *words)

    @property
    def out(self) -> Path:
        return self.site.folder / "out"

    def stated(self, *words: str) -> dict[str, Any]:
        """The one statement that is asked for, as JSON."""
        done = self.made("--json", *words)
        assert done.returncode == 0, done.stderr
        (found,) = json.loads(done.stdout)
        return dict(found)

    def card(self, price: str = "0.5", hours: str = "exact", *more: str) -> str:
        """A rate card by which a core costs so much for an hour."""
        file = self.site.folder / "card.toml"
        file.write_text("\n".join([CARD.format(hours=hours, price=price), *more]))
        return str(file)


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Billed]:
    """A day of four servers of three projects, one of which is a path, read at its end and in between."""
    cloud = SimulatedCloud(START)
    with Replay(cloud) as server:
        site = Site.beside(server, tmp_path_factory.mktemp("billed"))
        ids = {"web": cloud.boot("web", flavor=Flavor("cpu-su.3", 3, 14336, 20), seconds=0)}
        ids["db"] = cloud.boot("=db", project="../../etc", flavor="m1.large", seconds=0)
        cloud.boot("none", outcome="no valid host", seconds=0)
        cloud.boot("gpu", project="rendering", flavor=Flavor("gpu-su-a100sxm4.2", 64, 256000, 20), seconds=0)
        site.round(START + HOUR)
        cloud.at(START + 4 * HOUR)
        cloud.reboot(ids["web"], fails=True)
        cloud.at(START + 5 * HOUR)
        cloud.rename(ids["web"], "www")
        site.round(START + 6 * HOUR)
        cloud.at(START + 8 * HOUR)
        cloud.stop(ids["web"], seconds=0)
        cloud.at(START + 10 * HOUR)
        cloud.start(ids["web"], seconds=0)
        for name in ("web", "db"):
            cloud.at(START + 12.5 * HOUR)
            cloud.delete(ids[name], seconds=0)
        site.round(START + 24 * HOUR, sweep=True)
        yield Billed(site)


def rows(file: Path, schema: str) -> list[dict[str, str]]:
    """The rows of a CSV file, each as its schema has it."""
    with file.open(newline="") as lines:
        found = list(csv.DictReader(lines))
    for row in found:
        schemas.validator(schema).validate(row)
    return found


def folder(billed: Billed, project: str) -> Path:
    (found,) = (one for one in (billed.out / "sim").iterdir() if one.name.startswith(f"project-{project}-"))
    return found


def test_line_by_line(billed: Billed) -> None:
    """Stretches of one state, an outage and a stop between them, by the name of then; what failed is logged."""
    found = billed.stated("--project", "astro", "--rates", billed.card())
    lines = [
        (row["server"], row["state"], row["from"][11:19], row["to"][11:19], row["unit_hours"], row["cost"], row["note"])
        for row in found["lines"]
    ]
    assert lines == [
        ("web", "active", "00:00:00", "02:00:00", "6.00", "3.00", ""),
        ("web", "active", "02:00:00", "03:00:00", "", "", "outage"),
        ("www", "active", "03:00:00", "08:00:00", "15.00", "7.50", ""),
        ("www", "inactive", "08:00:00", "10:00:00", "", "", "not charged"),
        ("www", "active", "10:00:00", "12:30:00", "7.50", "3.75", ""),
    ]
    assert found["report"]["charges"]["total"] == "14.25"
    log = [(row["server"], row["action"]) for row in found["log"]]
    assert sorted(log[:2]) == [("none", "failed to create the server"), ("web", "created the server")]
    assert log[2:] == [
        ("web", "failed to reboot the server"),
        ("www", "stopped the server"),
        ("www", "started the server"),
        ("www", "deleted the server"),
    ]


def test_nercs_numbers(billed: Billed) -> None:
    """3 vCPUs and 14 GiB for 10 hours and a half are 33 unit hours, 0.43 USD, by the card of the configuration."""
    configuration = billed.site.folder / "xdmod-cloud.toml"
    before = configuration.read_text()
    configuration.write_text(f'{before}\n[reports]\nrates = ["nerc.toml"]\n')
    (billed.site.folder / "nerc.toml").write_text((RATES / "nerc-openstack.toml").read_text())
    try:
        found = billed.stated("--project", "astro")
        usage = call(billed.site, "report", "usage", "--month", "2026-10", "--output", str(billed.out), "--json")
    finally:
        configuration.write_text(before)
    charges = found["report"]["charges"]
    assert (charges["units"], charges["total"]) == ([["OpenStack CPU", "33.00"]], "0.43")
    (line,) = (row for row in found["lines"] if row["charged_hours"] not in ("0.00", "8.00"))
    assert (line["hours"], line["charged_hours"], line["unit_hours"]) == ("2.50", "3.00", "9.00")
    whole = json.loads(usage.stdout)[0]["report"]["charges"]
    assert [line for line in whole["lines"] if line["project"] == "astro"] == charges["lines"]
    assert {line["unit"] for line in whole["lines"]} == {"OpenStack CPU", "OpenStack GPUA100SXM4", None}
    assert [(one["finding"], one["servers"]) for one in whole["findings"]] == [("unknown GPU", 1)]


def test_each_project_has_its_files(billed: Billed) -> None:
    """Whatever a project is called they stay in a folder; formulas are guarded; hours are those of the usage report."""
    done = billed.made("--all", "--rates", billed.card())
    assert done.returncode == 0, done.stderr
    written = {Path(line.partition(": wrote ")[2]) for line in done.stdout.splitlines()}
    assert {file.relative_to(billed.out / "sim").parts[0].rpartition("-")[0] for file in written} == {
        "project-astro",
        "project-etc",
        "project-rendering",
    }
    usage = json.loads(
        call(billed.site, "report", "usage", "--month", "2026-10", "--output", str(billed.out), "--json").stdout
    )
    for group in usage[0]["report"]["projects"]:
        lines = rows(folder(billed, group["name"].strip("./")) / "statement-lines-2026-10.csv", "statement-lines-csv")
        assert seconds_of(lines) == {state: group["used"][state] for state in seconds_of(lines)}
        assert sum(seconds_of(lines).values()) == sum(
            group["used"][state] for state in ("active", "inactive", "shelved", "other")
        )
    lines = rows(folder(billed, "etc") / "statement-lines-2026-10.csv", "statement-lines-csv")
    assert {(row["project"], row["server"]) for row in lines} == {("../../etc", "'=db")}


def seconds_of(lines: list[dict[str, str]]) -> Counter[str]:
    """Seconds by state."""
    counted = Counter[str]()
    for row in lines:
        counted[row["state"]] += int(row["seconds"])
    return counted


@pytest.mark.parametrize("hours", ["exact", "ceil_per_instance", "ceil_total", "min_1h_per_session"])
def test_the_lines_cost_what_the_whole_does(billed: Billed, hours: str) -> None:
    """Whatever is rounded up is in a line: the unit hours of all lines are those of the charges."""
    found = billed.stated("--project", "astro", "--rates", billed.card("0.25", hours))
    charges, lines = found["report"]["charges"], found["lines"]
    assert sum(Decimal(row["unit_hours"] or 0) for row in lines) == Decimal(charges["units"][0][1])
    rounded = [row for row in lines if row["note"] == "rounded up to whole unit hours"]
    assert [(row["instance"], row["unit_hours"]) for row in rounded] == (
        [("", "0.50")] if hours == "ceil_total" else []
    )


def test_another_period(billed: Billed) -> None:
    """Days of a time zone: lines are cut at its midnight and told in it, and so is the log."""
    words = ("report", "statement", "--from", "2026-10-05", "--to", "2026-10-05", "--time-zone", "America/New_York")
    done = call(billed.site, *words, "--project", "astro", "--json", "--output", str(billed.out))
    (found,) = json.loads(done.stdout)
    first = found["lines"][0]
    assert (first["from"], first["to"]) == ("2026-10-05T00:00:00-04:00", "2026-10-05T04:00:00-04:00")
    assert first["unit_hours"] == first["currency"] == ""
    assert found["report"]["charges"] is None
    assert found["log"][0]["local_time"].startswith("2026-10-05T00:00:00-04:00")
    names = {Path(file).name for file in found["files"]}
    assert names == {
        f"statement{name}"
        for name in ("-2026-10-05_2026-10-05.pdf", "-lines-2026-10-05_2026-10-05.csv", "-log-2026-10-05_2026-10-05.csv")
    }


def test_files_of_charges_go_with_the_card(billed: Billed) -> None:
    """Without a card there is no file of charges, also none of before."""
    billed.stated("--project", "rendering", "--rates", billed.card())
    there = folder(billed, "rendering") / "statement-charges-2026-10.csv"
    (row,) = rows(there, "charges-csv")
    assert (row["project"], row["currency"]) == ("rendering", "USD")
    billed.stated("--project", "rendering")
    assert not there.exists()


def test_the_pdf(billed: Billed) -> None:
    """It names the project, every server with its times and cost, what failed, the card, and what was asked."""
    billed.stated("--project", "astro", "--rates", billed.card())
    text = subprocess.run(
        ["pdftotext", "-layout", str(folder(billed, "astro") / "statement-2026-10.pdf"), "-"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for said in (
        "Monthly statement 2026-10",
        "project astro",
        "Cost in USD",
        "14.25",
        "10-05 03:00:00",
        "outage",
        "failed to reboot the server",
        "Charged by the rate card card.toml",
        "CREATE OR REPLACE TABLE lines",
        "up to record",
    ):
        assert said in text
    assert "unknown" not in text.partition("How this was made")[0]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "Name whose statement it is"),
        (("--all", "--project", "astro"), 2, "Name whose statement it is"),
        (("--project", "astra"), 2, 'There is no project "astra". Near it: astro'),
        (("--pi", "Ann"), 2, 'There is no PI "Ann"'),
        (("--all", "--rates", "none.toml"), 2, "none.toml cannot be read"),
        (("other", "--all"), 2, 'has no [[openstack]] "other"'),
    ],
)
def test_wrong_questions(billed: Billed, words: tuple[str, ...], code: int, said: str) -> None:
    """They are refused in one line, and nothing is written."""
    output = billed.site.folder / "nothing"
    done = call(billed.site, "report", "statement", "--month", "2026-10", "--output", str(output), *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert not output.exists()


def test_charges_are_of_a_whole_report(billed: Billed) -> None:
    """Where there would be none, a rate card is refused rather than left out of account."""
    words = ("--rates", billed.card(), "--by", "project")
    done = call(billed.site, "report", "usage", "--month", "2026-10", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "leave out --rates" in done.stderr


OWNERSHIP = """
[[project]]
project = "science"
parent = "site"
title = "Science"

[[project]]
project = "coldfront/{key}"
parent = "science"

[[share]]
project = "science"
institution = "Harbor Institute"
share = "0.3"
from = 2026-10-08

[[share]]
project = "science"
institution = "unfunded"
share = "0.7"
from = 2026-10-08
"""


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Billed]:
    """A site that has read the demo's cloud once, at its end, and states shares of one of its projects."""
    folder = tmp_path_factory.mktemp("owned")
    recording = Recording.read(RECORDING)
    owners = Owners(clock=lambda: recording.now)
    with Replay(recording, mounts=owners.mounts) as server:
        owners.write_secret(folder / "keycloak.secret")
        site = Site.beside(server, folder)
        written = CONFIGURATION.format(url=server.url, realm=REALM, client=CLIENT)
        (folder / "xdmod-cloud.toml").write_text(f'{written}\n[hierarchy]\nownership = ["ownership.toml"]\n')
        server.at = recording.moments[-1]
        (folder / "ownership.toml").write_text("")
        for what in ("openstack", "hierarchy"):
            assert call(site, "collect", what).returncode == 0
        (shown,) = json.loads(call(site, "hierarchy", "show", "galaxy-formation", "--json").stdout)
        (folder / "ownership.toml").write_text(OWNERSHIP.format(key=shown["key"].partition("/")[2]))
        assert call(site, "collect", "hierarchy").returncode == 0
        yield Billed(site)


def test_a_project_with_what_lies_in_it(owned: Billed) -> None:
    """Lines bear the path of their project; institutions have their shares of the cost, and these add up to it."""
    found = owned.stated("--project", "science", "--rates", owned.card())
    report, lines = found["report"], found["lines"]
    assert {row["path"].partition(" › ")[0] for row in lines} == {"Science"}
    charges = report["charges"]
    shares = {part["institution"]: Decimal(part["cost"]) for part in charges["institutions"] if part["cost"]}
    assert set(shares) == {"Harbor Institute", "unfunded"}
    assert sum(shares.values()) == Decimal(charges["total"])
    assert {part["share"] for part in charges["parts"]} >= {"0.3", "0.7"}
    assert report["portions"]
    total = report["total"]
    assert seconds_of(lines) == Counter({state: total[state] for state in seconds_of(lines)})


def test_a_pi(owned: Billed) -> None:
    """The statement of a PI has the hours that the usage report of the PI has."""
    found = owned.stated("--pi", "amara okafor")
    words = ("report", "usage", "--month", "2026-10", "--pi", "Amara Okafor", "--output", str(owned.out), "--json")
    usage = json.loads(call(owned.site, *words).stdout)[0]["report"]
    assert found["report"]["total"] == usage["total"]
    assert seconds_of(found["lines"])["active"] == usage["total"]["active"] > 0
    assert found["log"]


def in_front(file: Path) -> str:
    """What a statement has before the lines of its servers."""
    text = subprocess.run(["pdftotext", "-layout", str(file), "-"], capture_output=True, text=True, check=True).stdout
    return text.partition("Servers, line by line")[0].rpartition("\nServers\n")[2]


def test_servers_are_named_with_their_project(owned: Billed) -> None:
    """Where a statement has several; where there is one, that need not be said at each."""

    def servers(*words: str) -> str:
        (file,) = (Path(name) for name in owned.stated(*words)["files"] if name.endswith(".pdf"))
        return in_front(file)

    one, several = servers("--project", "galaxy-formation"), servers("--pi", "Amara Okafor")
    assert "›" not in one
    assert one.count("\n") > 2
    assert ("›" in several) == (len({row["path"] for row in owned.stated("--pi", "Amara Okafor")["lines"]}) > 1)
