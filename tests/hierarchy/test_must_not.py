"""What a predecessor did to its users, and this program must not."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy.exc import OperationalError

from hierarchy.csvs import FILES, rows_of
from hierarchy.records import Item, ItemId, Level
from hierarchy.told import told_before
from ledger import ConfigurationError, DataError, Ledger, SourceUnavailable
from ledger.database import connect, upgrade
from tests.hierarchy.estate import OCP, STACK, Estate, at
from tests.hierarchy.served import SKY, Served
from tests.hierarchy.test_worked_example import lived
from tests.real.keycloak import FIELD, INSTITUTION, Fault, person
from tests.real.listing import PAGE
from tests.real.mariadb import MariaDB

DAYS = [at(f"2025-01-{day:02}") for day in range(1, 29)]
NOBODY = "unknown"


def two_projects(estate: Estate) -> Estate:
    """One project in each cloud, of two PIs."""
    estate.person("pi-a", "University A", "engineering", first="Pi", last="A")
    estate.person("pi-b", "University B", "physics", first="Pi", last="B")
    estate.project("1", "Genomics", "pi-a")
    estate.project("2", "Sky survey", "pi-b")
    estate.allocation("1", "1", OCP, "genomics-4f2a1b")
    estate.allocation("2", "2", STACK, SKY, cloud_project_name="sky-f000c2")
    return estate


def faults_in(files: dict[str, str]) -> list[str]:
    """What xdmod-import-csv would warn of, or silently get wrong."""
    rows = {name: [line[1:-1].split('","') for line in text.splitlines()] for name, text in files.items()}
    known = set[str]()
    faults = []
    for id, _, parent in rows["hierarchy.csv"]:
        faults += [f"{id} comes before its parent {parent}"] if parent and parent not in known else []
        known.add(id)
    faults += [f"{key} belongs to {pi}, which is not there" for key, pi in rows["group.csv"] if pi not in known]
    keys = {row[0] for row in rows["group.csv"]}
    others = [row[0] for name in ("names.csv", "pi2project.csv") for row in rows[name]]
    return faults + [f"{key} is in no group" for key in others if key not in keys]


# Ids


def test_ids_stay_over_runs(estate: Estate) -> None:
    """Whatever is read again has the id and the level that it had, and only new things get new ids."""
    two_projects(estate).run(DAYS[0])
    first = {name: item[0] for name, item in estate.present().items()}
    for day in range(1, 4):
        estate.project(str(day + 2), f"New {day}", "pi-a")
        estate.allocation(str(day + 2), str(day + 2), OCP, f"new-{day}")
        estate.run(DAYS[day])
        now = {name: item[0] for name, item in estate.present().items()}
        assert now.items() >= first.items()
        assert len(now) == len(first) + 2 * day
        assert len(set(now.values())) == len(now)
    levels = {(row[0], row[2], row[3]) for row in estate.history()}
    assert len(levels) == len({row[0] for row in estate.history()})


def test_one_name_on_two_clouds_is_two_things(quick: Estate) -> None:
    """A namespace called as an OpenStack project keeps its own level, id and cloud, run after run."""
    two_projects(quick).allocation("3", "1", OCP, "same")
    quick.allocation("4", "1", STACK, "same")
    quick.run(DAYS[0])
    before = quick.present()
    assert before["cloud-project stack/same"][0] != before["cloud-project ocp-prod/same"][0]
    quick.allocations = dict(reversed(quick.allocations.items()))
    assert quick.run(DAYS[1]).counts["changed"] == 0
    assert quick.present() == before


def test_one_name_for_things_of_all_levels(quick: Estate) -> None:
    """An institution, a field, a PI, a project and a cloud project of one name do not become each other."""
    quick.person("same", "same", "same", username="same", email="same", first="same")
    quick.project("same", "same", "same")
    quick.allocation("1", "same", STACK, "same")
    quick.run(DAYS[0])
    history = quick.history()
    assert quick.run(DAYS[1]).counts["changed"] == 0
    assert quick.history() == history
    assert [row[5] for row in history] == [NOBODY, NOBODY, "same", "same - same", "same", "same", "same"]


@pytest.mark.parametrize("title", ["Genomics", ""])
def test_projects_of_one_title_are_two(quick: Estate, title: str) -> None:
    """A title is no identity: each of two projects of one title keeps its own clouds and PI."""
    two_projects(quick)
    quick.project("1", title, "pi-a")
    quick.project("2", title, "pi-b")
    quick.run(DAYS[0])
    present = quick.present()
    assert present["project coldfront/1"][0] != present["project coldfront/2"][0]
    assert present["cloud-project ocp-prod/genomics-4f2a1b"][3] == present["project coldfront/1"][0]
    assert present[f"cloud-project stack/{SKY}"][3] == present["project coldfront/2"][0]


def test_people_of_one_name_are_two(quick: Estate) -> None:
    """Nor is the name of a person."""
    two_projects(quick)
    for id in ("pi-a", "pi-b"):
        quick.person(id, "University", "physics", first="Pi", last="Same")
    quick.run(DAYS[0])
    shown = {item[2] for name, item in quick.present().items() if name.startswith("pi ")}
    assert (len([name for name in quick.present() if name.startswith("pi ")]), shown) == (2, {"Pi Same"})


def test_another_address_leaves_the_id(quick: Estate) -> None:
    """A PI whose e-mail address, user name and name change is who they were."""
    two_projects(quick).run(DAYS[0])
    before = quick.present()
    changed = quick.person("pi-a", "University A", "engineering", username="new", email="NEW@x.org", first="New")
    quick.project("1", "Genomics", changed.email.lower())
    assert quick.run(DAYS[1]).counts["changed"] == 1
    now = quick.present()
    assert now.keys() == before.keys()
    assert now["pi pi-a/engineering"] == (before["pi pi-a/engineering"][0], "Active", "New", 4)


def test_another_name_in_the_cloud_leaves_the_id(quick: Estate) -> None:
    """A project that is renamed in ColdFront and in the cloud is the project it was."""
    two_projects(quick).run(DAYS[0])
    before = quick.present()
    quick.project("2", "All of the sky", "pi-b")
    quick.allocation("2", "2", STACK, SKY, cloud_project_name="all-sky")
    assert quick.run(DAYS[1]).counts["changed"] == 2
    now = quick.present()
    assert {name: item[0] for name, item in now.items()} == {name: item[0] for name, item in before.items()}
    assert now[f"cloud-project stack/{SKY}"][2] == "all-sky"


# The unknown, and what lies below what


def test_the_unknown_stays(quick: Estate, tmp_path: Path) -> None:
    """What stands for the unknown was there before anything was unknown, and is when nothing is any more."""
    two_projects(quick).run(DAYS[0])
    quick.project("3", "Whose?", "")
    quick.allocation("3", "3", OCP, "whose")
    quick.run(DAYS[1])
    del quick.projects["3"], quick.allocations["3"]
    quick.run(DAYS[2])
    for allocation in list(quick.allocations):
        quick.close(allocation)
    quick.run(DAYS[3], accept=10)
    states = [row[4] for row in quick.history() if NOBODY in row[3] or row[0] <= 2]
    assert set(states) == {"Active"}
    for moment in (*DAYS[:4], None):
        written = quick.csvs(tmp_path / "files", moment)["hierarchy.csv"]
        assert '"1","unknown",""\n' in written
        assert '"2","unknown","1"\n' in written


def test_institutions_come_back(quick: Estate) -> None:
    """An institution without projects is over, and back under its old id with the next one."""
    two_projects(quick).run(DAYS[0])
    before = quick.present()
    quick.close("1")
    quick.run(DAYS[1])
    assert quick.present()["institution university a"][1] == "Inactive"
    quick.close("1", "Active")
    quick.run(DAYS[2])
    assert quick.present() == before


def test_no_file_has_a_child_without_its_parent(estate: Estate, tmp_path: Path) -> None:
    """As of every run, what the importer reads is complete and in order."""
    lived(estate.ledger)
    moments = sorted({row[1] for row in estate.history()})
    assert len(moments) == 4
    for moment in moments:
        for as_of in (moment, moment + timedelta(hours=1)):
            assert faults_in(estate.csvs(tmp_path / "files", as_of)) == []
    assert faults_in(estate.csvs(tmp_path / "files")) == []


@pytest.mark.parametrize("ended", [Level.INSTITUTION, Level.FIELD, Level.PI, Level.PROJECT])
def test_what_lies_below_something_that_ended_is_left_out(ended: Level) -> None:
    """Even if a history said that it goes on, for its lines would have no parent."""
    items = [
        Item(ItemId(number), level, level.value, level is not ended, level.value, ItemId(number - 1) if depth else None)
        for depth, (number, level) in enumerate(zip((11, 12, 13, 14, 15), Level, strict=True))
    ]
    files = rows_of([*items[:-1], items[-1]._replace(name="stack/0a")], (STACK, OCP)).files
    assert [len(files[name]) for name in FILES] == [min(list(Level).index(ended), 3), 0, 0, 0]


def test_before_the_first_run_there_is_nothing(quick: Estate, tmp_path: Path) -> None:
    """Files of a time of which nothing is known are refused, instead of telling XDMoD of an empty site."""
    with pytest.raises(DataError, match="collect hierarchy"):
        quick.export(tmp_path / "now")
    two_projects(quick).run(DAYS[1])
    with pytest.raises(DataError, match=r"2025-01-01T02:00:00Z.*later --as-of"):
        quick.export(tmp_path / "then", DAYS[0])
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".csv"]


# Answers that are none


def emptied(site: Served) -> None:
    site.listing.allocations.clear()


def cut_in_the_middle(site: Served) -> None:
    site.listing.fault = Fault("", 200, b'[{"id":1,"project":{"id":1,"title":"Geno')


def broken(site: Served) -> None:
    site.listing.fault = Fault("", 500, PAGE)


def an_error_object(site: Served) -> None:
    site.listing.fault = Fault("", 200, b'{"detail":"You do not have permission to perform this action."}')


def a_page(site: Served) -> None:
    site.listing.fault = Fault("", 200, PAGE)


def nobody_in_keycloak(site: Served) -> None:
    site.keycloak.users = []


def fewer_than_counted(site: Served) -> None:
    site.keycloak.cut = 1


def keycloak_down(site: Served) -> None:
    site.keycloak.faults = [Fault("/users", 503)]


def no_token(site: Served) -> None:
    site.keycloak.faults = [Fault("/token", 200, b'{"access_token":null}')]


def attributes_hidden(site: Served) -> None:
    site.keycloak.hidden_attributes = True


def no_rights(site: Served) -> None:
    site.keycloak.roles = set()


def refused(site: Served) -> None:
    site.keycloak.secret = "another-secret"


#: What a source does, and how the command ends: 2 where somebody has to correct something, 75 where time may help.
FAILURES: list[tuple[Callable[[Served], None], int]] = [
    (emptied, 2),
    (cut_in_the_middle, 75),
    (broken, 75),
    (an_error_object, 75),
    (a_page, 75),
    (nobody_in_keycloak, 2),
    (fewer_than_counted, 75),
    (keycloak_down, 75),
    (no_token, 75),
    (attributes_hidden, 2),
    (no_rights, 2),
    (refused, 2),
]


@pytest.mark.parametrize(("failure", "code"), FAILURES, ids=[failure.__name__ for failure, _ in FAILURES])
def test_no_answer_is_not_the_end_of_all_projects(site: Served, failure: Callable[[Served], None], code: int) -> None:
    """A source that fails, is empty or tells a part changes nothing, although the other one has news."""
    site.collect(DAYS[0])
    before, shown = site.kept(), site.csvs()
    site.listing.project(1, "Renamed", "pi-a@example.org")
    site.person("pi-b", "University C", "physical_sciences")
    site.at(DAYS[1])
    failure(site)
    message = site.fails(code, "collect", "hierarchy")
    assert message.endswith(".")
    assert site.kept() == before
    assert site.csvs() == shown
    assert [run["outcome"] for run in site.runs()] == ["done", "failed"]
    assert site.runs()[-1]["error"] == message


def test_no_request_goes_out_with_an_empty_token(site: Served) -> None:
    """Where Keycloak gives no token, ColdFront is not asked with one."""
    no_token(site)
    site.fails(75, "collect", "hierarchy")
    assert [header for _, header in site.listing.asked if header] == []
    site.keycloak.faults = []
    site.collect(DAYS[0])
    assert all(header and header.startswith("Bearer ") for _, header in site.listing.asked)
    assert "Bearer None" not in dict(site.listing.asked).values()


# Long lists, short tokens


def test_a_pi_behind_a_thousand_others(site: Served) -> None:
    """However many users there are and however short a token lives, the last of them has an institution."""
    site.keycloak.users[:0] = [person(number) for number in range(1203)]
    site.keycloak.most = 100
    ticks = count()
    site.keycloak.clock = lambda: next(ticks)
    site.keycloak.token_life = 5
    site.collect(DAYS[0])
    assert len(site.keycloak.asked("/token")) > 2
    shown = site.shown()
    assert (shown["pi id-of-pi-b/physical_sciences"], shown["institution university b"]) == ("Pi B", "University B")


# What people and allocations may lack


@pytest.mark.parametrize(
    ("lacking", "institution", "field", "pi"),
    [
        ({"attributes": {FIELD: ["engineering"]}}, NOBODY, "unknown - engineering", "Pi A"),
        ({"attributes": {INSTITUTION: ["University A"]}}, "University A", "University A - unknown", "Pi A"),
        ({"attributes": {}}, NOBODY, NOBODY, "Pi A"),
        ({"attributes": None}, NOBODY, NOBODY, "Pi A"),
        ({"attributes": {INSTITUTION: [], FIELD: [""]}}, NOBODY, NOBODY, "Pi A"),
        ({"firstName": None, "lastName": None}, "University A", "University A - engineering", "pi-a@example.org"),
        ({"firstName": "", "lastName": "Curie"}, "University A", "University A - engineering", "Curie"),
        ({"firstName": " ", "lastName": " "}, "University A", "University A - engineering", "pi-a@example.org"),
        ({"enabled": False}, "University A", "University A - engineering", "Pi A"),
    ],
)
def test_a_pi_who_lacks_something(site: Served, lacking: dict[str, Any], institution: str, field: str, pi: str) -> None:
    """Is counted under what is known, and keeps nobody else from being counted."""
    [user] = [user for user in site.keycloak.users if user["username"] == "pi-a"]
    user |= lacking
    for name in [name for name, value in user.items() if value is None]:
        del user[name]
    site.collect(DAYS[0])
    files = site.csvs()
    rows = {line.split(",")[0]: line.split(",") for line in files["hierarchy.csv"].splitlines()}
    [group] = [line.split(",") for line in files["group.csv"].splitlines() if "genomics" in line]
    chain = [rows[group[1]]]
    while chain[-1][2] != '""':
        chain.append(rows[chain[-1][2]])
    assert [row[1].strip('"') for row in chain] == [pi, field, institution]
    assert '"Pi B"' in files["hierarchy.csv"]


@pytest.mark.parametrize("called", [None, "", "nobody@example.org", "service-account-robot"])
def test_a_project_whose_pi_is_nowhere(site: Served, called: str | None) -> None:
    """Is counted for the unknown institution, under what ColdFront calls its PI."""
    site.listing.project(1, "Genomics", called)
    site.collect(DAYS[0])
    files = site.csvs()
    assert '"genomics-4f2a1b"' in files["group.csv"]
    assert f'"{called or NOBODY}","2"' in files["hierarchy.csv"]


def test_a_pi_without_an_address(site: Served) -> None:
    """Is found by user name."""
    [user] = [user for user in site.keycloak.users if user["username"] == "pi-a"]
    del user["email"]
    site.listing.project(1, "Genomics", "PI-A")
    site.collect(DAYS[0])
    assert '"Pi A"' in site.csvs()["hierarchy.csv"]


@pytest.mark.parametrize("attributes", [None, {}, {"Allocated Project ID": None}, {"Allocated Project ID": ""}])
def test_an_allocation_without_attributes(site: Served, attributes: dict[str, Any] | None) -> None:
    """A project that has nothing in a cloud yet is known, and nothing is exported of it."""
    site.listing.allocations[1]["attributes"] = attributes
    site.collect(DAYS[0])
    assert site.shown()["project coldfront/1"] == "Genomics"
    files = site.csvs()
    assert files["group.csv"].count("\n") == 1
    assert faults_in(files) == []


def test_an_allocation_without_a_resource(site: Served) -> None:
    """Is left out with a word about it, and the others are not."""
    site.listing.allocation(3, 1, None, "lost")
    site.at(DAYS[0])
    done = site.call("collect", "hierarchy")
    assert done.returncode == 0
    assert "1 allocation is of no resource, and left out." in done.stderr
    assert len([name for name in site.shown() if name.startswith("cloud-project")]) == 2


# Statuses


def test_every_status_that_is_configured_is_in_force(site: Served) -> None:
    """Whoever waits for a renewal keeps the project; by default, and where a site has words of its own."""
    statuses = ["Active", "Active (Needs Renewal)", "Renewal Requested", "Expired", "New", "Grace period"]
    for number, status in enumerate(statuses, 1):
        site.listing.allocation(number, 1, "NERC-OCP", f"namespace-{number}", status=status)
    site.collect(DAYS[0])
    assert [line.split('"')[1] for line in site.csvs()["group.csv"].splitlines()] == [
        f"namespace-{number}" for number in (1, 2, 3)
    ]
    site.write(coldfront={"in_force": ["Active", "Grace period", "Renewal Requested"]})
    site.collect(DAYS[1])
    assert [line.split('"')[1] for line in site.csvs()["group.csv"].splitlines()] == [
        f"namespace-{number}" for number in (1, 3, 6)
    ]


# What differs from site to site


def test_a_site_that_calls_everything_otherwise(site: Served) -> None:
    """Realm, paths, attributes, resources and sources have the names that the configuration gives them."""
    site.keycloak.realm, site.keycloak.prefix = "mss", "/auth"
    site.listing.id_attribute, site.listing.name_attribute = "Namespace", "Shown as"
    for user in site.keycloak.users:
        user["attributes"] = {"idp": user["attributes"][INSTITUTION], "domain": user["attributes"][FIELD]}
    site.listing.allocation(1, 1, "Our cluster", "genomics", "Genomics of ours")
    site.listing.allocation(2, 2, "Our cluster", "sky")
    site.write(
        cloud='[[openshift]]\nname = "c"\nresource = "r"\ncoldfront_resource = "Our cluster"',
        coldfront={"name": "cf", "project_id_attribute": "Namespace", "project_name_attribute": "Shown as"},
        keycloak={"name": "kc", "institution_attribute": "idp", "field_attribute": "domain"},
    )
    site.collect(DAYS[0])
    assert {name: shown for name, shown in site.shown().items() if "project" in name} == {
        "project cf/1": "Genomics",
        "project cf/2": "Sky survey",
        "cloud-project c/genomics": "Genomics of ours",
        "cloud-project c/sky": "sky",
    }
    assert "University A - engineering" in site.shown().values()


# Texts that others wrote, and secrets

NASTY = [
    "Robert'); DROP TABLE hierarchy_rec;--",
    'The "quoted", with commas',
    "%s %(name)s :id {0} ${HOME}",
    "=cmd|' /C calc'!A0",
    "Ünïversität 大学 🧬",
]


@pytest.mark.parametrize("text", NASTY)
def test_texts_are_taken_as_texts(estate: Estate, tmp_path: Path, text: str) -> None:
    """Whatever stands in a name is kept and shown as it is, and does nothing."""
    estate.person("pi-a", text, text, first=text)
    estate.project("1", text, "pi-a")
    estate.allocation("1", "1", OCP, text)
    estate.run(DAYS[0])
    history = estate.history()
    assert [row[5] for row in history[2:]] == [text, f"{text} - {text}", text, text, text]
    assert estate.run(DAYS[1]).counts["changed"] == 0
    assert estate.history() == history
    estate.export(tmp_path / "files")


@pytest.mark.parametrize("fault", [None, Fault("/token", 503), Fault("/token", 401), Fault("/users", 500)])
def test_no_secret_is_shown(site: Served, fault: Fault | None) -> None:
    """Neither password nor token nor the ledger's URL is printed or kept, whether a run succeeds or fails."""
    site.keycloak.faults = [fault] if fault else []
    tokens = set[str]()
    answer = site.keycloak.knows

    def knows(authorization: str | None, scope: str = "") -> bool:
        tokens.add((authorization or "").removeprefix("Bearer "))
        return answer(authorization, scope)

    site.at(DAYS[0])
    with patch.object(site.keycloak, "knows", knows):
        # A process of its own, because only there the libraries' log is as a user gets it.
        done = site.site.call("-v", "collect", "hierarchy") if not fault else site.call("-v", "collect", "hierarchy")
    assert (done.returncode == 0) is (fault is None)
    said = done.stdout + done.stderr + str(site.runs())
    secrets = {site.keycloak.secret} | tokens - {""}
    assert len(secrets) == 2 or fault
    assert not [secret for secret in secrets if secret in said]
    assert not [secret for secret in secrets if secret.encode() in (site.folder / "ledger.sqlite").read_bytes()]


def test_the_ledger_s_account_needs_few_rights(tmp_path: Path, mariadb: MariaDB) -> None:
    """An account that may neither delete anything nor change the history suffices for everything."""
    name = mariadb.database()
    upgrade(connect(mariadb.url(name)))
    mariadb.execute(
        "CREATE USER IF NOT EXISTS keeper@localhost",
        f"GRANT SELECT, INSERT ON {name}.* TO keeper@localhost",
        *(
            f"GRANT UPDATE ON {name}.{table} TO keeper@localhost"
            for table in ("run", "latest", "hierarchy_item", "hierarchy_told", "alembic_version")
        ),
    )
    estate = lived(Ledger.open(mariadb.url(name, "keeper")))
    estate.export(tmp_path / "files")
    assert len(estate.history()) == 26


# Four files, or none


def told(folder: Path) -> dict[str, str]:
    """The files that lie in a folder."""
    return {name: (folder / name).read_text() for name in FILES if (folder / name).exists()}


def changed(estate: Estate) -> None:
    """Change something in each of the four files."""
    estate.person("pi-a", "University C", "engineering", first="Pi", last="C")
    estate.project("1", "Genes", "pi-b")
    estate.allocation("3", "1", STACK, "genes")
    estate.run(DAYS[1])


#: What a process does to the file system, as the interpreter announces it.
STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}


def dies(work: Callable[[], object], step: int) -> bool:
    """Whether a process of its own, doing that work, was killed before a step of it."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    with suppress(BaseException):
        left = count(step, -1)

        def kill(event: str, _: tuple[Any, ...]) -> None:
            if event in STEPS and next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(kill)
        work()
        os._exit(0)
    os._exit(1)


def test_a_kill_leaves_the_four_old_files_or_the_four_new(quick: Estate, tmp_path: Path) -> None:
    """At whatever step the process ends, the folder holds one export or none, and the next run makes it good."""
    folder, url = tmp_path / "outbox" / "files", quick.ledger.engine.url.render_as_string()
    two_projects(quick).run(DAYS[0])
    old = quick.csvs(folder)
    changed(quick)
    new = quick.csvs(tmp_path / "reference")
    assert all(old[name] != new[name] for name in FILES)
    quick.ledger.engine.dispose()
    seen, steps = list[dict[str, str]](), 0
    while dies(lambda: Estate(Ledger.open(url), quick.clouds).export(folder), steps):
        seen.append(told(folder))
        steps += 1
    assert 20 < steps < 500
    assert old in seen
    assert all(files in (old, new, {}) for files in seen)
    assert told(folder) == new
    assert list(folder.parent.iterdir()) == [folder]


@pytest.fixture
def two_exports(quick: Estate, tmp_path: Path) -> Iterator[tuple[Estate, Path, dict[str, str]]]:
    """A site whose files are written, and are to change; the files must be as they were in the end."""
    folder = tmp_path / "outbox" / "files"
    two_projects(quick).run(DAYS[0])
    old = quick.csvs(folder)
    changed(quick)
    yield quick, folder, old
    assert told(folder) == old


@pytest.mark.parametrize("after", range(5))
def test_a_full_disk_leaves_the_four_old_files(
    two_exports: tuple[Estate, Path, dict[str, str]], after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the files has no room, the message says so, and XDMoD counts as told of nothing new."""
    estate, folder, old = two_exports
    calls, fsync = count(), os.fsync

    def full(file: int) -> None:
        if next(calls) >= after:
            raise OSError(28, "No space left on device")
        fsync(file)

    with monkeypatch.context() as patched:
        patched.setattr("ledger.files.os.fsync", full)
        with pytest.raises(SourceUnavailable, match=r"no room left to write .*files .*make room"):
            estate.export(folder)
    assert {name: (folder / name).read_text() for name in FILES} == old
    with estate.ledger.engine.connect() as connection:
        assert told_before(connection, "group.csv", waits=False).keys() == {
            row.split('"')[1] for row in old["group.csv"].splitlines()
        }


def test_a_folder_that_may_not_be_written(two_exports: tuple[Estate, Path, dict[str, str]]) -> None:
    """Is named, and the files stay."""
    estate, folder, _ = two_exports
    denied = PermissionError(13, "Permission denied")
    with (
        patch.object(Path, "mkdir", side_effect=denied),
        pytest.raises(ConfigurationError, match="Cannot write") as told,
    ):
        estate.export(folder)
    assert f"{folder}: Permission denied" in str(told.value)


def test_a_conflict_leaves_the_four_old_files(two_exports: tuple[Estate, Path, dict[str, str]]) -> None:
    """What cannot be told is found before anything is written."""
    estate, folder, _ = two_exports
    estate.allocation("4", "2", OCP, "genomics-4f2a1b")
    estate.allocation("5", "2", OCP, "genes")
    estate.run(DAYS[2])
    with pytest.raises(DataError, match='"genes" would stand for two projects'):
        estate.export(folder)


def test_a_transaction_that_fails_leaves_no_row(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records and history are written together: where the one cannot be, the other is not."""
    two_projects(estate).run(DAYS[0])
    history, present, runs = estate.history(), estate.present(), len(estate.ledger.runs("hierarchy"))
    changing = estate.project("1", "Genes", "pi-a")

    def no_room(*_: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    with monkeypatch.context() as patched:
        # The last of what the transaction writes.
        patched.setattr("ledger.writer.Writer._set_aside", no_room)
        with pytest.raises(SourceUnavailable, match="no room left for the ledger"):
            estate.run(DAYS[1])
    assert (estate.history(), estate.present()) == (history, present)
    assert changing not in estate.ledger.newest("hierarchy", type(changing))
    assert estate.run(DAYS[2]).counts["changed"] == 1
    assert len(estate.ledger.runs("hierarchy")) == runs + 2


# One database as the other


def test_both_databases_keep_the_same(tmp_path: Path, mariadb: MariaDB) -> None:
    """A year of changes leaves the same rows and the same files in SQLite and in MariaDB."""
    urls = {"sqlite": f"sqlite:///{tmp_path / 'ledger.sqlite'}", "mariadb": mariadb.url(mariadb.database())}
    kept = {}
    for name, url in urls.items():
        upgrade(connect(url))
        estate = lived(Ledger.open(url))
        estate.person("pi-c", "École", "Straße", first="Zoë", last="🧬")
        estate.project("3", "É", "pi-c")
        for number, namespace in enumerate(["É", "e", "É ", "Zz", "aa", "_a"]):
            estate.allocation(f"3{number}", "3", OCP, f"{namespace}{number}")
        estate.run(at("2025-04-03"))
        estate.person("pi-c", "Ecole", "strasse", first="Zoë", last="🧬")
        estate.run(at("2025-04-04"))
        kept[name] = (
            estate.history(),
            estate.present(),
            estate.csvs(tmp_path / name),
            estate.csvs(tmp_path / f"{name}-then", at("2025-04-03")),
        )
    assert kept["sqlite"] == kept["mariadb"]
