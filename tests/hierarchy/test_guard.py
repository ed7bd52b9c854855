"""How much may be lost in one run, and what has no say in it."""

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from hierarchy import HierarchySettings
from ledger import DataError
from ledger.ownership import CloudProject, Membership, ProjectKey
from tests.hierarchy.estate import OCP, STACK, Estate, at
from tests.hierarchy.served import Served

DAYS = [at(f"2025-01-{day:02}") for day in range(1, 29)]


def of_size(estate: Estate, number: int) -> Estate:
    """A site of so many projects, all of one PI."""
    estate.person("pi-a", "University A", "physics")
    for id in map(str, range(1, number + 1)):
        estate.project(id, f"Project {id}", "pi-a")
        estate.allocation(id, id, OCP, f"namespace-{id}")
    estate.run(DAYS[0])
    return estate


def lose(estate: Estate, number: int) -> None:
    """Let the last of the allocations expire."""
    for id in list(estate.allocations)[-number:]:
        estate.close(id)


@pytest.mark.parametrize(
    ("size", "most", "settings"),
    [
        (4, 3, HierarchySettings()),
        (30, 3, HierarchySettings()),
        (39, 3, HierarchySettings()),
        (40, 4, HierarchySettings()),
        (55, 5, HierarchySettings()),
        (20, 1, HierarchySettings(accepted_removals=1, accepted_removals_percent=0)),
        (20, 10, HierarchySettings(accepted_removals=0, accepted_removals_percent=50)),
        (5, 5, HierarchySettings(accepted_removals=5)),
        (5, 0, HierarchySettings(accepted_removals=0, accepted_removals_percent=0)),
        (3, 3, HierarchySettings(accepted_removals=0, accepted_removals_percent=100)),
    ],
)
def test_so_much_is_believed(quick: Estate, size: int, most: int, settings: HierarchySettings) -> None:
    """A number or a part of a level, whichever is more; one item beyond that, and nothing at all is written."""
    of_size(quick, size).settings = settings
    if most < size:
        lose(quick, most + 1)
        quick.project("1", "Renamed", "pi-a")
        before = quick.history(), quick.present()
        with pytest.raises(DataError, match=f"{most + 1} of {size} active items of the level project would"):
            quick.run(DAYS[1])
        assert (quick.history(), quick.present()) == before
        quick.close(list(quick.allocations)[-most - 1], "Active")
    else:
        lose(quick, most)
    counts = quick.run(DAYS[2]).counts
    assert counts["projects"] == size - most
    lost = {row[3] for row in quick.history() if row[2] == "project" and row[4] == "Inactive"}
    assert len(lost) == most


def test_the_message_says_how_to_go_on(quick: Estate) -> None:
    """With the number of the largest loss of all levels, which suffices."""
    of_size(quick, 20)
    for id in map(str, range(1, 21)):
        quick.allocation(f"more-{id}", id, STACK, id)
    quick.run(DAYS[1])
    for id in list(quick.allocations):
        quick.close(id)
    with pytest.raises(DataError, match="--accept-removals 40") as raised:
        quick.run(DAYS[2])
    assert str(raised.value).startswith("20 of 20 active items of the level project would be lost, and 3 are")
    with pytest.raises(DataError, match="40 of 40 active items of the level cloud-project"):
        quick.run(DAYS[2], accept=39)
    assert quick.run(DAYS[2], accept=40).counts["changed"] == 63


def test_a_level_is_guarded_although_all_below_it_stays(quick: Estate) -> None:
    """Projects that all get another PI leave many PIs without one, and that is asked about, too."""
    for number in range(8):
        quick.person(f"pi-{number}", "University A", "physics")
        quick.project(str(number), "Project", f"pi-{number}")
        quick.allocation(str(number), str(number), OCP, f"namespace-{number}")
    quick.run(DAYS[0])
    for number in range(8):
        quick.project(str(number), "Project", "pi-0")
    with pytest.raises(DataError, match="7 of 8 active items of the level pi would"):
        quick.run(DAYS[1])


def test_people_who_vanish(quick: Estate) -> None:
    """Half a Keycloak is not believed, even where nobody of the missing has a project."""
    of_size(quick, 1)
    for number in range(50):
        quick.person(f"student-{number}", "University A", "physics")
    quick.run(DAYS[1])
    for number in range(6):
        del quick.people[f"student-{number}"]
    with pytest.raises(DataError, match="6 of 51 active items of the level person in Keycloak would"):
        quick.run(DAYS[2])
    assert quick.run(DAYS[2], accept=6).counts["appended"] == 6
    quick.people.pop("student-10")
    assert quick.run(DAYS[3]).counts["appended"] == 1


def test_a_keystone_that_tells_half(quick: Estate) -> None:
    """Its projects are guarded, too, whoever owns them."""
    of_size(quick, 1)
    quick.keystone = {id: CloudProject("stack", id, id, "default") for id in map(str, range(30))}
    quick.run(DAYS[1])
    quick.keystone = dict(list(quick.keystone.items())[:15])
    with pytest.raises(DataError, match="15 of 30 active items of the level project in Keystone would"):
        quick.run(DAYS[2])


def test_items_that_come_back_are_not_counted_twice(quick: Estate) -> None:
    """What was lost before is not lost again: a site may lose a few things every day."""
    of_size(quick, 12)
    for day in range(4):
        lose(quick, 3 * (day + 1))
        quick.run(DAYS[day + 1])
    assert quick.present()["pi pi-a/physics"][1] == "Inactive"


# Sources that are not there


def known(estate: Estate) -> tuple[object, object]:
    return estate.history(), estate.present()


def test_without_keycloak_people_stay_as_they_were(quick: Estate) -> None:
    """Who took the table out of the configuration keeps institutions, fields and names."""
    before = known(of_size(quick, 5))
    quick.people.clear()
    assert quick.run(DAYS[1], without=("keycloak",)).counts["appended"] == 0
    assert known(quick) == before
    quick.allocation("6", "1", OCP, "new")
    quick.run(DAYS[2], without=("keycloak",))
    assert quick.present()["project coldfront/1"][3] == quick.present()["pi pi-a/physics"][0]


def test_without_coldfront_projects_stay_as_they_were(quick: Estate) -> None:
    """And people may still move."""
    before = known(of_size(quick, 5))
    quick.projects.clear()
    quick.allocations.clear()
    assert quick.run(DAYS[1], without=("coldfront",)).counts["appended"] == 0
    assert known(quick) == before
    quick.person("pi-a", "University B", "physics")
    quick.run(DAYS[2], without=("coldfront",))
    present = quick.present()
    assert present["institution university b"][1] == "Active"
    assert (
        present["pi pi-a/physics"][3]
        == present[f"field-of-science {present['institution university b'][0]}/physics"][0]
    )


def test_without_keystone_nested_projects_stay(quick: Estate) -> None:
    """And so do those who had roles in them."""
    of_size(quick, 1).allocation("k", "1", STACK, "top")
    quick.keystone = {
        "top": CloudProject("stack", "top", "Top", "default"),
        "sub": CloudProject("stack", "sub", "Sub", "default", parent="top"),
    }
    quick.members = [Membership(ProjectKey("stack/sub"), "u1", "member")]
    quick.run(DAYS[1])
    before = known(quick)
    assert "cloud-project stack/sub" in quick.present()
    quick.keystone.clear()
    assert quick.run(DAYS[2], without=("stack",)).counts["appended"] == 0
    assert known(quick) == before
    assert [member.gone for member in quick.ledger.newest("hierarchy", Membership)] == [False]


# Through the command


@pytest.fixture
def ten(site: Served) -> Served:
    """The site with ten projects more, read once."""
    for number in range(11, 21):
        site.listing.project(number, f"Project {number}", "pi-a@example.org")
        site.listing.allocation(number, number, "NERC-OCP", f"namespace-{number}")
    site.collect(DAYS[0])
    return site


def expire(site: Served) -> None:
    for number in range(11, 17):
        site.listing.allocations[number]["status"] = "Expired"


def delete(site: Served) -> None:
    """As ColdFront answers an account that has lost the right to see all."""
    for number in range(11, 17):
        del site.listing.allocations[number]


@pytest.mark.parametrize("loss", [expire, delete])
def test_the_run_that_accepted_it_is_on_record(ten: Served, loss: Callable[[Served], None]) -> None:
    """A great loss ends the command with a code for a person; accepted once, that is written down with it."""
    loss(ten)
    ten.at(DAYS[1])
    before = ten.kept()
    assert "6 of 12 active items of the level project" in ten.fails(1, "collect", "hierarchy")
    assert "--accept-removals 6" in ten.fails(1, "collect", "hierarchy", "--accept-removals", "5")
    assert ten.kept() == before
    ten.collect(DAYS[1], "--accept-removals", "6")
    outcomes = [(run["outcome"], msgspec.json.decode(run["counts"] or "{}")) for run in ten.runs()]
    assert [outcome for outcome, _ in outcomes] == ["done", "failed", "failed", "done"]
    assert [counts.get("accepted removals") for _, counts in outcomes] == [None, None, None, 6]
    for number in (17, 18, 19, 20):
        del ten.listing.allocations[number]
    ten.at(DAYS[2])
    assert "4 of 6" in ten.fails(1, "collect", "hierarchy")


def test_the_configured_numbers_count(ten: Served) -> None:
    """Of a site that is used to more, or to less."""
    expire(ten)
    ten.write(hierarchy={"accepted_removals": 0, "accepted_removals_percent": 50})
    ten.collect(DAYS[1])
    ten.listing.allocations[17]["status"] = "Expired"
    ten.write(hierarchy={"accepted_removals": 0, "accepted_removals_percent": 0})
    ten.at(DAYS[2])
    assert "1 of 6 active items" in ten.fails(1, "collect", "hierarchy")


@pytest.mark.parametrize("number", ["0", "-1", "many", "1.5"])
def test_what_is_no_number_is_refused(ten: Served, number: str) -> None:
    """Before anything is read."""
    before = ten.kept()
    assert ten.call("collect", "hierarchy", "--accept-removals", number).returncode == 2
    assert ten.kept() == before


def test_pis_who_lose_their_institution(quick: Estate) -> None:
    """An attribute that Keycloak hides for all but a few is noticed, though hardly any item becomes inactive."""
    for number in range(20):
        quick.person(f"pi-{number}", "University A", "physics")
        quick.project(str(number), "Project", f"pi-{number}")
        quick.allocation(str(number), str(number), OCP, f"namespace-{number}")
    quick.run(DAYS[0])
    for number in range(19):
        quick.person(f"pi-{number}", None, "physics")
    with pytest.raises(DataError, match="19 of 20 active items of the level pi with an institution would be lost"):
        quick.run(DAYS[1])
    assert quick.run(DAYS[1], accept=19).counts["of unknown institutions"] == 19


def test_what_was_noticed_is_said_with_the_refusal(quick: Estate) -> None:
    """A resource that ColdFront calls otherwise now is the reason, and not that everything is gone."""
    of_size(quick, 20)
    for allocation in list(quick.allocations.values()):
        quick.allocations[allocation.id] = replace(allocation, resource="renamed")
    with pytest.raises(DataError, match=r'noticed that: 20 allocations .* "renamed", which is no configured cloud'):
        quick.run(DAYS[1])
