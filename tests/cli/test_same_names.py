"""Two projects of one name, in two domains, are two in every report; and what is asked for in other ways."""

import csv
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.replay import Replay
from tests.cli.here import call
from tests.simulation import SimulatedCloud
from tests.site import Site

START = datetime(2026, 10, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
CARD = """
currency = "USD"
hours = "ceil_total"
{resources}

[[unit]]
name = "SU"
per = {{ vcpus = 1 }}

[[rate]]
unit = "SU"
price = "1"
from = 2026-01-01
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A cloud in which servers of `lab` in two domains, and of `astro`, ran for an hour and a half each."""
    cloud = SimulatedCloud(START)
    with Replay(cloud) as server:
        site = Site.beside(server, tmp_path_factory.mktemp("names"))
        ids = [
            cloud.boot("first", project="lab", domain="one", user="Chen", seconds=0),
            cloud.boot("second", project="laboratory", domain="two", seconds=0),
            cloud.boot("third", project="astro", domain="one", seconds=0),
        ]
        cloud.rename_project("laboratory", "lab")
        cloud.at(START + 1.5 * HOUR)
        for id in ids:
            cloud.delete(id, seconds=0)
        site.round(START + 3 * HOUR, sweep=True)
        cloud.at(START + 40 * 24 * HOUR)
        cloud.boot("later", project="astro", domain="one", user="Noor", seconds=0)
        site.round(START + 41 * 24 * HOUR, sweep=True)
        yield site


def made(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    return call(site, "report", *words, "--month", "2026-10", "--output", str(site.folder / "out"))


def card(site: Site, resources: str = "") -> str:
    """A rate card by which a core costs one for an hour."""
    file = site.folder / "card.toml"
    file.write_text(CARD.format(resources=resources))
    return str(file)


def told(site: Site, *words: str) -> Any:
    done = made(site, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def costs(report: dict[str, Any]) -> dict[str, str]:
    return {line["project"]: line["cost"] for line in report["charges"]["lines"]}


def test_usage_has_both(site: Site) -> None:
    """Each has its hours and its own rounding; a name that is in one domain alone stands as it is."""
    (found,) = told(site, "usage", "--rates", card(site))
    report = found["report"]
    assert {one["name"]: one["used"]["servers"] for one in report["projects"]} == {
        "lab (one)": 1, "lab (two)": 1, "astro": 1,
    }  # fmt: skip
    assert {one["project"] for one in report["daily"]} == {"lab (one)", "lab (two)", "astro"}
    each = costs(report)
    assert each.keys() == {"lab (one)", "lab (two)", "astro"}
    assert each["lab (one)"] == each["lab (two)"] == each["astro"]
    (part,) = told(site, "usage", "--rates", card(site), "--project", "lab@two")
    assert [one["name"] for one in part["report"]["projects"]] == ["lab (two)"]
    assert costs(part["report"]) == {"lab (two)": each["lab (two)"]}
    assert told(site, "usage", "--project", "Lab (Two)")[0]["report"]["total"] == part["report"]["total"]
    assert told(site, "usage", "--project", "astro@one")[0]["report"]["total"]["servers"] == 1


def test_each_has_its_statement(site: Site) -> None:
    """With its own servers, log and cost, under its own name; one that is asked for says the same."""
    found = {one["subject"]: one for one in told(site, "statement", "--all", "--rates", card(site))}
    assert list(found) == ["project astro", "project lab (one)", "project lab (two)"]
    for domain, server in (("one", "first"), ("two", "second")):
        of_all = found[f"project lab ({domain})"]
        (asked,) = told(site, "statement", "--project", f"lab@{domain}", "--rates", card(site))
        for one in (of_all, asked):
            assert {line["server"] for line in one["lines"]} == {server, ""}
            assert {line["server"] for line in one["log"]} == {server}
            assert costs(one["report"]).keys() == {f"lab ({domain})"}
            assert [group["name"] for group in one["report"]["projects"]] == [f"lab ({domain})"]
        assert asked["report"]["charges"] == of_all["report"]["charges"]
        assert asked["report"]["total"] == of_all["report"]["total"]


@pytest.mark.parametrize("what", ["usage", "statement"])
def test_which_of_them_has_to_be_said(site: Site, what: str) -> None:
    """The error lists what to write."""
    done = made(site, what, "--project", "lab")
    assert done.returncode == 2
    assert 'called "lab". Name one as: lab@one; lab@two.' in done.stderr


@pytest.mark.parametrize("what", [("usage",), ("statement", "--all")])
def test_a_card_that_is_for_no_cloud(site: Site, what: tuple[str, ...]) -> None:
    """It is refused where it was named, rather than left out of account; so is one that cannot be read."""
    done = made(site, *what, "--rates", card(site, 'resources = ["elsewhere"]'))
    assert (done.returncode, done.stdout) == (2, "")
    assert "xdmod-cloud: No rate card is for sim" in done.stderr
    done = made(site, *what, "--rates", "none.toml")
    assert done.stderr.startswith("xdmod-cloud: none.toml cannot be read")


def test_a_user_without_usage(site: Site) -> None:
    """Who was ever seen has an empty report; who never was, has none."""
    done = made(site, "usage", "--user", "noor")
    assert done.returncode == 0, done.stderr
    assert "No session of user noor in 2026-10." in done.stdout
    assert 'There is no user "nooria". Near it: Noor.' in made(site, "usage", "--user", "nooria").stderr


def test_letters_of_either_case(site: Site) -> None:
    """A user is found by them in every report; what belongs to nobody is that of the institution `unknown`."""
    used = told(site, "usage", "--user", "CHEN")[0]["report"]["total"]
    words = ("--month", "2026-10", "--user", "CHEN")
    rows = list(csv.DictReader(call(site, "report", "sessions", *words).stdout.splitlines()))
    assert {row["user"] for row in rows} == {"Chen"}
    assert len(rows) == used["sessions"] > 0
    assert "first" in call(site, "report", "log", *words).stdout
    unknown = call(site, "report", "sessions", "--month", "2026-10", "--institution", "Unknown")
    assert {row["project"] for row in csv.DictReader(unknown.stdout.splitlines())} == {"lab", "astro"}


def test_a_project_called_as_another_is_shown(tmp_path: Path) -> None:
    """The three are three lines, three statements in three folders, each with its own server."""
    cloud = SimulatedCloud(START)
    servers = {"first": ("lab", "one"), "second": ("laboratory", "two"), "third": ("lab (one)", "three")}
    with Replay(cloud) as server:
        odd = Site.beside(server, tmp_path / "odd")
        for name, (project, domain) in servers.items():
            cloud.boot(name, project=project, domain=domain, seconds=0)
        cloud.rename_project("laboratory", "lab")
        odd.round(START + 3 * HOUR, sweep=True)
        (usage,) = told(odd, "usage", "--rates", card(odd))
        shown = {"lab@one": "first", "lab (two)": "second", "lab (one)": "third"}
        assert {one["name"]: one["used"]["servers"] for one in usage["report"]["projects"]} == dict.fromkeys(shown, 1)
        assert costs(usage["report"]).keys() == shown.keys()
        found = told(odd, "statement", "--all", "--rates", card(odd))
        assert len({Path(file).parent for one in found for file in one["files"]}) == 3
        for one in found:
            name = one["subject"].removeprefix("project ")
            assert {line["server"] for line in one["lines"]} == {shown[name]}
            (asked,) = told(odd, "statement", "--project", name, "--rates", card(odd))
            assert asked["report"]["total"] == one["report"]["total"]
            assert {line["server"] for line in asked["lines"]} == {shown[name]}


def texts(file: Path) -> str:
    return subprocess.run(["pdftotext", "-layout", str(file), "-"], capture_output=True, text=True, check=True).stdout


def test_pdfs_say_all(site: Site) -> None:
    """The first page has the cost, and the last one what was asked, with nothing left open."""
    (usage,) = told(site, "usage", "--rates", card(site))
    (statement,) = told(site, "statement", "--project", "lab@one", "--rates", card(site))
    for found in (usage, statement):
        text = texts(next(Path(file) for file in found["files"] if file.endswith(".pdf")))
        assert "Cost in USD" in text.partition("\f")[0]
        asked = text.partition("How this was made")[2]
        assert "$" not in asked
        assert "FROM scope" not in asked
    assert "IS NOT DISTINCT FROM 'lab'" in asked
