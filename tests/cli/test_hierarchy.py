"""Who owns what, through the command: read over HTTP, told to XDMoD, and asked for."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from demo.replay import Replay
from tests.cli.here import impatient
from tests.hierarchy.estate import at
from tests.hierarchy.served import CLOUDS, SKY, Served, served
from tests.hierarchy.test_worked_example import (
    BOTH_AT_B,
    CLOSED,
    CREATED,
    ENDED,
    FIRST,
    MOVED,
    ONLY_A,
    REOPENED,
    RETURNED,
    SHIFTED,
)
from tests.real.keycloak import FIELD, INSTITUTION, Fault
from tests.real.listing import PAGE
from tests.simulation import SimulatedCloud

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    """The site of the worked example before its first reading."""
    with served(tmp_path / "site") as site:
        yield site


def spring(site: Served) -> None:
    """What happens to the site until April."""
    site.collect(FIRST)
    site.listing.allocations[2]["status"] = "Expired"
    site.collect(CLOSED)
    site.person("pi-a", "University B", "engineering", firstName="Pi", lastName="A")
    site.collect(MOVED)
    site.listing.allocations[2]["status"] = "Active"
    site.collect(REOPENED)


# The worked example


def test_the_worked_example(site: Served) -> None:
    """From two servers to the rows of the history and the lines of the files, at the time of the servers' clocks."""
    spring(site)
    rows = sorted([*CREATED, *ENDED, *SHIFTED, *RETURNED], key=lambda row: (row[1], row[0]))
    assert site.history() == [(*row[:3], re.sub("^(pi-.)/", r"id-of-\1/", row[3]), *row[4:]) for row in rows]
    assert site.csvs("--as-of", "2025-03-01") == ONLY_A
    assert site.csvs("--as-of", "2025-04-02") == BOTH_AT_B
    assert site.csvs() == BOTH_AT_B
    for moment, words in {
        FIRST: "genomics|sky",
        CLOSED: "genomics",
        MOVED: "genomics",
        REOPENED: "genomics|sky",
    }.items():
        files = site.csvs("--as-of", f"{moment:%Y-%m-%d}")
        assert "|".join(re.findall('^"([a-z]+)-', files["group.csv"], re.MULTILINE)) == words
    just_before = site.csvs("--as-of", "2025-03-10T01:59:59Z")
    assert just_before == ONLY_A
    assert site.csvs("--as-of", "2025-03-10T03:00:00+01:00") != ONLY_A


def test_the_history_of_an_item(site: Served) -> None:
    """Its states with their parents, whether it is asked for by shown name, name in the history, or id."""
    spring(site)
    fields = {"id": 5, "level": "pi", "name": "id-of-pi-a/engineering", "status": "Active", "shown": "Pi A"}
    expected = [
        {**fields, "since": "2025-01-01T02:00:00Z", "parent": "4 University A - engineering"},
        {**fields, "since": "2025-03-10T02:00:00Z", "parent": "13 University B - engineering"},
    ]
    for words in ("Pi A", "pi a", "id-of-pi-a/engineering", "5"):
        assert site.json("hierarchy", "history", words) == expected
    table = site.run("hierarchy", "history", "Pi A")
    assert re.search(r"5 . 2025-01-01 02:00:00 . pi +. Active . Pi A +. 4 University A - engineering", table)
    assert [state["status"] for state in site.json("hierarchy", "history", "coldfront/2")] == [
        "Active",
        "Inactive",
        "Active",
    ]


@pytest.mark.parametrize("wanted", ["nobody", "%", "Pi", "", "9" * 30, "-1", "' OR 1=1 --"])
def test_an_item_that_never_was(site: Served, wanted: str) -> None:
    """Is said not to be there, and no other one is shown instead."""
    site.collect(FIRST)
    assert f'called "{wanted}"' in site.fails(1, "hierarchy", "history", "--", wanted)


@pytest.mark.parametrize("wanted", ["Universität Ä", "universität ä", "UNIVERSITÄT Ä", "université ß"])
def test_an_item_in_any_case_of_letters(site: Served, wanted: str) -> None:
    """Also where the letters are none of English."""
    site.person("pi-a", "Universität Ä", "engineering")
    site.person("pi-b", "Université ß", "engineering")
    site.collect(FIRST)
    [state] = site.json("hierarchy", "history", wanted)
    assert state["shown"].lower() == wanted.lower()


def test_a_project_for_which_nobody_pays(site: Served) -> None:
    """Is shown as any other, at a site that has no shares at all."""
    site.collect(FIRST)
    [card] = site.json("hierarchy", "show", "coldfront/1")
    assert (card["pi"], card["institution"], card["paid"]) == ("Pi A", "University A", [])


# What is printed


def test_what_a_reading_prints(site: Served) -> None:
    """One line with the servers' time and the numbers; the same as JSON; and the run is on record."""
    site.at(FIRST)
    assert site.run("collect", "hierarchy") == (
        "hierarchy: read up to 2025-01-01 02:00:00 UTC: 2 projects, 2 cloud projects, 12 changed, 6 appended,"
        " 0 rejected.\n"
    )
    told = site.collect(CLOSED)
    counts = {"projects": 2, "cloud projects": 2, "changed": 0, "appended": 0, "rejected": 0}
    assert told == {
        "source": "hierarchy",
        "mode": "sweep",
        "up_to": "2025-02-15T02:00:00Z",
        "counts": counts,
        "warnings": [],
    }
    [first, second] = site.runs()
    assert (first["outcome"], second["outcome"], second["window_to"]) == ("done", "done", "2025-02-15T02:00:00Z")
    assert msgspec.json.decode(second["counts"]) == counts


def test_what_an_export_prints(site: Served) -> None:
    """The files with their lines; as JSON with their sums; and the days that XDMoD has to aggregate again."""
    site.collect(FIRST)
    again = "What it ingested before the import, from 2025-01-01 on, it has to ingest and aggregate again."
    assert site.run("hierarchy", "export").splitlines() == [
        *(
            f"hierarchy: wrote {site.folder}/outbox/hierarchy/{name} ({lines})"
            for name, lines in (
                ("hierarchy.csv", "8 lines"),
                ("group.csv", "2 lines"),
                ("names.csv", "2 lines"),
                ("pi2project.csv", "1 line"),
            )
        ),
        f"hierarchy: new to XDMoD, or moved: 2 projects. {again}",
    ]
    (site.folder / "outbox" / "hierarchy").rename(site.folder / "importing")
    site.person("pi-a", "University B", "engineering", firstName="Pi", lastName="A")
    site.collect(MOVED)
    assert f"hierarchy: new to XDMoD, or moved: 1 project. {again}" in site.run("hierarchy", "export")
    told = site.json("hierarchy", "export", "--as-of", "2025-01-02", "--output", str(site.folder / "then"))
    assert (told["folder"], told["as_of"]) == (str(site.folder / "then"), "2025-01-02T23:59:59.999999Z")
    assert [(file["name"], file["records"], len(file["sha256"])) for file in told["files"]] == [
        ("hierarchy.csv", 8, 64),
        ("group.csv", 2, 64),
        ("names.csv", 2, 64),
        ("pi2project.csv", 1, 64),
    ]
    assert (told["warnings"], told["moved"], told["moved_since"]) == ([], 0, None)


def test_exports_of_now_and_then_lie_side_by_side(site: Served) -> None:
    """In the outbox, each in a folder whose name says what it is."""
    site.collect(FIRST)
    then = site.csvs("--as-of", "2025-01-01")
    site.listing.project(1, "Renamed", "pi-a@example.org")
    site.collect(CLOSED)
    site.csvs()
    folder = site.folder / "outbox" / "hierarchy-2025-01-01"
    assert {name: (folder / name).read_text() for name in then} == then


def test_only_what_xdmod_was_not_told(site: Served) -> None:
    """After the folder was moved away."""
    site.collect(FIRST)
    assert site.csvs("--changed-only")["group.csv"].count("\n") == 2
    (site.folder / "outbox" / "hierarchy").rename(site.folder / "outbox" / "importing")
    site.listing.allocation(3, 1, "NERC-OCP", "new")
    site.collect(CLOSED)
    files = site.csvs("--changed-only")
    assert (files["group.csv"], files["names.csv"]) == ('"new","5"\n', '"new","","Genomics"\n')


@pytest.mark.parametrize(
    "words",
    [
        ["--as-of", "tomorrow"],
        ["--as-of", "2025-02-30"],
        ["--as-of", "9000-01-01"],
        ["--as-of", "2025-03-01T25:00"],
        ["--as-of", ""],
        ["--as-of", "0001-01-01T00:00:00+14:00"],
        ["--as-of", "2025-03-01", "--changed-only"],
        ["--output"],
    ],
)
def test_an_export_that_is_asked_for_wrongly(site: Served, words: list[str]) -> None:
    """Is a matter of usage, and writes nothing."""
    site.collect(FIRST)
    done = site.call("hierarchy", "export", *words)
    assert done.returncode == 2, done.stderr
    assert "Error: " in done.stderr
    assert not (site.folder / "outbox").exists()


def test_before_anything_is_known(site: Served) -> None:
    """The message names the command to run, or another date to ask for."""
    assert "xdmod-cloud collect hierarchy" in site.fails(1, "hierarchy", "export")
    site.collect(MOVED)
    assert "2025-03-01T23:59:59Z" in site.fails(1, "hierarchy", "export", "--as-of", "2025-03-01")


# What the sources tell


@pytest.mark.parametrize(
    "name", ['The "quoted", with commas', "two\nlines", "Ünïversität, 大学", "x\\", "'; DROP TABLE run; --", "🧬"]
)
def test_names_come_through(site: Served, name: str) -> None:
    """Of institutions, fields, people and projects, from JSON to JSON."""
    site.person("pi-a", name, name, firstName=name, lastName="")
    site.listing.project(1, name, "pi-a@example.org")
    site.collect(FIRST)
    shown = " ".join(name.split())
    assert [state["shown"] for state in site.json("hierarchy", "history", shown)] == [shown] * 3
    assert f"{shown} - {shown}" in site.shown().values()
    assert site.csvs()["group.csv"].startswith('"genomics-4f2a1b","5"\n')


def test_a_coldfront_that_answers_with_its_front_page(site: Served) -> None:
    """The address to check is named."""
    site.listing.fault = Fault("", 200, PAGE)
    message = site.fails(75, "collect", "hierarchy")
    assert "web page instead of JSON" in message
    assert f"check that {site.listing.url} is its address" in message


def test_an_address_with_too_much_in_it(site: Served) -> None:
    """Is a matter of the configuration."""
    site.write(coldfront={"url": f"{site.listing.url}/api"})
    assert "does not know GET /api/allocations (404: Not found). Correct its url" in site.fails(
        2, "collect", "hierarchy"
    )


def test_two_people_of_one_address(site: Served) -> None:
    """Are for a person to tell apart; both are named, and nothing is recorded."""
    site.person("twin", "University C", "engineering", email="PI-A@example.org")
    message = site.fails(1, "collect", "hierarchy")
    assert re.search(r'coldfront/1 "Genomics".* two people in Keycloak: id-of-pi-a .* and id-of-twin', message)
    assert site.kept() == []


def test_a_row_that_cannot_be_read(site: Served) -> None:
    """Is set aside, and so long nothing that ColdFront lists no more is taken for gone; the exit code tells it."""
    site.collect(FIRST)
    site.listing.allocations[2]["status"] = None
    del site.listing.allocations[1]
    site.listing.allocation(3, 2, "NERC-OCP", "new")
    site.at(CLOSED)
    done = site.call("collect", "hierarchy")
    assert done.returncode == 1
    assert "1 rejected" in done.stdout
    assert len(done.stderr.splitlines()) == 2
    assert all(line.startswith("xdmod-cloud: warning: hierarchy: ") for line in done.stderr.splitlines())
    assert {f"cloud-project stack/{SKY}", "cloud-project ocp-prod/genomics-4f2a1b"} <= site.shown().keys()
    assert "Allocation 2 of ColdFront" in site.run("ledger", "quarantine")
    site.listing.allocations[2]["status"] = "Active"
    site.collect(MOVED)
    assert "cloud-project ocp-prod/genomics-4f2a1b" not in site.shown()


def test_warnings_are_lines_of_their_own(site: Served) -> None:
    """On stderr, so that the result can still be read by a program; the exit code stays."""
    [user] = [user for user in site.keycloak.users if user["username"] == "pi-a"]
    user["attributes"][INSTITUTION].append("University C")
    site.listing.allocation(3, 1, "GPU farm", "x")
    site.at(FIRST)
    done = site.call("collect", "hierarchy", "--json")
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 2)
    assert [f"xdmod-cloud: warning: hierarchy: {said}" for said in msgspec.json.decode(done.stdout)["warnings"]] == (
        done.stderr.splitlines()
    )


def test_keystone_is_read_where_that_is_configured(site: Served) -> None:
    """Projects inside an allocated one belong to its owner; while Keystone is down, nothing changes."""
    cloud = SimulatedCloud(NOON)
    top = cloud.project("physics")
    cloud.project("optics", parent="physics")
    site.listing.allocation(2, 2, "NERC", top, "physics of ColdFront")
    with Replay(cloud) as server:
        server.clouds_yaml(site.folder / "clouds.yaml")
        assert site.collect(NOON)["counts"]["cloud projects"] == 2
        assert '"physics of ColdFront","9"' in site.csvs()["group.csv"]
        site.write(hierarchy={"keystone": ["stack"]})
        assert site.collect(NOON)["counts"]["cloud projects"] == 3
    assert site.csvs()["group.csv"] == '"genomics-4f2a1b","5"\n"optics","9"\n"physics of ColdFront","9"\n'
    before = site.kept()
    with impatient():
        assert "Keystone" in site.fails(75, "collect", "hierarchy")
    assert site.kept() == before


# Clocks


def test_a_clock_that_goes_back(site: Served) -> None:
    """Would put new states before old ones; nothing is recorded until it has caught up."""
    site.collect(CLOSED)
    before = site.kept()
    site.listing.project(1, "Renamed", "pi-a@example.org")
    site.at(CLOSED - timedelta(seconds=1))
    message = site.fails(75, "collect", "hierarchy")
    assert "clock of coldfront says 2025-02-15T01:59:59Z, but it was read at 2025-02-15T02:00:00Z" in message
    assert site.kept() == before
    site.collect(CLOSED + timedelta(seconds=1))
    assert "Renamed" in site.shown().values()


def test_two_readings_within_a_second(site: Served) -> None:
    """Each has its time, though the servers tell the same."""
    for title in ("One", "Two", "Three"):
        site.listing.project(1, title, "pi-a@example.org")
        site.collect(FIRST)
    states = site.json("hierarchy", "history", "coldfront/1")
    assert [state["shown"] for state in states] == ["One", "Two", "Three"]
    times = [datetime.fromisoformat(state["since"]) for state in states]
    assert times == sorted(set(times))


def test_a_clock_in_the_future(site: Served) -> None:
    """Would close the history to all that comes before it."""
    site.at(datetime.now(UTC) + timedelta(days=400))
    assert "this machine has yet to see" in site.fails(75, "collect", "hierarchy")
    site.collect(FIRST)


def test_the_clock_of_coldfront_counts(site: Served) -> None:
    """And not that of this machine or of Keycloak."""
    site.listing.at, site.keycloak.at = FIRST, CLOSED
    site.run("collect", "hierarchy")
    assert {row[1] for row in site.history()} == {FIRST}


# Wrong configurations

OPENSTACK = '[[openstack]]\nname = "{}"\ncloud = "demo"\nresource = "{}"\ncoldfront_resource = "{}"\n'

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown Keystone": (
        {"hierarchy": {"keystone": ["nope"]}},
        'hierarchy.keystone: there is no [[openstack]] "nope"',
    ),
    "the Keystone of OpenShift": ({"hierarchy": {"keystone": ["ocp-prod"]}}, 'there is no [[openstack]] "ocp-prod"'),
    "ColdFront called as a cloud": ({"coldfront": {"name": "stack"}}, 'the name "stack" is taken'),
    "Keycloak called as a cluster": ({"keycloak": {"name": "ocp-prod"}}, 'the name "ocp-prod" is taken'),
    "Keycloak called as ColdFront": ({"keycloak": {"name": "coldfront"}}, 'the name "coldfront" is taken'),
    "a cloud called hierarchy": ({"cloud": OPENSTACK.format("hierarchy", "r", "c")}, 'the name "hierarchy" is taken'),
    "a cloud called site": ({"cloud": OPENSTACK.format("site", "r", "c")}, 'the name "site" is taken'),
    "two clouds of one name": (
        {"cloud": CLOUDS + OPENSTACK.format("ocp-prod", "r", "c")},
        'two [[openshift]] or [[openstack]] have the name "ocp-prod"',
    ),
    "two clouds of one resource": ({"cloud": CLOUDS + OPENSTACK.format("b", "openshift", "c")}, 'resource "openshift"'),
    "two clouds of one ColdFront resource": (
        {"cloud": CLOUDS + OPENSTACK.format("b", "r", "NERC-OCP")},
        'coldfront_resource "NERC-OCP"',
    ),
    "an unknown key": ({"hierarchy": {"guard": True}}, "hierarchy: "),
    "less than no removals": ({"hierarchy": {"accepted_removals": -1}}, "hierarchy.accepted_removals: "),
    "more than all": ({"hierarchy": {"accepted_removals_percent": 101}}, "hierarchy.accepted_removals_percent: "),
    "one file instead of several": ({"hierarchy": {"ownership": "own.toml"}}, "hierarchy.ownership: "),
    "a file of another kind": ({"hierarchy": {"ownership": ["own.yaml"]}}, "hierarchy.ownership.0: "),
    "a file that is not there": ({"hierarchy": {"ownership": ["own.toml"]}}, "own.toml of hierarchy.ownership cannot"),
    "no status that counts": ({"coldfront": {"in_force": []}}, "coldfront.in_force: "),
    "another scheme": ({"coldfront": {"url": "ftp://cf"}}, "coldfront.url: "),
    "no secret": ({"keycloak": {"secret_file": "nothing"}}, "secret of client xdmod-cloud cannot be read from"),
    "no token": ({"coldfront": {"token_file": "nothing"}}, "coldfront.token_file "),
    "another realm": ({"keycloak": {"realm": "master"}}, 'no realm "master"'),
    "another client": ({"keycloak": {"client": "somebody"}}, 'refuses client "somebody"'),
    "another attribute": ({"keycloak": {"institution_attribute": "idp"}}, '"idp"'),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_configuration(site: Served, wrong: str) -> None:
    """What to correct is named in one line, and nothing is recorded."""
    tables, words = WRONG[wrong]
    site.write(**tables)
    assert words in site.fails(2, "collect", "hierarchy")
    site.write()
    assert site.kept() == []
    site.collect(FIRST)


@pytest.mark.parametrize(("name", "value"), [(INSTITUTION, "institution_attribute"), (FIELD, "field_attribute")])
def test_an_attribute_that_nobody_has(site: Served, name: str, value: str) -> None:
    """Is not taken for a site of strangers, unless the configuration says that there is none."""
    for user in site.keycloak.users:
        del user["attributes"][name]
    assert f'no user with the attribute "{name}"' in site.fails(2, "collect", "hierarchy")
    site.write(keycloak={value: ""})
    site.collect(FIRST)


def test_no_source_at_all(site: Served) -> None:
    """The tables to add are named."""
    (site.folder / "xdmod-cloud.toml").write_text(CLOUDS)
    assert "Add a table [coldfront], and mostly [keycloak]" in site.fails(2, "collect", "hierarchy")


def test_a_coldfront_without_anybody_to_ask_as(site: Served) -> None:
    """The two ways out are named."""
    (site.folder / "xdmod-cloud.toml").write_text(f'{CLOUDS}[coldfront]\nurl = "{site.listing.url}"\n')
    message = site.fails(2, "collect", "hierarchy")
    assert "Set coldfront.token_file, or add a [keycloak] table" in message


def test_a_source_that_is_taken_out_changes_nothing(site: Served) -> None:
    """What Keycloak told stands, and ColdFront's news come on top of it."""
    site.collect(FIRST)
    before = site.shown()
    (site.folder / "token").write_text("none")
    text = (site.folder / "xdmod-cloud.toml").read_text()
    (site.folder / "xdmod-cloud.toml").write_text(re.sub(r"\[coldfront\][^\[]*", "", text))
    site.at(at("2025-01-02"))
    site.run("collect", "hierarchy")
    assert site.shown() == before


def test_two_at_once(site: Served) -> None:
    """The second one is sent away, and loses nothing by it."""
    with site.opened().writer("hierarchy"):
        assert "Another xdmod-cloud is writing hierarchy" in site.fails(75, "collect", "hierarchy")
    site.collect(FIRST)


def test_brackets_in_names_are_shown(site: Served) -> None:
    """What looks like markup is a part of the name, in tables as elsewhere."""
    site.listing.project(1, "Sky [/] survey [phase 2] of [red]all", "pi-a@example.org")
    site.collect(FIRST)
    for command in ("show", "history"):
        assert "Sky [/] survey [phase 2] of [red]all" in " ".join(site.run("hierarchy", command, "coldfront/1").split())


def test_a_former_name_is_found(site: Served) -> None:
    """Whoever has an old invoice asks by the old name."""
    site.collect(FIRST)
    site.person("pi-a", "University A", "engineering", firstName="Pia", lastName="Married")
    site.collect(MOVED)
    shown = {row["shown"] for row in site.json("hierarchy", "history", "PI A")}
    assert shown == {"Pi A", "Pia Married"}
