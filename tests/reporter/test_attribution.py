"""Usage is counted for those who fund a project, by their shares at each instant, and for all projects above it."""

import csv
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from hierarchy.owners import ALWAYS, Label, Owner
from hierarchy.projects import Projects
from ledger import ConfigurationError
from ledger.ownership import Organization, Owning, ProjectKey, ResearchProject, Share, TreeProject
from reporter import Branch, Group, Only, Period, UsageReport, Used, usage_report, usage_table, write_report
from reporter.attribution import apportioned
from tests.reporter.conftest import Desk
from tests.reporter.histories import Event, event, put
from tests.reporter.test_usage_report import sessions
from usage import Engine, Session

HOUR = 3600
OCTOBER = Period.month("2026-10")
A, B, ART = (ProjectKey(f"coldfront/{name}") for name in "ABC")
BIOLOGY = ProjectKey("biology")


def owner(name: str, key: ProjectKey, institution: str = "Home", **more: object) -> Owner:
    """Who has always owned what has a name in the cloud."""
    known = {"since": ALWAYS[0], "until": ALWAYS[1], "pi": "Ann", "pi_identity": "ann", "cloud_project": f"demo/{name}"}
    return Owner(**{"label": Label(name), "key": key, "institution": institution, **known, **more})  # type: ignore[arg-type]


def share(project: ProjectKey, since: str = "2026-01-01", until: str | None = None, **parts: str) -> list[Share]:
    """The parts that institutions pay from one time (UTC) to another."""
    start, end = (datetime.fromisoformat(time).replace(tzinfo=UTC) if time else None for time in (since, until))
    assert start
    return [Share(project, institution, part, start, end) for institution, part in parts.items()]


def titled(**titles: str) -> list[Owning]:
    """Projects of ColdFront, by their ids."""
    return [ResearchProject("coldfront", id, title, "ann", "Active") for id, title in titles.items()]


def ran(hours: int, project: str = "a", cores: int = 1, user: str = "ada") -> list[Event]:
    """A server of a project that was active for so many hours from the midnight on that begins October 5."""
    about = {"instance": f"{project}-{user}", "project": project, "cores": cores, "user": user}
    end = datetime(2026, 10, 5, tzinfo=UTC) + timedelta(hours=hours)
    return [
        event("2026-10-05 00:00:00", "create.end", **about),  # type: ignore[arg-type]
        event(f"{end:%Y-%m-%d %H:%M:%S}", "delete.end", **about),  # type: ignore[arg-type]
    ]


def core(groups: Sequence[Group]) -> dict[str | None, int]:
    """Core seconds by name."""
    return {group.name: group.used.core for group in groups}


def branches(report: UsageReport) -> dict[str, Branch]:
    """The projects of the tree, by path."""
    return {" › ".join(branch.path): branch for branch in report.tree}


# The worked cases.


def test_an_institution_has_the_projects_that_it_funds(desk: Desk) -> None:
    """Of a project that two fund together, and another somebody else, the first one's report names the two."""
    facts = [*titled(A="Alpha", B="Beta"), *share(A, NU="0.6", BU="0.4"), *share(B, Other="1")]
    desk.report(*ran(10), *ran(10, "b"))
    owners = [owner("a", A), owner("b", B)]
    report = usage_report(desk.engine, OCTOBER, owners, Projects(facts), Only(project="coldfront/A"))
    assert core(report.institutions) == {"NU": 6 * HOUR, "BU": 4 * HOUR}


def test_two_institutions_share_a_project(desk: Desk) -> None:
    """18 core hours of which one pays 60 % and another 40 % are 10.8 and 7.2."""
    desk.report(*ran(9, cores=2))
    projects = Projects([*titled(A="Alpha"), *share(A, NU="0.6", BU="0.4")])
    report = usage_report(desk.engine, OCTOBER, [owner("a", A)], projects)
    assert core(report.institutions) == {"NU": 38880, "BU": 25920}
    assert [row[:4] for row in usage_table(report, "institution").rows] == [
        ("NU", 1, 5.4, 10.8),
        ("BU", 1, 3.6, 7.2),
        ("total", 1, 9.0, 18.0),
    ]


def test_shares_that_change_at_noon(desk: Desk) -> None:
    """Each half of the day counts by the shares of its own time; the session is still one."""
    desk.report(*ran(24))
    change = "2026-10-05T12:00:00"
    shares = [*share(A, until=change, NU="0.6", BU="0.4"), *share(A, change, NU="0.5", BU="0.5")]
    report = usage_report(desk.engine, OCTOBER, [owner("a", A)], Projects([*titled(A="Alpha"), *shares]))
    assert core(report.institutions) == {"NU": 47520, "BU": 38880}
    assert [group.used.sessions for group in report.institutions] == [1, 1]
    assert [(line.used.sessions, line.used.core) for line in report.lines] == [(1, 24 * HOUR)]
    assert report.total.sessions == 1


def umbrella() -> Projects:
    """A project U of the root with two in it: A with shares of its own, and B, for which U alone pays."""
    facts = [
        *titled(A="A", B="B"),
        TreeProject(BIOLOGY, ProjectKey("site"), "U"),
        TreeProject(A, BIOLOGY),
        TreeProject(B, BIOLOGY),
        *share(BIOLOGY, U="1.0"),
        *share(A, U="0.5", V="0.3", unfunded="0.2"),
    ]
    return Projects(facts)


def test_a_tree_with_shares_of_its_own(desk: Desk) -> None:
    """A project's own shares replace those above it entirely, and its hours count in all projects above."""
    desk.report(*ran(10), *ran(4, "b"))
    report = usage_report(desk.engine, OCTOBER, [owner("a", A), owner("b", B)], umbrella())
    assert core(report.institutions) == {"U": 9 * HOUR, "V": 3 * HOUR, "unfunded": 2 * HOUR}
    tree = branches(report)
    assert {path: branch.total.core for path, branch in tree.items()} == {
        "": 14 * HOUR,
        "U": 14 * HOUR,
        "U › A": 10 * HOUR,
        "U › B": 4 * HOUR,
    }
    assert tree["U"].own == Used(*(0,) * 8)
    assert usage_table(report, "research project").rows == (
        ("U", 2, 0.0, 0.0, 14.0, 14.0),
        ("U › A", 1, 10.0, 10.0, 10.0, 10.0),
        ("U › B", 1, 4.0, 4.0, 4.0, 4.0),
        ("total", 2, 0.0, 0.0, 14.0, 14.0),
    )


# Where no share is stated, and where several things meet.


def test_what_is_in_no_project(desk: Desk) -> None:
    """It is in the project default, of an unknown institution; where the whole site has shares, it has these."""
    desk.report(*ran(1, "stray"), *ran(2, "a"))
    report = usage_report(desk.engine, OCTOBER, [owner("a", A)], Projects(titled(A="Alpha")))
    assert core(report.institutions) == {"Home": 2 * HOUR, None: HOUR}
    assert {path: branch.total.core for path, branch in branches(report).items()} == {
        "": 3 * HOUR,
        "Alpha": 2 * HOUR,
        "default": HOUR,
    }
    everything = Projects([*titled(A="Alpha"), *share(ProjectKey("site"), NU="1")])
    report = usage_report(desk.engine, OCTOBER, [owner("a", A)], everything)
    assert core(report.institutions) == {"NU": 3 * HOUR}


def test_shares_of_a_part_of_the_time(desk: Desk) -> None:
    """Before shares are stated, and after they end, all is the institution's whose PI has the project."""
    desk.report(*ran(24))
    shares = share(A, "2026-10-05T06:00:00", "2026-10-05T10:00:00", NU="1")
    report = usage_report(desk.engine, OCTOBER, [owner("a", A)], Projects([*titled(A="Alpha"), *shares]))
    assert core(report.institutions) == {"Home": 20 * HOUR, "NU": 4 * HOUR}
    assert {group.name for group in report.pis} == {"Ann, Home"}


def test_shares_of_a_project_in_the_cloud(desk: Desk) -> None:
    """One that has shares of its own, or a place of its own in the tree, has them before those of its project."""
    desk.report(*ran(10), *ran(10, "b"))
    keys = [ProjectKey("stack/1"), ProjectKey("stack/2")]
    owners = [owner(name, A, cloud_project=key) for name, key in zip("ab", keys, strict=True)]
    facts = [*titled(A="Alpha"), TreeProject(keys[1], A, "Beta"), *share(A, NU="1"), *share(keys[0], BU="1")]
    report = usage_report(desk.engine, OCTOBER, owners, Projects(facts))
    assert core(report.institutions) == {"BU": 10 * HOUR, "NU": 10 * HOUR}
    tree = branches(report)
    assert (tree["Alpha"].own.core, tree["Alpha"].total.core) == (10 * HOUR, 20 * HOUR)
    assert tree["Alpha › Beta"].own.core == 10 * HOUR


def test_one_institution_by_several_names(desk: Desk) -> None:
    """Shares that call an institution by another of its names, or in other letters, are in its one line."""
    desk.report(*ran(10), *ran(10, "b"))
    facts = [
        *titled(A="Alpha", B="Beta"),
        Organization("Home University", ("HU",)),
        *share(A, HU="0.5", Nu="0.5"),
        *share(B, nu="1"),
    ]
    owners = [owner("a", A), owner("b", B)]
    report = usage_report(desk.engine, OCTOBER, owners, Projects(facts, ["Home University", "NU"]))
    assert core(report.institutions) == {"NU": 15 * HOUR, "Home University": 5 * HOUR}


def test_two_projects_of_one_title(desk: Desk) -> None:
    """They are told apart by their keys."""
    desk.report(*ran(2), *ran(1, "b"))
    report = usage_report(desk.engine, OCTOBER, [owner("a", A), owner("b", B)], Projects(titled(A="T", B="T")))
    rows = usage_table(report, "research project").rows
    assert [row[0] for row in rows] == ["T (coldfront/A)", "T (coldfront/B)", "total"]


# Restricted to one.


def restricted(desk: Desk, only: Only) -> UsageReport:
    """The report of the umbrella, and of a project beside it."""
    desk.report(*ran(10), *ran(4, "b"), *ran(1, "b", user="bob"), *ran(2, "stray", user="bob"))
    return usage_report(desk.engine, OCTOBER, [owner("a", A), owner("b", B)], umbrella(), only)


def test_one_institution_only(desk: Desk, tmp_path: Path) -> None:
    """All of the report is that institution's part, and the sessions are those that it has a part in."""
    report = restricted(desk, Only(institution="V"))
    assert report.total == Used(1, 1, 3 * HOUR, 3 * HOUR, 0, 0, 0, 0)
    assert core(report.institutions) == {"V": 3 * HOUR}
    assert core(report.projects) == {"a": 3 * HOUR}
    assert core(report.users) == {"ada": 3 * HOUR}
    assert sum(day.core for day in report.daily) == 3 * HOUR
    assert branches(report)["U"].total.core == 3 * HOUR
    write_report(report, desk.engine, tmp_path, "sim")
    with (tmp_path / "sessions-2026-10.csv").open(newline="") as file:
        assert [row["instance"] for row in csv.DictReader(file)] == ["a-ada"]


def test_one_of_what_nobody_knows(desk: Desk) -> None:
    """The unknown institution can be asked for, too."""
    assert core(restricted(desk, Only(institution="unknown")).projects) == {"stray": 2 * HOUR}


@pytest.mark.parametrize(
    ("name", "projects"),
    [
        ("biology", {"a": 10, "b": 5}),
        ("u", {"a": 10, "b": 5}),
        ("coldfront/B", {"b": 5}),
        ("default", {"stray": 2}),
        ("stray", {"stray": 2}),
    ],
)
def test_one_project_only(desk: Desk, name: str, projects: dict[str, int]) -> None:
    """A project by its key, its title or its name in the cloud, with all that lies in it."""
    report = restricted(desk, Only(project=name))
    assert core(report.projects) == {called: hours * HOUR for called, hours in projects.items()}


def test_one_user_only(desk: Desk) -> None:
    """A user's hours in all projects, by the shares of these."""
    report = restricted(desk, Only(user="BOB"))
    assert core(report.users) == {"bob": 3 * HOUR}
    assert core(report.institutions) == {None: 2 * HOUR, "U": HOUR}


@pytest.mark.parametrize(
    ("only", "said"),
    [
        (Only(institution="unfundd"), r'There is no institution "unfundd"\. Near it: unfunded\.'),
        (Only(project="biologie"), r'There is no project "biologie"\. Near it: biology\.'),
        (Only(user="adda"), r'There is no user "adda"\. Near it: ada\.'),
        (Only(user="zzz"), r'There is no user "zzz"\. Known: ada, bob\.'),
    ],
)
def test_one_that_is_not_there(desk: Desk, only: Only, said: str) -> None:
    """The message names those that may have been meant."""
    with pytest.raises(ConfigurationError, match=said):
        restricted(desk, only)


def test_a_title_of_two_projects(desk: Desk) -> None:
    """Which of them is meant is for the user to say."""
    desk.report(*ran(2))
    projects = Projects(titled(A="T", B="T"))
    with pytest.raises(ConfigurationError, match=r"Several .* by its key: coldfront/A, coldfront/B"):
        usage_report(desk.engine, OCTOBER, [owner("a", A)], projects, Only(project="t"))


# The files.


def test_the_file_of_shares(desk: Desk, tmp_path: Path) -> None:
    """It has each institution's part of each project; it goes when no shares are stated any more."""
    desk.report(*ran(10), *ran(4, "b"), *ran(1, "stray"))
    owners = [owner("a", A), owner("b", B)]
    report = usage_report(desk.engine, OCTOBER, owners, umbrella())
    files = [path.name for path in write_report(report, desk.engine, tmp_path, "sim")]
    assert files == ["sessions-2026-10.csv", "usage-2026-10.csv", "shares-2026-10.csv", "usage-2026-10.pdf"]
    with (tmp_path / "shares-2026-10.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        schemas.validator("shares-report-csv").validate(row)
        assert list(row) == list(schemas.load("shares-report-csv")["properties"])
    assert [tuple(row.values())[:6] for row in rows] == [
        ("U", "coldfront/A", "A", "0.5", "18000", "18000"),
        ("U", "coldfront/B", "B", "1.0", "14400", "14400"),
        ("V", "coldfront/A", "A", "0.3", "10800", "10800"),
        ("unfunded", "coldfront/A", "A", "0.2", "7200", "7200"),
        ("unknown", "default", "default", "", "3600", "3600"),
    ]
    write_report(usage_report(desk.engine, OCTOBER, owners), desk.engine, tmp_path, "sim")
    assert not (tmp_path / "shares-2026-10.csv").exists()


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
def test_the_pdf_says_how_it_was_shared(desk: Desk, tmp_path: Path) -> None:
    """It has the institutions' parts, the tree by paths, and what it was restricted to."""
    report = restricted(desk, Only(project="biology"))
    pdf = write_report(report, desk.engine, tmp_path, "sim")[-1]
    text = subprocess.run(["pdftotext", "-layout", pdf, "-"], check=True, capture_output=True, text=True).stdout
    for said in ("Only project biology", "By institution", "unfunded", "U›A", "by shares"):
        assert said.replace(" ", "") in text.replace(" ", "")


# Whatever the tree, the shares and the sessions are.


@given(st.integers(0, 10**15), st.lists(st.integers(1, 10**6), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_parts_add_up(whole: int, weights: list[int]) -> None:
    """Parts of a whole number add up to it, none is further from its exact share than one unit, nor below zero."""
    unit = 10**8
    scaled = [weight * unit // sum(weights) for weight in weights]
    scaled[0] += unit - sum(scaled)
    parts = [Decimal(one) / unit for one in scaled]
    divided = apportioned(whole, parts)
    assert sum(divided) == whole
    for one, part in zip(divided, parts, strict=True):
        assert one >= 0
        assert abs(one - whole * Fraction(part)) < 1


class Ownership(NamedTuple):
    """Whose the cloud's projects are, and what is known of the tree and of the shares."""

    owners: list[Owner]
    facts: list[Owning]


KEYS = [ProjectKey(f"coldfront/{number}") for number in range(4)]
SPLITS = (("1",), ("0.5", "0.5"), ("0.333333", "0.333333", "0.333334"), ("0.6", "0.4"), ("0.01", "0.99"))
MOMENTS = st.integers(-40 * 24, 40 * 24).map(lambda hours: OCTOBER.start + timedelta(hours=hours, seconds=hours % 7))


@st.composite
def ownerships(draw: st.DrawFn) -> Ownership:
    """Any tree, in which each project lies below an earlier one; shares that come, change and go; some owners."""
    facts: list[Owning] = []
    for number, key in enumerate(KEYS):
        parent = draw(st.sampled_from([ProjectKey("site"), *KEYS[:number]]))
        facts.append(TreeProject(key, parent, draw(st.sampled_from(["Alpha", "Beta"]))))
    for key in draw(st.sets(st.sampled_from([ProjectKey("site"), ProjectKey("default"), *KEYS]))):
        times = sorted(draw(st.sets(MOMENTS, min_size=2, max_size=4)))
        for since, until in zip(times, [*times[1:], None], strict=True):
            names = draw(st.permutations(["North", "South", "unfunded"]))
            facts += [Share(key, *one, since, until) for one in zip(names, draw(st.sampled_from(SPLITS)), strict=False)]
    owners = list[Owner]()
    for name in draw(st.sets(st.sampled_from(["physics", "biology", ""]))):
        times = [ALWAYS[0], *sorted(draw(st.sets(MOMENTS, max_size=2))), ALWAYS[1]]
        for since, until in pairwise(times):
            institution = draw(st.sampled_from(["North", "unknown", "East"]))
            owners.append(owner(name, draw(st.sampled_from(KEYS)), institution, since=since, until=until))
    return Ownership(owners, facts)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine that many examples share."""
    with Engine(threads=2) as shared:
        yield shared


def times(used: Used) -> tuple[int, ...]:
    """What adds up: all but servers and sessions."""
    return (used.active, used.core, used.inactive, used.shelved, used.other, used.unsized)


def total(parts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The sum of times."""
    return tuple(map(sum, zip(*parts, strict=True))) or (0,) * 6


@given(ownerships(), st.lists(sessions(), max_size=8))
@settings(max_examples=60, deadline=None)
def test_every_way_to_divide_adds_up(engine: Engine, ownership: Ownership, drawn: list[Session]) -> None:
    """Institutions, projects, users and the tree have the whole to the second, nothing is negative, and all repeats."""
    put(engine, drawn)
    projects = Projects(ownership.facts)
    report = usage_report(engine, OCTOBER, ownership.owners, projects)
    whole = usage_report(engine, OCTOBER).total
    assert report.total == whole
    for part in (report.institutions, report.pis) if report.institutions else ():
        assert total([times(one.used) for one in part]) == times(whole)
    for part in (report.projects, report.users, report.flavors):
        assert total([times(one.used) for one in part]) == times(whole)
        assert sum(one.used.sessions for one in part) == whole.sessions
    assert total([times(line.used) for line in report.lines]) == times(whole)
    assert sum(day.core for day in report.daily) == whole.core
    assert min((number for one in report.institutions for number in times(one.used)), default=0) >= 0
    if report.tree:
        assert_tree_adds_up(report)
    if report.portions:
        assert sum(portion.core for portion in report.portions) == whole.core
    put(engine, reversed(drawn))
    again = usage_report(engine, OCTOBER, ownership.owners[::-1], Projects(ownership.facts[::-1]))
    assert again == report


def assert_tree_adds_up(report: UsageReport) -> None:
    """Each project has in total what it used itself and what those directly below it have, the root everything."""
    for branch in report.tree:
        depth = len(branch.path) + 1
        position = report.tree.index(branch)
        below = []
        for other in report.tree[position + 1 :]:
            if len(other.path) < depth:
                break
            if len(other.path) == depth:
                below.append(times(other.total))
        assert total([times(branch.own), *below]) == times(branch.total)
    assert report.tree[0].total == report.total


@given(ownerships(), st.lists(sessions(), max_size=6))
@settings(max_examples=30, deadline=None)
def test_the_parts_asked_for_one_by_one(engine: Engine, ownership: Ownership, drawn: list[Session]) -> None:
    """The report of each institution alone says the same of it as the report of all does."""
    put(engine, drawn)
    projects = Projects(ownership.facts)
    report = usage_report(engine, OCTOBER, ownership.owners, projects)
    for group in report.institutions:
        put(engine, drawn)
        alone = usage_report(engine, OCTOBER, ownership.owners, projects, Only(institution=group.name or "unknown"))
        assert alone.total == group.used
        assert alone.institutions == (group,)
        assert total([times(one.used) for one in alone.users]) == times(group.used)
