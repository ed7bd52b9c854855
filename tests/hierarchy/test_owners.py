"""Usage is counted for whoever owned a project at the time, whatever it was called."""

from datetime import datetime

from hierarchy.owners import ALWAYS, Label, Owner, owners
from tests.hierarchy.estate import OCP, STACK, Estate, at

YEAR = at("2025-01-01"), at("2026-01-01")


def told(found: list[Owner]) -> list[tuple[Label, datetime, datetime, str]]:
    """What matters of owners: which label, from when to when, whose."""
    return [(one.label, one.since, one.until, one.pi) for one in found]


def two_projects(estate: Estate) -> Estate:
    """Two PIs with a project each, and what it is in the cloud."""
    for id, project, name in (("ann", "1", "survey"), ("bob", "2", "survey")):
        estate.person(id, "University A", "Physics", first=id.title())
        estate.project(project, f"Project of {id}", id)
        estate.allocation(project, project, STACK, f"id-{project}", cloud_project_name=name)
    return estate


def test_one_name_in_two_domains(estate: Estate) -> None:
    """Two projects of one name are kept apart by the domains that they are in."""
    two_projects(estate).run(at("2025-02-01"))
    labels = {"id-1": [Label("survey", "north")], "id-2": [Label("survey", "south")]}
    assert told(owners(estate.ledger, "stack", YEAR, labels)) == [
        (Label("survey", "north"), *ALWAYS, "Ann"),
        (Label("survey", "south"), *ALWAYS, "Bob"),
    ]


def test_a_name_that_was_never_allocated(estate: Estate) -> None:
    """What a project was called in the cloud before or besides is counted for the same owner."""
    two_projects(estate).run(at("2025-02-01"))
    labels = {"id-1": [Label("survey-of-old"), Label("survey-north")], "id-2": [Label("survey")]}
    assert told(owners(estate.ledger, "stack", YEAR, labels)) == [
        (Label("survey"), *ALWAYS, "Bob"),
        (Label("survey-north"), *ALWAYS, "Ann"),
        (Label("survey-of-old"), *ALWAYS, "Ann"),
    ]


def test_a_name_given_to_another(estate: Estate) -> None:
    """A closed project's name that another gets is the first one's until then."""
    two_projects(estate)
    estate.close("2")
    estate.run(at("2025-02-01"))
    estate.close("1")
    estate.close("2", "Active")
    estate.run(at("2025-06-01"))
    assert told(owners(estate.ledger, "stack", YEAR)) == [
        (Label("survey"), ALWAYS[0], at("2025-06-01"), "Ann"),
        (Label("survey"), at("2025-06-01"), ALWAYS[1], "Bob"),
    ]


def test_before_it_was_first_seen(estate: Estate) -> None:
    """What a cloud project used before is counted for whoever had the research project then, whatever the window."""
    for id in ("ann", "bob"):
        estate.person(id, "University A", "Physics", first=id.title())
    estate.project("1", "Survey", "ann")
    estate.allocation("2", "1", OCP, "pods")
    estate.run(at("2025-02-01"))
    estate.project("1", "Survey", "bob")
    estate.run(at("2025-03-01"))
    estate.allocation("1", "1", STACK, "id-1", cloud_project_name="survey")
    estate.run(at("2025-04-01"))
    assert told(owners(estate.ledger, "stack", YEAR)) == [
        (Label("survey"), ALWAYS[0], at("2025-03-01"), "Ann"),
        (Label("survey"), at("2025-03-01"), ALWAYS[1], "Bob"),
    ]
    late = at("2025-03-15"), at("2025-05-01")
    assert told(owners(estate.ledger, "stack", late)) == [(Label("survey"), *ALWAYS, "Bob")]


def test_another_cloud(estate: Estate) -> None:
    """The projects of one cloud are nobody's in another."""
    two_projects(estate).run(at("2025-02-01"))
    assert owners(estate.ledger, "ocp-prod", YEAR) == []
