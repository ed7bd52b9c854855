"""A real ColdFront's changes become rows of the history, through either of its APIs."""

from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from tests.hierarchy.served import Served, served
from tests.real.coldfront.server import ColdFront

Url = Callable[[ColdFront], str]
Row = tuple[str, str, str, str, str | None]

CORE: Url = attrgetter("url")
LISTED: Url = attrgetter("listed")
both = pytest.mark.parametrize("url", [CORE, LISTED], ids=["core", "listed"])

CLOUDS = """
[[openstack]]
name = "stack"
cloud = "demo"
resource = "openstack"
coldfront_resource = "kaizen"
[[openshift]]
name = "ocp-prod"
resource = "openshift"
coldfront_resource = "ocp-prod"
"""


@pytest.fixture
def site(coldfront: ColdFront, tmp_path: Path) -> Iterator[Served]:
    """A site beside that ColdFront, whose PIs are in a Keycloak; its address is still another one's."""
    coldfront.restore()
    with served(tmp_path / "site") as site:
        site.keycloak.users.clear()
        site.person("ada", "University A", "engineering", firstName="Ada", email="ada@site.example")
        site.person("bruno", "University B", "engineering", firstName="Bruno", email="bruno@other.example")
        yield site
    coldfront.restore()


def reads(site: Served, coldfront: ColdFront, url: Url) -> None:
    """Let the site read that ColdFront as an account that sees all."""
    site.write(cloud=CLOUDS, coldfront={"url": url(coldfront), "token_file": str(coldfront.token_file("staff"))})


def collected(site: Served) -> dict[str, int]:
    """Read all; warnings do not matter here."""
    done = site.call("collect", "hierarchy")
    assert done.returncode == 0, done.stderr
    return {name: int(number) for number, name in (part.split(" ", 1) for part in _counts(done.stdout))}


def _counts(said: str) -> list[str]:
    return said.strip().rstrip(".").rpartition("UTC: ")[2].split(", ")


def rows(some: list[tuple[Any, ...]], history: list[tuple[Any, ...]]) -> set[Row]:
    """What some rows of a history say: level, name, status, shown name, and what the parent is called."""
    shown = {row[0]: row[5] for row in history}
    return {(row[2], row[3], row[4], row[5], shown.get(row[6])) for row in some}


def news(site: Served, coldfront: ColdFront, script: str) -> set[Row]:
    """The rows that a change in ColdFront leads to."""
    before = site.history()
    coldfront.change(script)
    counts = collected(site)
    after = site.history()
    new = [row for row in after if row not in before]
    assert len(after) == len(before) + len(new)
    assert counts["changed"] == len(new)
    return rows(new, after)


@both
def test_what_is_there_at_first(coldfront: ColdFront, site: Served, url: Url) -> None:
    """Projects of one title with their own cloud projects, and in force whatever waits for a renewal; then nothing."""
    reads(site, coldfront, url)
    collected(site)
    history = site.history()
    told = {row for row in rows(history, history) if "project" in row[0]}
    assert told == {
        ("project", "coldfront/1", "Active", "Genomics", "Ada"),
        ("project", "coldfront/2", "Active", "Sky survey", "Ada"),
        ("project", "coldfront/3", "Active", "Sky survey", "Bruno"),
        ("cloud-project", "ocp-prod/genomics-4f2a1b", "Active", "genomics", "Genomics"),
        ("cloud-project", f"stack/{'0a' * 16}", "Active", "genomics", "Genomics"),
        ("cloud-project", f"stack/{'0b' * 16}", "Active", "sky-1", "Sky survey"),
        ("cloud-project", f"stack/{'0c' * 16}", "Active", "sky-2", "Sky survey"),
    }
    fields = {row[5] for row in history if row[2] == "field-of-science"} - {"unknown"}
    assert fields == (
        {"University A - Physics", "University A - Other", "University B - Other"}
        if url is LISTED
        else {"University A - engineering", "University B - engineering"}
    )
    counts = collected(site)
    assert (counts["changed"], counts["appended"]) == (0, 0)
    assert site.history() == history
    assert site.csvs()["pi2project.csv"].count("\n") == 3


def test_both_apis_tell_of_the_same_projects(coldfront: ColdFront, site: Served) -> None:
    """A site that changes from one API to the other keeps its projects with their ids, names and clouds."""
    seen = []
    for url in (LISTED, CORE, LISTED):
        reads(site, coldfront, url)
        collected(site)
        seen.append({row[3]: (row[0], *row[4:6]) for row in site.history() if "project" in row[2]})
    assert seen[0] == seen[1] == seen[2]


#: What is done in ColdFront, and the rows that it leads to where fields of science come from Keycloak.
CHANGES: dict[str, tuple[str, set[Row]]] = {
    "a new title": (
        "Project.objects.filter(pk=1).update(title='Genes')",
        {("project", "coldfront/1", "Active", "Genes", "Ada")},
    ),
    "another PI": (
        "Project.objects.filter(pk=1).update(pi=User.objects.get(username='bruno'))",
        {("project", "coldfront/1", "Active", "Genomics", "Bruno")},
    ),
    "an allocation that expires": (
        "turn(Allocation.objects.get(pk=2), 'Expired')",
        {("cloud-project", f"stack/{'0a' * 16}", "Inactive", "genomics", "Genomics")},
    ),
    "the last allocation of a PI": (
        "turn(Allocation.objects.get(pk=4), 'Revoked')",
        {
            ("cloud-project", f"stack/{'0c' * 16}", "Inactive", "sky-2", "Sky survey"),
            ("project", "coldfront/3", "Inactive", "Sky survey", "Bruno"),
            ("pi", "id-of-bruno/engineering", "Inactive", "Bruno", "University B - engineering"),
            ("field-of-science", "8/engineering", "Inactive", "University B - engineering", "University B"),
            ("institution", "university b", "Inactive", "University B", None),
        },
    ),
    "a renewal that is due": ("turn(Allocation.objects.get(pk=2), 'Active (Needs Renewal)')", set()),
    "a new allocation": (
        "allocation(Project.objects.get(pk=2), 'Active', Resource.objects.get(name='ocp-prod'),"
        " values=(('Allocated Project ID', 'sky-ns'), ('Allocated Project Name', 'sky-ns')))",
        {("cloud-project", "ocp-prod/sky-ns", "Active", "sky-ns", "Sky survey")},
    ),
    "a new project": (
        "allocation(project('New', User.objects.get(username='bruno')), 'Active', Resource.objects.get(name='kaizen'))",
        {("project", "coldfront/7", "Active", "New", "Bruno")},
    ),
    "a project that is archived": (
        "Project.objects.filter(pk=2).update(status=Project.objects.get(pk=6).status)",
        {
            ("cloud-project", f"stack/{'0b' * 16}", "Inactive", "sky-1", "Sky survey"),
            ("project", "coldfront/2", "Inactive", "Sky survey", "Ada"),
        },
    ),
    "a project that is deleted": (
        "Project.objects.filter(pk=2).delete()",
        {
            ("cloud-project", f"stack/{'0b' * 16}", "Inactive", "sky-1", "Sky survey"),
            ("project", "coldfront/2", "Inactive", "Sky survey", "Ada"),
        },
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_exactly_its_rows(coldfront: ColdFront, site: Served, change: str) -> None:
    """What is done in ColdFront is in the history with the next reading, and nothing else is."""
    script, expected = CHANGES[change]
    reads(site, coldfront, CORE)
    collected(site)
    assert news(site, coldfront, script) == expected
    assert collected(site)["changed"] == 0


def test_a_change_by_the_list(coldfront: ColdFront, site: Served) -> None:
    """A project that is given to another PI takes its own field of science along."""
    reads(site, coldfront, LISTED)
    collected(site)
    told = news(site, coldfront, CHANGES["another PI"][0])
    assert {row for row in told if row[0] != "pi"} == {
        ("project", "coldfront/1", "Active", "Genomics", "Bruno"),
        ("field-of-science", "10/physics", "Active", "University B - Physics", "University B"),
        ("field-of-science", "3/physics", "Inactive", "University A - Physics", "University A"),
    }
    assert {(row[1], row[2]) for row in told if row[0] == "pi"} == {
        ("id-of-bruno/physics", "Active"),
        ("id-of-ada/physics", "Inactive"),
    }


def test_an_account_that_loses_its_rights(coldfront: ColdFront, site: Served) -> None:
    """ColdFront then answers with an empty list and no error, which ends no project."""
    reads(site, coldfront, CORE)
    collected(site)
    before = site.kept()
    site.write(cloud=CLOUDS, coldfront={"url": coldfront.url, "token_file": str(coldfront.token_file("nobody"))})
    done = site.call("collect", "hierarchy")
    assert (done.returncode, "can_view_all_allocations" in done.stderr) == (2, True)
    assert site.kept() == before
