"""Which project of a cloud is whose, and what an institution is called."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from hierarchy import HierarchySettings
from hierarchy.keep import Kept
from ledger import DataError, Kind, Mode, Named
from ledger.ownership import CloudProject, PersonId
from tests.hierarchy.estate import OCP, STACK, Estate, at

DAYS = [at(f"2025-01-{day:02}") for day in range(1, 29)]
Tree = dict[str, str | None]


@pytest.fixture
def two(quick: Estate) -> Estate:
    """Two projects of two PIs, which have nothing in a cloud yet."""
    for id in "ab":
        quick.person(f"pi-{id}", f"University {id.upper()}", "physics", first=f"Pi {id.upper()}")
        quick.project("1" if id == "a" else "2", f"Project of {id.upper()}", f"pi-{id}")
    return quick


def keystone(estate: Estate, tree: Tree) -> None:
    """Let Keystone tell of these projects, each below the one given."""
    estate.keystone = {id: CloudProject("stack", id, id.title(), "default", parent=up) for id, up in tree.items()}


def owned(estate: Estate) -> dict[str, str]:
    """The owner of each cloud project in force, by name."""
    present = estate.present()
    names = {item[0]: name.removeprefix("project coldfront/") for name, item in present.items()}
    return {
        name.removeprefix("cloud-project "): names[item[3] or 0]
        for name, item in present.items()
        if name.startswith("cloud-project ") and item[1] == "Active"
    }


# Two that claim one


def test_what_two_projects_claim_stays_whose_it_was(two: Estate) -> None:
    """A second allocation of the same cloud project, made by mistake, takes nothing away, and both are named."""
    two.allocation("9", "2", STACK, "same")
    assert two.run(DAYS[0]).warnings == []
    two.allocation("1", "1", STACK, "same")
    kept = two.run(DAYS[1])
    assert owned(two) == {"stack/same": "2"}
    assert kept.warnings == [
        "stack/same is allocated to coldfront/2 and to coldfront/1: it is counted for coldfront/2. Correct the"
        " allocations in ColdFront."
    ]
    assert two.run(DAYS[2]).counts["changed"] == 0
    two.close("9")
    assert two.run(DAYS[3]).warnings == []
    assert owned(two) == {"stack/same": "1"}


def test_of_two_new_claims_the_first_allocation_counts(two: Estate) -> None:
    """By ColdFront's numbers, and not by the order of its answer or the letters of the numbers."""
    two.allocation("10", "1", STACK, "same")
    two.allocation("9", "2", STACK, "same")
    two.run(DAYS[0])
    assert owned(two) == {"stack/same": "2"}
    two.allocations = dict(reversed(two.allocations.items()))
    assert two.run(DAYS[1]).counts["changed"] == 0


def test_two_allocations_of_one_project_are_no_conflict(two: Estate) -> None:
    """As after a renewal that made a second one."""
    two.allocation("1", "1", STACK, "same", status="Expired")
    two.allocation("2", "1", STACK, "same")
    two.allocation("3", "1", STACK, "same")
    assert two.run(DAYS[0]).warnings == []
    assert owned(two) == {"stack/same": "1"}


# Nested projects of a Keystone


TREE: Tree = {"top": None, "mid": "top", "low": "mid", "free": None, "lost": "nowhere"}


def test_nested_projects_belong_to_the_nearest_owner_above(two: Estate) -> None:
    """However deep they lie; what lies below nobody belongs to nobody, and is counted."""
    keystone(two, TREE)
    two.allocation("1", "1", STACK, "top")
    kept = two.run(DAYS[0])
    assert owned(two) == {"stack/top": "1", "stack/mid": "1", "stack/low": "1"}
    assert (kept.counts["cloud projects"], kept.counts["of nobody"]) == (3, 2)
    two.allocation("2", "2", STACK, "mid")
    two.run(DAYS[1])
    assert owned(two) == {"stack/top": "1", "stack/mid": "2", "stack/low": "2"}


def test_a_nested_project_that_moves(two: Estate) -> None:
    """Goes to the owner of where it lies now, under its id, and to nobody when it leaves the tree."""
    keystone(two, TREE)
    two.allocation("1", "1", STACK, "top")
    two.allocation("2", "2", STACK, "free")
    two.run(DAYS[0])
    before = two.present()["cloud-project stack/low"]
    keystone(two, {**TREE, "low": "free"})
    assert two.run(DAYS[1]).counts["changed"] == 1
    assert (owned(two)["stack/low"], two.present()["cloud-project stack/low"][0]) == ("2", before[0])
    keystone(two, {**TREE, "low": None})
    two.run(DAYS[2])
    assert "stack/low" not in owned(two)
    keystone(two, TREE)
    two.run(DAYS[3])
    assert two.present()["cloud-project stack/low"] == before


@pytest.mark.parametrize("circle", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "b"}])
def test_a_circle_in_keystone(two: Estate, circle: Tree) -> None:
    """Is nobody's, ends nothing, and is somebody's as soon as one of it is."""
    keystone(two, {**circle, "top": None})
    two.allocation("1", "1", STACK, "top")
    assert two.run(DAYS[0]).counts["of nobody"] == len(circle)
    two.allocation("2", "2", STACK, "b" if "b" in circle else "a")
    two.run(DAYS[1])
    assert owned(two) == {"stack/top": "1", **{f"stack/{id}": "2" for id in circle}}


#: What the collection of servers knows projects by.
COLLECTED = {"seen": "Seen by Nova", "top": "An older name", "nameless": ""}


def test_the_name_comes_from_usage_else_coldfront_else_keystone_else_the_id(two: Estate) -> None:
    """Usage bears the name that the cloud was seen to have first; before any, the allocated one counts."""
    for id, name in {
        "top": "Allocated",
        "mid": None,
        "seen": "Allocated",
        "unseen": "Allocated",
        "nameless": " ",
    }.items():
        two.allocation(id, "1", STACK, id, cloud_project_name=name)
    keystone(two, TREE)
    with two.ledger.writer("stack") as writer:
        named = [Named(Kind.PROJECT, id, name) for id, name in COLLECTED.items()]
        writer.finish(writer.begin(Mode.SWEEP, None), DAYS[0], DAYS[0], named)
    two.run(DAYS[0])
    shown = {name: item[2] for name, item in two.present().items() if name.startswith("cloud-project")}
    assert shown == {
        "cloud-project stack/top": "An older name",
        "cloud-project stack/mid": "Mid",
        "cloud-project stack/low": "Low",
        "cloud-project stack/seen": "Seen by Nova",
        "cloud-project stack/unseen": "Allocated",
        "cloud-project stack/nameless": "nameless",
    }


# What is in force


def test_an_archived_project_is_over(two: Estate) -> None:
    """Although its allocation is still active."""
    two.allocation("1", "1", OCP, "a")
    two.allocation("2", "2", OCP, "b")
    two.run(DAYS[0])
    two.project("2", "Project of B", "pi-b", status="Archived")
    two.run(DAYS[1])
    assert owned(two) == {"ocp-prod/a": "1"}
    assert two.present()["project coldfront/2"][1] == "Inactive"
    two.project("2", "Project of B", "pi-b", status="New")
    two.run(DAYS[2])
    assert owned(two) == {"ocp-prod/a": "1", "ocp-prod/b": "2"}


def test_a_project_is_in_force_as_long_as_one_allocation_is(two: Estate) -> None:
    """What another one was for ends alone."""
    two.allocation("1", "1", OCP, "a")
    two.allocation("2", "1", STACK, "b")
    two.run(DAYS[0])
    two.close("2")
    two.run(DAYS[1])
    assert (owned(two), two.present()["project coldfront/1"][1]) == ({"ocp-prod/a": "1"}, "Active")


def test_a_resource_that_is_not_configured(two: Estate) -> None:
    """A slip in its name is told with the name, as long as an allocation in force is of it."""
    two.clouds = (STACK,)
    two.allocation("1", "1", STACK, "a")
    two.allocation("2", "2", OCP, "b")
    two.allocation("3", "2", OCP, "c")
    [warning] = two.run(DAYS[0]).warnings
    assert "2 allocations" in warning
    assert 'coldfront_resource = "NERC-OCP"' in warning
    assert owned(two) == {"stack/a": "1"}
    assert "project coldfront/2" not in two.present()
    two.close("2")
    two.close("3", "Denied")
    assert two.run(DAYS[1]).warnings == []


def test_an_allocation_whose_project_is_not_told(two: Estate) -> None:
    """Has no owner, and harms nobody else."""
    two.allocation("1", "1", OCP, "a")
    two.allocation("2", "77", OCP, "b")
    two.run(DAYS[0])
    assert owned(two) == {"ocp-prod/a": "1"}


# Institutions and fields


def files(estate: Estate, folder: Path, text: str) -> None:
    """Give the site a file of its own."""
    file = folder / "ownership.toml"
    file.write_text(text)
    estate.settings = HierarchySettings(ownership=(file,))


def institution(estate: Estate, of: str = "1") -> str:
    """What the institution of a project is called."""
    by_id = {item[0]: item for item in estate.present().values()}
    item = estate.present()[f"project coldfront/{of}"]
    while item[3] is not None:
        item = by_id[item[3]]
    return item[2]


def bound(estate: Estate) -> Estate:
    """Give both projects a namespace."""
    estate.allocation("1", "1", OCP, "a")
    estate.allocation("2", "2", OCP, "b")
    return estate


SEVERAL = ("Spin-off Inc.", "UNIVERSITY C", "University D")


def moved(estate: Estate, *institutions: str) -> None:
    estate.person("pi-a", None, "physics", first="Pi A", institutions=institutions)


def test_of_several_institutions_the_first_counts(two: Estate) -> None:
    """And it is said which."""
    moved(bound(two), *SEVERAL)
    kept = two.run(DAYS[0])
    assert institution(two) == "Spin-off Inc."
    assert kept.warnings == [
        "Of several institutions or fields of one person the first counts: pi-a@example.org (Spin-off Inc.,"
        " UNIVERSITY C, University D)."
    ]
    moved(two, "University  D", "university d")
    assert two.run(DAYS[1]).warnings == []


def test_of_several_institutions_the_first_that_the_site_lists_counts(two: Estate, tmp_path: Path) -> None:
    """By any of its names."""
    files(bound(two), tmp_path, '[[organization]]\nname = "C State"\naliases = ["university c"]\n')
    moved(two, *SEVERAL)
    kept = two.run(DAYS[0])
    assert institution(two) == "C State"
    assert kept.warnings[0].endswith("pi-a@example.org (C State, Spin-off Inc., University D).")


def test_an_alias_joins_two_institutions(two: Estate, tmp_path: Path) -> None:
    """Two names become one institution with one id, from the run on that knows the alias."""
    bound(two).run(DAYS[0])
    assert (institution(two), institution(two, "2")) == ("University A", "University B")
    files(two, tmp_path, '[[organization]]\nname = "University A"\naliases = ["UNIVERSITY  b", "uni-b.example"]\n')
    two.run(DAYS[1])
    assert (institution(two), institution(two, "2")) == ("University A", "University A")
    present = two.present()
    assert present["institution university b"][1] == "Inactive"
    assert present["field-of-science 3/physics"][1] == "Active"
    assert two.run(DAYS[2]).counts["changed"] == 0


def run_with(estate: Estate, moment: int, *spelt: str) -> Kept:
    """Let as many people as there are spellings be of one institution."""
    for number, name in enumerate(spelt):
        estate.person(f"p{number}", name, "Physics" if number % 2 else "physics")
        estate.project(f"1{number}", "Project", f"p{number}")
        estate.allocation(f"1{number}", f"1{number}", OCP, f"n-{number}")
    return estate.run(DAYS[moment])


def test_ways_of_writing_are_one_institution(quick: Estate) -> None:
    """The most frequent is shown, and stays as long as anybody uses it, so that reports do not flicker."""
    run_with(
        quick,
        0,
        "University of X",
        "UNIVERSITY OF X",
        " University  of X ",
        "university of x",
        "ＵＮＩＶＥＲＳＩＴＹ of X",
    )
    assert [name for name in quick.present() if name.startswith("institution")] == [
        "institution unknown",
        "institution university of x",
    ]
    assert (institution(quick, "10"), institution(quick, "13")) == ("University of X", "University of X")
    run_with(quick, 1, "University of X", *["UNIVERSITY OF X"] * 4)
    assert institution(quick, "10") == "University of X"
    run_with(quick, 2, *["UNIVERSITY OF X"] * 5)
    assert institution(quick, "10") == "UNIVERSITY OF X"
    assert len([row for row in quick.history() if row[2] == "institution"]) == 3


def test_ways_of_writing_a_field_are_one_field(quick: Estate) -> None:
    """Written alike below every institution, and another one below each."""
    run_with(quick, 0, "X", "X", "Y", "x", "x")
    fields = [item[2] for name, item in quick.present().items() if name.startswith("field-of-science")]
    assert fields == ["unknown", "X - physics", "Y - physics"]


def test_the_field_is_the_project_s_else_the_pi_s(two: Estate) -> None:
    """A PI with projects in two fields is counted in both, and stays one person in each."""
    bound(two).project("3", "Another", "pi-a", field="Chemistry")
    two.allocation("3", "3", OCP, "c")
    two.project("1", "Project of A", "pi-a", field=" ")
    two.run(DAYS[0])
    present = two.present()
    chemist, physicist = present["pi pi-a/chemistry"], present["pi pi-a/physics"]
    assert (chemist[2], physicist[2]) == ("Pi A", "Pi A")
    assert (present["project coldfront/3"][3], present["project coldfront/1"][3]) == (chemist[0], physicist[0])
    two.close("3")
    two.run(DAYS[1])
    assert (two.present()["pi pi-a/chemistry"][1], two.present()["pi pi-a/physics"][1]) == ("Inactive", "Active")


# Who is meant


def test_two_people_of_one_address(two: Estate) -> None:
    """It cannot be known whom to charge, so nothing is recorded, and both are named."""
    two.person("twin", "University C", "physics", email="PI-A@example.org")
    bound(two)
    with pytest.raises(DataError, match=r'coldfront/1 "Project of A".*two people in Keycloak: pi-a .* and twin'):
        two.run(DAYS[0])
    assert two.history() == []
    two.close("1")
    two.run(DAYS[1])
    assert owned(two) == {"ocp-prod/b": "2"}


def test_a_pi_who_left(two: Estate) -> None:
    """Stays the PI under the last known institution, until somebody else has the address."""
    bound(two).run(DAYS[0])
    before = two.present()
    pi = two.people.pop("pi-a")
    two.run(DAYS[1])
    assert two.present() == before
    two.person("heir", "University C", "physics", username="heir", email=pi.email, first="Heir")
    two.run(DAYS[2])
    assert (institution(two), two.present()["pi heir/physics"][2]) == ("University C", "Heir")


def test_a_pi_who_appears_in_keycloak_later(two: Estate) -> None:
    """Was known by address until then, and is a person from then on."""
    bound(two).project("1", "Project of A", "Late@Example.org")
    two.run(DAYS[0])
    assert (two.present()["pi late@example.org/unknown"][2], institution(two)) == ("Late@Example.org", "unknown")
    two.person("late", "University C", "physics", email="late@example.org", first="Late")
    two.run(DAYS[1])
    assert (institution(two), two.present()["pi late@example.org/unknown"][1]) == ("University C", "Inactive")


def test_usage_gives_the_name(two: Estate) -> None:
    """Where usage was seen, the name that it bore first is the key: XDMoD keeps that, whatever follows."""
    two.allocation("1", "1", STACK, "top", cloud_project_name="Allocated")
    for name in ("as-seen", "renamed"):
        with two.ledger.writer("stack") as writer:
            run = writer.begin(Mode.SWEEP, None)
            writer.finish(run, DAYS[0], DAYS[0], [Named(Kind.PROJECT, "top", name)])
    two.run(DAYS[0])
    assert two.present()["cloud-project stack/top"][2] == "as-seen"


def test_a_pi_who_was_made_anew_and_left(two: Estate) -> None:
    """Whoever was the PI last stays it, whatever the ids."""
    bound(two)
    old = two.people.pop("pi-a")
    two.people["zz"] = replace(old, id=PersonId("zz"), institutions=("Old",))
    two.run(DAYS[0])
    two.people.pop("zz")
    two.people["aa"] = replace(old, id=PersonId("aa"), institutions=("New",))
    two.run(DAYS[1])
    two.people.pop("aa")
    two.run(DAYS[2])
    assert institution(two) == "New"


def test_a_disabled_twin(two: Estate) -> None:
    """An account that may not log in any more is not mistaken for the PI, and stops nothing."""
    bound(two)
    two.person("twin", "University C", "physics", email="pi-a@example.org", enabled=False)
    two.run(DAYS[0])
    assert institution(two) == "University A"
