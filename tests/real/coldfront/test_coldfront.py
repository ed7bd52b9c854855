"""What is read of a real ColdFront, through its core API and through the list of OpenStack and OpenShift sites."""

from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

import pytest

from collectors.coldfront import ColdFrontSource, read_coldfront
from collectors.told import Told
from ledger import ConfigurationError, Kind, SourceUnavailable
from ledger.ownership import Allocation, Membership, Owning, ResearchProject
from tests.real.coldfront.server import ColdFront

R = TypeVar("R", bound=Owning)
Url = Callable[[ColdFront], str]

CORE: Url = attrgetter("url")
LISTED: Url = attrgetter("listed")
both = pytest.mark.parametrize("url", [CORE, LISTED], ids=["core", "listed"])


@pytest.fixture(autouse=True)
def _restored(coldfront: ColdFront) -> Iterator[None]:
    coldfront.restore()
    yield
    coldfront.restore()


def read(server: ColdFront, url: Url, user: str = "staff") -> Told:
    """Read by a user's token."""
    settings = ColdFrontSource(url=url(server), name="cf", token_file=server.token_file(user))
    return read_coldfront(settings, None, lambda *_: None)


def records(told: Told, kind: type[R]) -> dict[str, R]:
    """The records of a kind, by id."""
    return {record.subject.removeprefix("cf/"): record for record in told.records if isinstance(record, kind)}


def test_the_core_api_tells_projects(coldfront: ColdFront) -> None:
    """All of them by id, with the PI's user name and without a field of science."""
    assert records(read(coldfront, CORE), ResearchProject) == {
        "1": ResearchProject("cf", "1", "Genomics", "ada", "Active"),
        "2": ResearchProject("cf", "2", "Sky survey", "ada", "Active"),
        "3": ResearchProject("cf", "3", "Sky survey", "bruno", "Active"),
        "4": ResearchProject("cf", "4", '"Quoted", ünïcode, commas', "chloé", "Active"),
        "5": ResearchProject("cf", "5", "PI without e-mail", "dara", "Active"),
        "6": ResearchProject("cf", "6", "Archived", "ada", "Archived"),
    }


def test_the_list_tells_projects(coldfront: ColdFront) -> None:
    """All of them by id, with the PI's e-mail address and the field of science."""
    assert records(read(coldfront, LISTED), ResearchProject) == {
        "1": ResearchProject("cf", "1", "Genomics", "ada@site.example", "Active", "Physics"),
        "2": ResearchProject("cf", "2", "Sky survey", "ada@site.example", "Active", "Other"),
        "3": ResearchProject("cf", "3", "Sky survey", "Bruno@Other.example", "Active", "Other"),
        "4": ResearchProject("cf", "4", '"Quoted", ünïcode, commas', "chloé@site.example", "Active", "Other"),
        "5": ResearchProject("cf", "5", "PI without e-mail", "", "Active", "Other"),
        "6": ResearchProject("cf", "6", "Archived", "ada@site.example", "Archived", "Other"),
    }


@both
def test_allocations(coldfront: ColdFront, url: Url) -> None:
    """Of every status, with the project that has them, though titles are not unique, and the first of two values."""
    assert records(read(coldfront, url), Allocation) == {
        "1": Allocation("cf", "1", "1", "Active", "ocp-prod", "genomics-4f2a1b", "genomics", "123"),
        "2": Allocation("cf", "2", "1", "Active", "kaizen", "0a" * 16, "genomics"),
        "3": Allocation("cf", "3", "2", "Active", "kaizen", "0b" * 16, "sky-1"),
        "4": Allocation("cf", "4", "3", "Renewal Requested", "kaizen", "0c" * 16, "sky-2"),
        "5": Allocation("cf", "5", "4", "Expired", "ocp-prod", "first-1", "odd"),
        "6": Allocation("cf", "6", "4", "New", "ocp-prod"),
        "7": Allocation("cf", "7", "5", "Active (Needs Renewal)", None, "silent-1"),
        "8": Allocation("cf", "8", "6", "Revoked", "kaizen", "0d" * 16),
        "9": Allocation("cf", "9", "6", "Denied", "kaizen, the GPUs" if url is CORE else "ocp-prod"),
    }


def test_members(coldfront: ColdFront) -> None:
    """Only the core API tells them; who was removed is none."""
    told = read(coldfront, CORE)
    members = {(m.project, m.user, m.role) for m in told.records if isinstance(m, Membership)}
    assert {member for member in members if member[0] == "cf/1"} == {
        ("cf/1", "ada", "Manager"),
        ("cf/1", "eve", "User"),
    }
    assert len(members) == 7
    assert told.kinds == {Kind.RESEARCH_PROJECT, Kind.ALLOCATION, Kind.MEMBERSHIP}
    assert read(coldfront, LISTED).kinds == {Kind.RESEARCH_PROJECT, Kind.ALLOCATION}


def test_a_value_that_is_there_twice(coldfront: ColdFront) -> None:
    """The warning names the allocation, the attribute, and the value that does not count."""
    [warning] = read(coldfront, CORE).warnings
    assert (
        'Allocation 5 of cf has "Allocated Project ID" more than once: "first-1" is used, "second-2" is not' in warning
    )


def test_a_reader_who_is_not_staff(coldfront: ColdFront) -> None:
    """The two rights suffice for the core API; the list of sites refuses whoever is not staff."""
    assert read(coldfront, CORE, "reader").records == read(coldfront, CORE, "staff").records
    with pytest.raises(ConfigurationError, match=r"forbids GET /api/allocations to this account \(403.*must be staff"):
        read(coldfront, LISTED, "reader")


def test_an_account_that_is_told_less(coldfront: ColdFront) -> None:
    """ColdFront answers a PI with what is hers, and one who has nothing with an empty list, which is refused."""
    assert records(read(coldfront, CORE, "ada"), ResearchProject).keys() == {"1", "2"}
    with pytest.raises(ConfigurationError, match=r"no allocation at all.*can_view_all_allocations"):
        read(coldfront, CORE, "nobody")


def test_an_account_that_may_see_allocations_only(coldfront: ColdFront) -> None:
    """Allocations without projects are refused, with the right that is missing."""
    with pytest.raises(SourceUnavailable, match=r"allocation \d is in no project's list.*can_view_all_projects\."):
        read(coldfront, CORE, "of-allocations")


def test_an_account_that_may_see_projects_only(coldfront: ColdFront) -> None:
    """Projects whose allocations are not listed are refused, with the right that is missing."""
    coldfront.change("allocation(project('Own', User.objects.get(username='of-projects')), 'New')")
    match = r"allocation \d of project \d is not in the list of allocations.*can_view_all_allocations\."
    with pytest.raises(SourceUnavailable, match=match):
        read(coldfront, CORE, "of-projects")


@both
def test_a_token_that_is_unknown(coldfront: ColdFront, url: Url, tmp_path: Path) -> None:
    """The file to correct is named, and the token is not."""
    file = tmp_path / "token"
    file.write_text("0" * 40)
    with pytest.raises(ConfigurationError, match=r"401: Invalid token.*Check the token in .*token") as refused:
        read_coldfront(ColdFrontSource(url=url(coldfront), token_file=file), None, lambda *_: None)
    assert "0" * 40 not in str(refused.value)


def test_an_account_in_netrc(coldfront: ColdFront, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ColdFront leads to the address with a slash, the token is presented, and no other account."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert len(records(read(coldfront, CORE), Allocation)) == 9


def test_a_wrong_address(coldfront: ColdFront) -> None:
    """The page that ColdFront has for unknown addresses is no answer."""
    with pytest.raises(ConfigurationError, match=r"does not know GET /api/allocations \(404.*Correct its url"):
        read(coldfront, lambda server: f"{server.url}/elsewhere")


#: What is done in ColdFront, and the one record that is other afterwards, by both APIs but for the PI and the field.
CHANGES = {
    "a new title": ("Project.objects.filter(pk=1).update(title='Genes')", ("1", "title", "Genes")),
    "another PI": (
        "Project.objects.filter(pk=1).update(pi=User.objects.get(username='bruno'))",
        ("1", "pi", ("bruno", "Bruno@Other.example")),
    ),
    "expired": ("turn(Allocation.objects.get(pk=2), 'Expired')", ("2", "status", "Expired")),
    "revoked": ("turn(Allocation.objects.get(pk=2), 'Revoked')", ("2", "status", "Revoked")),
    "another cloud project": (
        "AllocationAttribute.objects.filter(allocation=7).update(value='loud-1')",
        ("7", "cloud_project", "loud-1"),
    ),
    "another project": ("Allocation.objects.filter(pk=8).update(project=3)", ("8", "project", "3")),
}


@both
@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_between_two_readings(coldfront: ColdFront, url: Url, change: str) -> None:
    """The record that it concerns is another one, in that respect; all others are the same."""
    script, (id, name, value) = CHANGES[change]
    before = read(coldfront, url).records
    coldfront.change(script)
    after = read(coldfront, url).records
    [changed] = [record for record in after if record not in before]
    assert (changed.subject, len(after)) == (f"cf/{id}", len(before))
    assert getattr(changed, name) == (value[url is LISTED] if isinstance(value, tuple) else value)


@both
def test_what_comes_and_goes_between_two_readings(coldfront: ColdFront, url: Url) -> None:
    """A new project with its allocation is told, and a deleted one no more."""
    coldfront.change("allocation(project('New', User.objects.get(username='eve')), 'New')")
    told = read(coldfront, url)
    assert records(told, ResearchProject)["7"].title == "New"
    assert records(told, Allocation)["10"].project == "7"
    coldfront.change("Project.objects.filter(pk__in=[1, 7]).delete()")
    told = read(coldfront, url)
    assert records(told, ResearchProject).keys() == {"2", "3", "4", "5", "6"}
    assert records(told, Allocation).keys() == {"3", "4", "5", "6", "7", "8", "9"}
    assert told.kinds >= {Kind.RESEARCH_PROJECT, Kind.ALLOCATION}
