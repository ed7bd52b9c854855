"""A month's report, by the shares of a site's own file, as the command gives it."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.__main__ import CONFIGURATION, RECORDING
from demo.owners import CLIENT, REALM, Owners
from demo.replay import Recording, Replay
from tests.cli.here import call
from tests.site import Site

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
institution = "harbor institute"
share = "0.3"
from = 2026-10-08

[[share]]
project = "science"
institution = "unfunded"
share = "0.7"
from = 2026-10-08
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that has read the demo's cloud once, at its end, and states shares of one of its projects."""
    folder = tmp_path_factory.mktemp("shares")
    recording = Recording.read(RECORDING)
    owners = Owners(clock=lambda: recording.now)
    with Replay(recording, mounts=owners.mounts) as server:
        owners.write_secret(folder / "keycloak.secret")
        site = Site.beside(server, folder)
        written = CONFIGURATION.format(url=server.url, realm=REALM, client=CLIENT)
        (folder / "xdmod-cloud.toml").write_text(f'{written}\n[hierarchy]\nownership = ["ownership.toml"]\n')
        server.at = recording.moments[-1]
        (folder / "ownership.toml").write_text("")
        assert call(site, "collect", "openstack").returncode == 0
        assert call(site, "collect", "hierarchy").returncode == 0
        (shown,) = json.loads(call(site, "hierarchy", "show", "galaxy-formation", "--json").stdout)
        (folder / "ownership.toml").write_text(OWNERSHIP.format(key=shown["key"].partition("/")[2]))
        collected = call(site, "collect", "hierarchy")
        assert collected.returncode == 0, collected.stderr
        yield site


def sums(file: Path, *, by: str) -> Counter[str]:
    """Active seconds in a CSV file."""
    counted = Counter[str]()
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            counted[row[by]] += int(row["active_seconds"])
    return counted


def test_files_add_up(site: Site) -> None:
    """The file of shares has as much as the file of usage, and the institutions that share a project."""
    done = call(site, "report", "usage", "--month", "2026-10", "--output", str(site.folder / "reports"))
    assert done.returncode == 0, done.stderr
    folder = site.folder / "reports" / "demo-cloud"
    shares, usage = sums(folder / "shares-2026-10.csv", by="institution"), folder / "usage-2026-10.csv"
    assert sum(shares.values()) == sum(sums(usage, by="project").values())
    assert {"Harbor Institute", "unfunded"} <= shares.keys()
    assert "│ Science › " in done.stdout


def test_restricted(site: Site) -> None:
    """What is restricted to one project goes into another folder, and says what it is; the full report stays."""
    words = ("report", "usage", "--month", "2026-10", "--output", str(site.folder / "reports"), "--json")
    full = json.loads(call(site, *words).stdout)[0]
    part = json.loads(call(site, *words, "--project", "science", "--institution", "unfunded").stdout)[0]
    assert part["report"]["only"] == {"institution": "unfunded", "pi": None, "project": "science", "user": None}
    assert not set(part["files"]) & set(full["files"])
    assert {group["name"] for group in part["report"]["projects"]} == {"galaxy-formation"}
    (unfunded,) = (one for one in full["report"]["institutions"] if one["name"] == "unfunded")
    assert part["report"]["total"] == unfunded["used"]


def test_no_such_user(site: Site) -> None:
    """The message names one that is meant, perhaps, and nothing is written."""
    done = call(site, "report", "usage", "--month", "2026-10", "--output", str(site.folder / "none"), "--user", "amar")
    assert done.returncode == 2
    assert 'There is no user "amar". Near it: amara' in done.stderr
    assert not (site.folder / "none").exists()
