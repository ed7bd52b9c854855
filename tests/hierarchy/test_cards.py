"""A project is shown with all that was known at a moment of whom it belongs to."""

from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from hierarchy import HierarchySettings
from hierarchy.cards import Member, cards
from ledger.ownership import CloudProject, Membership, ProjectKey
from tests.hierarchy.estate import OCP, STACK, Estate, at

OWNERSHIP = """
[[project]]
project = "biology"
parent = "site"
title = "Biology"

[[project]]
project = "coldfront/1"
parent = "biology"

[[share]]
project = "biology"
institution = "University A"
share = "0.6"
from = 2025-01-01

[[share]]
project = "biology"
institution = "unfunded"
share = "0.4"
from = 2025-01-01
"""


def genomics(estate: Estate, folder: Path) -> Estate:
    """One project with all that can be known of it."""
    (folder / "ownership.toml").write_text(OWNERSHIP)
    estate.settings = HierarchySettings(ownership=(folder / "ownership.toml",))
    estate.person("ann", "University A", "Biology", first="Ann", last="Lee")
    estate.project("1", "Genomics", "ann")
    estate.allocation("1", "1", OCP, "genomics-4f")
    estate.allocation("2", "1", STACK, "0c", cloud_project_name="genomics")
    estate.keystone["0c"] = CloudProject("stack", "0c", "genomics", "default")
    estate.members = [Membership(ProjectKey("stack/0c"), "u1", "member", "bob")]
    return estate


def test_everything_that_is_known(estate: Estate, tmp_path: Path) -> None:
    """Its place in the tree, its PI, what it has in clouds, who pays by inheritance, and who has a role."""
    genomics(estate, tmp_path).run(at("2025-01-02"))
    (card,) = cards(estate.ledger, "coldfront/1", at("2025-01-03"))
    assert card.path == ["site", "Biology", "coldfront/1"]
    assert (card.pi, card.institution, card.field) == ("Ann Lee", "University A", "University A - Biology")
    assert card.cloud_projects == ["stack/0c genomics", "ocp-prod/genomics-4f genomics-4f"]
    assert [(one.institution, one.share, one.stated_for) for one in card.paid] == [
        ("University A", "0.6", "biology"),
        ("unfunded", "0.4", "biology"),
    ]
    assert card.members == [Member("bob", "member", "stack/0c")]


def test_found_by_each_of_its_names(estate: Estate, tmp_path: Path) -> None:
    """Whoever has only the name in a cloud, or the title in another case, finds the same project."""
    genomics(estate, tmp_path).run(at("2025-01-02"))
    for name in ("coldfront/1", "GENOMICS", "genomics-4f", "stack/0c"):
        assert [card.key for card in cards(estate.ledger, name, at("2025-01-03"))] == ["coldfront/1"]
    assert cards(estate.ledger, "nobody's", at("2025-01-03")) == []


def test_as_it_was(estate: Estate, tmp_path: Path) -> None:
    """Members who left and a PI who has moved since are shown as they were at the moment asked for."""
    genomics(estate, tmp_path).run(at("2025-01-02"))
    estate.members = []
    estate.people["ann"] = replace(estate.people["ann"], institutions=("University B",))
    estate.run(at("2025-02-01"))
    (before,), (after,) = (cards(estate.ledger, "coldfront/1", at(day)) for day in ("2025-01-31", "2025-02-01"))
    assert (before.institution, len(before.members)) == ("University A", 1)
    assert (after.institution, len(after.members)) == ("University B", 0)
    assert cards(estate.ledger, "coldfront/1", datetime(2024, 1, 1, tzinfo=UTC)) == []
