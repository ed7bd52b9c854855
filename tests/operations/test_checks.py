"""Each check is silent on a month that is in order, and names what was put out of order."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

import schemas
from demo.replay import Replay
from hierarchy import SOURCE
from ledger import Action, Kind, Ledger, Mode, Server, Size
from ledger.ownership import Owning, ProjectKey, Share
from ledger.records import InstanceId, Named, Record
from operations.configuration import load
from operations.verification.checks import CHECKS, Books, Checked, Finding, Limits, opened
from operations.verification.reports import as_document, verify_reports
from reporter import Period
from reporter.records import Daily, UsageReport
from tests.cli.here import call
from tests.operations.test_random_lives import OPERATIONS
from tests.recorded_site import recorded_site
from tests.simulation import SimulatedCloud
from tests.site import Site

OCTOBER = Period.month("2026-10")
#: The cloud was last read then, by its own clock.
READ = datetime(2026, 11, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The demo's month, which nobody changes."""
    return recorded_site(tmp_path_factory.mktemp("month"))


@pytest.fixture
def site(recorded: Site, tmp_path: Path) -> Site:
    """A copy of it, to be put out of order."""
    shutil.copytree(recorded.folder, tmp_path, dirs_exist_ok=True)
    return Site(tmp_path, recorded.clouds_yaml)


@contextmanager
def books_of(site: Site, period: Period = OCTOBER, **more: object) -> Iterator[Books]:
    """What the checks look into."""
    configuration = load(site.folder / "xdmod-cloud.toml")
    ledger, settings = Ledger.open(configuration.ledger_url), configuration.openstack[0]
    folders = [site.folder / "outbox" / "demo-cloud" / "events"]
    with opened(ledger, settings, period, folders, **more) as books:  # type: ignore[arg-type]
        yield books


def append(
    site: Site,
    *records: Record | Owning,
    source: str = "demo",
    to: datetime | None = None,
    seen: datetime | None = None,
) -> None:
    """Record what no source ever said, with a watermark one hour after the last one, or another."""
    ledger = Ledger.open(load(site.folder / "xdmod-cloud.toml").ledger_url)
    mark = ledger.watermark(source)
    assert mark is not None
    reached = to or mark.at + HOUR
    with ledger.writer(source) as writer:
        run = writer.begin(Mode.CHANGES, mark.at)
        writer.finish(run, reached, seen or reached, records)


def findings(check: str, books: Books) -> list[Finding]:
    """What one check finds."""
    found = CHECKS[check](books)
    assert found.errors + found.warnings == len(found.findings)
    return list(found.findings)


def said(finding: Finding) -> tuple[str, str, str, str | None, str]:
    """A finding, to be compared."""
    return finding.scope, finding.expected, finding.actual, finding.difference, finding.severity


@pytest.mark.parametrize("check", CHECKS)
def test_a_month_in_order(recorded: Site, check: str) -> None:
    """Nothing is found, and there was something to be compared."""
    with books_of(recorded, limits=Limits(largest_drop_percent=25)) as books:
        found = CHECKS[check](books)
    assert found.findings == ()
    assert (found.compared > 0) == (found.not_checked is None)
    assert found.not_checked == ("no shares are stated" if check == "C7" else None)


def test_c1_a_session_that_begins_too_early(recorded: Site) -> None:
    """The server is named, and how many seconds would count twice; one that only touches the next one is in order."""
    with books_of(recorded) as books:
        cursor = books.engine.connection
        ((instance, start, end),) = cursor.execute(
            "SELECT instance, start_time_ts, end_time_ts FROM sessions WHERE end_time_ts - start_time_ts > 7200 LIMIT 1"
        ).fetchall()
        again = "SELECT * REPLACE (? AS start_time_ts, ? AS end_time_ts) FROM sessions WHERE instance = ? LIMIT 1"
        cursor.execute(f"INSERT INTO sessions {again}", [start - 60, start, instance])
        before = findings("C1", books)
        cursor.execute(f"INSERT INTO sessions {again}", [end - 100, end, instance])
        (finding,) = [one for one in findings("C1", books) if one not in before]
    assert (finding.scope, finding.difference, finding.severity) == (instance, "100 s counted twice", "error")


def test_c2_a_session_that_ends_before_it_begins(recorded: Site) -> None:
    """The server's seconds are less than those of its days."""
    with books_of(recorded) as books:
        books.engine.connection.execute(
            "INSERT INTO sessions SELECT * REPLACE ('backwards' AS instance, end_time_ts AS start_time_ts,"
            " start_time_ts AS end_time_ts, 1 AS instance_state_id)"
            " FROM sessions WHERE start_day_id < end_day_id AND end_day_id < 202600300 LIMIT 1"
        )
        found = findings("C2", books)
    assert {one.scope for one in found} == {"backwards"}
    assert [one.actual for one in found] == ["0 s by day", "0 core s by day"]


def test_c2_a_day_that_the_report_lost(recorded: Site) -> None:
    """The project is named, with what its days lack."""
    with books_of(recorded) as books:
        lost, *rest = books.report.daily
        assert isinstance(lost, Daily)
        found = findings("C2", books._replace(report=replace(books.report, daily=tuple(rest))))
    assert [(one.scope, one.difference) for one in found] == [(f"project {lost.project}", f"-{lost.core:,} core s")]


def less(report: UsageReport, name: str) -> UsageReport:
    """A report without the last of its groups."""
    return replace(report, **{name: getattr(report, name)[:-1]})


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("institutions", "total and institutions, what is unfunded among them"),
        ("pis", "total and PIs"),
        ("projects", "total and projects"),
        ("users", "total and users"),
        ("flavors", "total and flavors"),
        ("lines", "total and lines"),
        ("tree", "total and research projects by themselves"),
    ],
)
def test_c3_a_division_that_lost_one(recorded: Site, name: str, scope: str) -> None:
    """The division is named that no longer adds up to the total."""
    with books_of(recorded) as books:
        # The flavor that comes last in the month was never active; what it lost is time in other states.
        found = findings("C3", books._replace(report=less(books.report, name)))
    assert scope in {one.scope for one in found}
    assert {one.scope for one in found} <= {scope, "the whole site and all in it"}
    assert all(one.difference and one.difference.startswith("-") for one in found)


def test_c3_a_parent_that_is_not_its_children(recorded: Site) -> None:
    """The project of the tree is named, also where its own usage still adds up to the site's."""
    with books_of(recorded) as books:
        root, branch, *rest = books.report.tree
        wrong = replace(branch, total=replace(branch.total, active=branch.total.active + 5))
        found = findings("C3", books._replace(report=replace(books.report, tree=(root, wrong, *rest))))
    assert [(one.scope, one.difference) for one in found] == [
        ("the whole site and all in it", "+5 s"),
        (f"{branch.path[-1]} and all in it", "-5 s"),
    ]


def active(books: Books) -> Server:
    """A server that was active at the last reading, and not first seen then."""
    return next(
        one.history.server
        for one in books.living()
        if one.history.server.vm_state == "active" and one.history.observations[-1].at < READ - 6 * HOUR
    )


def action(server: Server, name: str, at: datetime) -> Action:
    """An action that nobody took."""
    return Action(server.id, name, f"req-{name}", at, at + timedelta(seconds=1))


def test_c4_a_server_that_ran_after_it_was_stopped(site: Site) -> None:
    """The last reading has it active; by its actions it is not."""
    with books_of(site) as books:
        server = active(books)
    append(site, action(server, "stop", READ - 3 * HOUR), to=READ + timedelta(seconds=1))
    with books_of(site) as books:
        (finding,) = findings("C4", books)
    assert said(finding) == (
        *(server.id, "an open active interval", "no open active interval, by its actions"),
        *(None, "error"),
    )


def test_c5_an_end_without_a_start(site: Site) -> None:
    """A server that was deleted before it was made is an error."""
    with books_of(site) as books:
        server = active(books)
    ghost = replace(
        server,
        id=InstanceId("ghost"),
        status="DELETED",
        vm_state="deleted",
        created=READ - 99 * HOUR,
        terminated=READ - 100 * HOUR,
    )
    append(site, ghost, action(ghost, "create", READ - 99 * HOUR), action(ghost, "delete", READ - 100 * HOUR))
    with books_of(site) as books:
        (finding,) = findings("C5", books)
    assert (finding.scope, finding.severity) == ("ghost", "error")
    assert (finding.expected, finding.actual) == ("create.start before delete.end", "the first event is delete.start")


def test_c5_a_start_of_what_was_not_stopped(site: Site) -> None:
    """A missing partner is a warning: no sum is wrong."""
    with books_of(site) as books:
        created = {one.history.server.id for one in books.lives() if one.life.transitions[0].at >= OCTOBER.start}
        server = next(one.history.server for one in books.living() if one.history.server.vm_state == "active")
        assert server.id in created
    append(site, action(server, "start", READ - 30 * HOUR))
    with books_of(site) as books:
        (finding,) = findings("C5", books)
    assert (finding.scope, finding.severity) == (server.id, "warning")
    assert finding.expected.startswith("power_off.end before power_on.end at 2026-10-31 00:00:01")


def test_c6_a_cloud_that_was_not_read_to_the_end(recorded: Site) -> None:
    """Two cadences before the end of the period, or before now, are in order; more is an error."""
    november = Period.month("2026-11")
    with books_of(recorded, november, now=READ + timedelta(minutes=40)) as books:
        assert [one for one in findings("C6", books) if one.severity == "error"] == []
    with books_of(recorded, november, now=READ + timedelta(minutes=41)) as books:
        (finding,) = [one for one in findings("C6", books) if one.severity == "error"]
    assert (finding.scope, finding.actual, finding.difference) == ("watermark", "2026-11-01T06:00:00Z", "0:41:00")
    with books_of(recorded, november, now=READ + 2 * HOUR, limits=Limits(cadence=HOUR)) as books:
        assert [one for one in findings("C6", books) if one.severity == "error"] == []


def test_c6_servers_that_are_gone(recorded: Site) -> None:
    """Of 14 servers 11 were left at the last reading."""
    with books_of(recorded) as books:
        (finding,) = findings("C6", books)
    assert said(finding) == ("number of servers", "90 % of the 14 before, at least", "11", "-21%", "warning")


def share(institution: str, part: str) -> Share:
    """A share that holds for the whole month."""
    project = ProjectKey("coldfront/7")
    return Share(project=project, institution=institution, share=part, since=OCTOBER.start, until=None)


def test_c7_shares_that_do_not_sum_to_one(site: Site) -> None:
    """What is missing is an error; what is said to be unfunded is told."""
    append(site, share("Northern University", "0.6"), share("Harbor Institute", "0.3"), source=SOURCE)
    with books_of(site) as books:
        (finding,) = findings("C7", books)
    scope = "project coldfront/7 from 2026-10-01T00:00:00Z"
    assert said(finding) == (scope, "1", "0.9", "-0.1", "error")
    append(site, share("unfunded", "0.1"), source=SOURCE)
    with books_of(site) as books:
        (finding,) = findings("C7", books)
    assert said(finding) == (scope, "1 by those who pay", "0.9", "0.1 of it nobody pays for", "warning")


def test_c8_files_that_are_not_what_was_exported(site: Site) -> None:
    """One lost an event, one was written again with the same events, one is gone."""
    shorter, other, gone = sorted((site.folder / "outbox" / "demo-cloud" / "events").glob("2026-10*.json"))[:3]
    events = shorter.read_text().splitlines()
    shorter.write_text("\n".join([events[0], *events[2:]]))
    other.write_text(other.read_text().replace('"service":"compute"', '"service":"Compute"'))
    gone.unlink()
    with books_of(site) as books:
        fewer, unlike = findings("C8", books)
        assert CHECKS["C8"](books).not_checked == "1 file is in none of the folders; name the one with --events"
    assert (fewer.scope, fewer.difference, fewer.severity) == (str(shorter), "-1", "error")
    assert (unlike.scope, unlike.expected[:8], unlike.severity) == (str(other), "SHA-256 ", "error")


def test_c9_a_change_that_only_a_reading_shows(site: Site) -> None:
    """A server that is found stopped, though nobody stopped it, is told with how it was dated."""
    with books_of(site) as books:
        server = active(books)
    append(site, replace(server, vm_state="stopped", status="SHUTOFF", power_state=4), seen=READ + HOUR)
    with books_of(site, Period.month("2026-11"), now=READ + 2 * HOUR) as books:
        (finding,) = findings("C9", books)
    assert (finding.scope, finding.severity) == (server.id, "warning")
    assert finding.expected == "an action for power_off.end at 2026-11-01 06:00:00 UTC"
    assert finding.actual == "only readings (inferred-state)"


def test_c10_a_server_without_a_size(site: Site) -> None:
    """What it used is in no sum of core hours: an error."""
    with books_of(site) as books:
        server = active(books)
    nameless = replace(server, id=InstanceId("nameless"), size=Size("unknown", 0, 0, 0), created=READ - 48 * HOUR)
    append(site, nameless, action(nameless, "create", READ - 48 * HOUR))
    with books_of(site) as books:
        (finding,) = findings("C10", books)
    assert (finding.scope, finding.actual, finding.severity) == ("nameless", "unknown", "error")


def test_c11_projects_of_nobody(recorded: Site) -> None:
    """Nothing is wrong with the sums, so that it is a warning; without any owners that is said once."""
    with books_of(recorded) as books:
        known = [one for one in books.owners if one.label.name != "nlp-archive"]
        of_unknown = [
            one._replace(institution="unknown", pi="unknown") for one in known if one.label.name == "protein-folding"
        ]
        rest = [one for one in known if one.label.name != "protein-folding"]
        found = findings("C11", books._replace(owners=[*rest, *of_unknown]))
        nothing = CHECKS["C11"](books._replace(owners=[]))
    assert [said(one) for one in found] == [
        ("project nlp-archive", "a project of the site that it belongs to", "none", None, "warning"),
        ("project protein-folding", "an institution", "unknown", None, "warning"),
        ("project protein-folding", "a PI", "unknown", None, "warning"),
    ]
    assert (nothing.findings, nothing.not_checked) == ((), "projects: it was never collected who owns them")


def test_c11_a_user_without_a_name(site: Site) -> None:
    """An id stands in for the name in every report."""
    with books_of(site) as books:
        server = active(books)
    stranger = replace(server, id=InstanceId("strange"), user="0815", created=READ - 48 * HOUR)
    append(site, stranger, Named(Kind.USER, "0815", None), action(stranger, "create", READ - 48 * HOUR))
    with books_of(site) as books:
        (finding,) = findings("C11", books)
    assert said(finding) == ("user 0815", "a name", "none that Keystone ever told", None, "warning")


def test_c12_an_old_answer(site: Site) -> None:
    """A watermark that went back, and an observation from before the last one, are errors."""
    with books_of(site) as books:
        server = active(books)
    append(site, replace(server, name="renamed"), to=READ - HOUR)
    with books_of(site) as books:
        back, old = findings("C12", books)
    assert (back.expected, back.actual) == ("a watermark after 2026-11-01T06:00:00Z", "2026-11-01T05:00:00Z")
    assert (old.expected, old.actual) == ("answers from 2026-11-01T06:00:00Z on", "one of 2026-11-01T05:00:00Z")
    assert back.severity == old.severity == "error"


def test_the_command_on_a_month_in_order(recorded: Site) -> None:
    """A table of all checks, the warnings below it; they are no failure."""
    done = call(recorded, "verify", "reports", "--month", "2026-10")
    assert done.returncode == 0, done.stderr
    assert all(f"│ {number} " in done.stdout for number in CHECKS)
    assert "demo: C6: warning: number of servers: 11, not 90 % of the 14 before, at least (-21%)" in done.stdout
    assert "demo: C7: not checked: no shares are stated" in done.stdout


def test_the_command_for_a_program(site: Site) -> None:
    """JSON as its schema has it, and exit 1 for an error."""
    done = call(site, "verify", "reports", "--month", "2026-10", "--json")
    (result,) = told = json.loads(done.stdout)
    schemas.validator("verify-reports").validate(told)
    assert (done.returncode, set(result["checks"])) == (0, set(CHECKS))
    file = next((site.folder / "outbox" / "demo-cloud" / "events").glob("2026-10*.json"))
    file.write_text("[]")
    done = call(site, "verify", "reports", "--month", "2026-10", "--json")
    (result,) = json.loads(done.stdout)
    assert (done.returncode, result["checks"]["C8"]["errors"]) == (1, 1)


def test_the_command_where_there_is_nothing(site: Site) -> None:
    """No such cloud, no period, nothing known of it: a line that says what to do."""
    for words, code, line in (
        (("nowhere", "--month", "2026-10"), 2, 'has no [[openstack]] "nowhere"'),
        (("--month", "2026-13"), 2, '"2026-13" is no month'),
        (("--month", "2019-10"), 1, "The ledger knows no server of demo in 2019-10-01"),
        (("--month", "2026-10", "--cadence", "0"), 2, "--cadence"),
    ):
        done = call(site, "verify", "reports", *words)
        assert (done.returncode, done.stdout) == (code, "")
        assert line in done.stderr


def test_many_findings(recorded: Site) -> None:
    """All are counted, the first hundred are named, and the document is as its schema has it."""
    configuration = load(recorded.folder / "xdmod-cloud.toml")
    ledger, settings = Ledger.open(configuration.ledger_url), configuration.openstack[0]

    def corrupt(books: Books) -> Checked:
        books.engine.connection.execute("UPDATE sessions SET num_cores = 0")
        books.engine.connection.execute(
            "INSERT INTO sessions SELECT s.* REPLACE (s.instance || n AS instance) FROM sessions AS s, range(9) AS r(n)"
        )
        return CHECKS["C10"](books)

    with opened(ledger, settings, OCTOBER, []) as books:
        found = corrupt(books)
    assert found.errors == 220
    assert len(found.findings) == 100
    whole = verify_reports(ledger, settings, OCTOBER)
    as_document([replace(whole, checks={**whole.checks, "C10": found})])


@pytest.mark.parametrize("seed", range(4))
def test_whatever_servers_do(tmp_path: Path, seed: int) -> None:
    """No life, whenever it is looked at, is an error but for sizes that nobody saw."""
    chance, cloud = Random(seed), SimulatedCloud(OCTOBER.start)
    operations = {*OPERATIONS, "evacuate", "migrate", "rescue", "unrescue"} - {"resize"}
    with Replay(cloud) as server:
        site = Site.beside(server, tmp_path)
        servers = [cloud.boot(f"server-{number}") for number in range(4)]
        for _ in range(40):
            cloud.advance(minutes=chance.randint(1, 300))
            one = chance.choice(servers)
            ends = {"delete"} if chance.random() < 0.8 else set[str]()
            if possible := sorted(set(cloud.possible(one)) & operations - ends):
                getattr(cloud, chance.choice(possible))(one)
            if chance.random() < 0.4:
                site.collect(sweep=chance.random() < 0.5)
                site.export()
        site.round(cloud.now.replace(minute=0, second=0) + 2 * HOUR)
        ledger, configuration = site.opened()
        found = verify_reports(ledger, configuration.openstack[0], OCTOBER, [site.outbox], now=cloud.now)
    assert {number: one.errors for number, one in found.checks.items() if one.errors and number != "C10"} == {}
    assert found.checks["C5"].compared >= 40
