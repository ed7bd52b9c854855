"""The projects of a site as usage is counted for them: place, title, and who pays when."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from hierarchy import HierarchySettings
from hierarchy.known import known_projects
from hierarchy.owners import ALWAYS, Label, Owner, owners
from hierarchy.projects import DEFAULT, Projects
from ledger.ownership import ROOT, ProjectKey, Share, TreeProject
from tests.hierarchy.estate import STACK, Estate, at

YEAR = at("2025-01-01"), at("2026-01-01")
OWNERSHIP = """
[[organization]]
name = "University A"
aliases = ["UA"]

[[project]]
project = "biology"
parent = "site"
title = "Biology"

[[project]]
project = "coldfront/1"
parent = "biology"

[[share]]
project = "biology"
institution = "UA"
share = "0.6"
from = 2025-03-01

[[share]]
project = "biology"
institution = "unfunded"
share = "0.4"
from = 2025-03-01
"""


def test_owners_know_their_keys(estate: Estate) -> None:
    """An owner has the key of the project, and of what it is in the cloud."""
    estate.person("ann", "University A", "Biology", first="Ann")
    estate.project("1", "Genomics", "ann")
    estate.allocation("1", "1", STACK, "0c", cloud_project_name="genomics")
    estate.run(at("2025-01-02"))
    (owner,) = owners(estate.ledger, "stack", YEAR)
    assert (owner.key, owner.cloud_project) == ("coldfront/1", "stack/0c")


def test_what_the_ledger_knows(estate: Estate, tmp_path: Path) -> None:
    """Titles, the tree and the shares of the site's files, which call institutions as they please."""
    (tmp_path / "ownership.toml").write_text(OWNERSHIP)
    estate.settings = HierarchySettings(ownership=(tmp_path / "ownership.toml",))
    estate.person("ann", "University B", "Biology", first="Ann")
    estate.project("1", "Genomics", "ann")
    estate.allocation("1", "1", STACK, "0c", cloud_project_name="genomics")
    estate.run(at("2025-01-02"))
    projects = known_projects(estate.ledger)
    (owner,) = owners(estate.ledger, "stack", YEAR)
    before, after = projects.pieces(owner)
    assert projects.label(after.path) == "Biology › Genomics"
    assert (before.parts, before.stated) == ((("University B", Decimal(1)),), False)
    assert (after.parts, after.stated) == ((("University A", Decimal("0.6")), ("unfunded", Decimal("0.4"))), True)
    assert (before.until, after.since, after.until) == (*[datetime(2025, 3, 1, tzinfo=UTC)] * 2, ALWAYS[1])
    assert projects.called("genomics") == projects.called("coldfront/1") == ["coldfront/1"]
    assert {"University A", "University B", "unfunded"} <= projects.institutions


def test_what_nobody_owns() -> None:
    """It is in the project default below the root; shares of the whole site are its shares, too."""
    (piece,) = Projects().pieces(None)
    assert piece == (*ALWAYS, (ROOT, DEFAULT), (("unknown", Decimal(1)),), False)
    (piece,) = Projects([Share(ROOT, "University A", "1", ALWAYS[0])]).pieces(None)
    assert (piece.parts, piece.stated) == ((("University A", Decimal(1)),), True)


@pytest.mark.parametrize("inside", [True, False])
def test_a_project_that_lies_in_what_it_has_in_a_cloud(inside: bool) -> None:
    """No circle comes of it: the file's word stands."""
    key, cloud = ProjectKey("coldfront/1"), ProjectKey("stack/0c")
    owner = Owner(Label("genomics"), *ALWAYS, "University A", "Ann", "ann", key, cloud)
    (piece,) = Projects([TreeProject(key, cloud)] if inside else []).pieces(owner)
    assert piece.path == ((ROOT, cloud, key) if inside else (ROOT, key))
