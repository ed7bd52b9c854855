"""Reports of what an XDMoD has recorded: the same as of the events that it was made of, and of any other sessions."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import schemas
from hierarchy.owners import ALWAYS, Label, Owner
from hierarchy.projects import Projects
from ledger import ConfigurationError, DataError, Ledger
from ledger.ownership import ProjectKey
from operations.configuration import load
from operations.reports.usage import ledger_sessions
from reporter import By, Only, Period, UsageReport, usage_report
from reporter.engine_sessions import EngineSessions
from reporter.periods import zone_named
from reporter.session_list import Chosen
from reporter.xdmod.sessions import XdmodSessions
from reporter.xdmod.warehouse import Warehouse, grants
from tests.cli.here import call, call_at
from tests.cli.test_report_sessions import site
from tests.real.mariadb import MariaDB
from tests.real.test_warehouse import account, older, rows, server
from tests.reporter.histories import put
from tests.reporter.regression import EVENTS
from tests.reporter.test_attribution import Ownership, ownerships
from tests.reporter.test_usage_report import sessions
from tests.site import Site
from usage import Engine, Session

#: Fixtures, which this module gives to its tests.
__all__ = ["account", "older", "server", "site"]

APRIL = Period.month("2018-04")
CLOUD = 1
DIVISIONS: tuple[By, ...] = ("institution", "PI", "research project", "project", "user", "flavor")


@pytest.fixture(scope="module")
def recorded(xdmod_data: Path) -> Iterator[Engine]:
    """An engine that has read the events that the warehouse was made of."""
    with Engine(threads=2) as engine:
        engine.read(*(xdmod_data / folder for folder in EVENTS))
        yield engine


@contextmanager
def opened(server: MariaDB, *, owned: bool = False, user: str = "root") -> Iterator[XdmodSessions]:
    """The sessions of the warehouse's cloud."""
    with Warehouse.open(server.url("", user)) as warehouse, Engine(threads=2) as engine:
        yield XdmodSessions(warehouse, engine, CLOUD, owned=owned)


def lines_of(source: EngineSessions | XdmodSessions, report: UsageReport, owners: Sequence[Owner] = ()) -> list[str]:
    """The lines of the list of sessions, in no order."""
    return sorted("".join(source.lines("cloud", report, owners)).splitlines())


PERIODS = [
    APRIL,
    Period.days("2018-04-19", "2018-04-19", zone_named("Asia/Kolkata")),
    Period.month("2018-04", zone_named("America/New_York")),
    Period.days("2018-01-01", "2018-12-31"),
    Period.month("2018-06"),
]


@pytest.mark.parametrize("period", PERIODS, ids=lambda period: f"{period.name} {period.zone}")
def test_a_report_is_that_of_the_events(server: MariaDB, recorded: Engine, period: Period) -> None:
    """All of it, to the second, whatever the period and its time zone; and the same sessions are listed."""
    with opened(server) as source:
        ours, theirs = usage_report(source, period), usage_report(recorded, period)
        assert ours == theirs
        assert lines_of(source, ours) == lines_of(EngineSessions(recorded), theirs)


@pytest.mark.parametrize("by", DIVISIONS)
def test_a_report_by_one_thing(server: MariaDB, recorded: Engine, by: By) -> None:
    """It has what the whole report says of it, and no other division, nor lines and days."""
    with opened(server) as source:
        ours, theirs = usage_report(source, APRIL, by=(by,)), usage_report(recorded, APRIL, by=(by,))
        whole = usage_report(source, APRIL)
    assert ours == theirs
    assert ours.total == whole.total
    parts = {"project": "projects", "user": "users", "flavor": "flavors", "institution": "institutions", "PI": "pis"}
    for name in parts.values():
        assert getattr(ours, name) == (getattr(whole, name) if name == parts.get(by) else ())
    assert (ours.lines, ours.daily) == ((), ())


@pytest.mark.parametrize("version", ["11.0", "10.5", "10.0"])
def test_the_names_of_xdmod_itself(
    server: MariaDB, older: Callable[[str], AbstractContextManager[None]], version: str
) -> None:
    """Without a hierarchy, the PI and the PI's organization are those that XDMoD has, in every version."""

    @contextmanager
    def as_it_is() -> Iterator[None]:
        yield

    with as_it_is() if version == "11.0" else older(version), opened(server, owned=True) as source:
        report = usage_report(source, APRIL)
        assert source.warehouse.version == version
        assert [group.name for group in report.institutions] == ["MOC - Mass Open Cloud"]
        assert [group.name for group in report.pis] == ["Tern, Sandwich, MOC - Mass Open Cloud"]
        assert report.institutions[0].used == report.pis[0].used == report.total
        only = usage_report(source, APRIL, only=Only(pi="Tern, Sandwich", user="yerwa"))
        assert only.total == next(group.used for group in report.users if group.name == "yerwa")
        listed = "".join(source.lines("cloud", only, ())).splitlines()
        assert len(listed) == only.total.sessions
        assert all(',MOC - Mass Open Cloud,"Tern, Sandwich",' in line for line in listed)


# Any sessions


def record(server: MariaDB, drawn: Sequence[Session]) -> None:
    """Put sessions into XDMoD's tables, with ids for their names as XDMoD gives them."""
    ids: dict[tuple[str, object], int] = {}

    def number(kind: str, name: object) -> int:
        return 1 if name is None else ids.setdefault((kind, name), len(ids) + 2)

    kept = {(one.instance, one.start_time_ts, one.start_event_type_id): one for one in drawn}
    values = [
        (
            *(number("instance", one.instance), CLOUD, one.start_event_type_id, one.end_event_type_id),
            *(one.instance_type, number("flavor", (one.instance_type, one.num_cores)), one.num_cores, one.memory_mb),
            *(
                one.disk_gb,
                one.start_time_ts,
                one.end_time_ts,
                None if one.username is None else number("user", one.username),
            ),
            *(number("domain", one.domain), number("account", one.project), one.instance_state_id),
        )
        for one in kept.values()
    ]
    tables = {
        "instance": "modw_cloud.instance (instance_id, resource_id, provider_identifier) VALUES (%s, 1, %s)",
        "flavor": "modw_cloud.instance_type (instance_type_id, resource_id, display, instance_type, num_cores)"
        " VALUES (%s, 1, '', %s, %s)",
        "user": "modw.systemaccount (id, person_id, resource_id, username) VALUES (%s, -1, 1, %s)",
        "domain": "modw_cloud.domains (id, resource_id, name) VALUES (%s, 1, %s)",
        "account": "modw_cloud.account (account_id, resource_id, provider_account, display) VALUES (%s, 1, %s, %s)",
    }
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = ''")
        for statement in tables.values():
            table = statement.split()[0]
            cursor.execute(f"DELETE FROM {table} WHERE resource_id = 1")
        cursor.execute("DELETE FROM modw_cloud.session_records")
        for (kind, name), key in ids.items():
            named = (key, *name) if isinstance(name, tuple) else (key, name)
            cursor.execute(f"INSERT INTO {tables[kind]}", (key, f"id-{key}", name) if kind == "account" else named)
        cursor.executemany(
            "INSERT INTO modw_cloud.session_records (instance_id, resource_id, start_event_type_id, end_event_type_id,"
            " instance_type, instance_type_id, num_cores, memory_mb, disk_gb, start_time_ts, end_time_ts,"
            " systemaccount_id, domain_id, account_id, instance_state_id) VALUES"
            " (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            values,
        )


@pytest.fixture
def blank(server: MariaDB) -> Iterator[MariaDB]:
    """The warehouse, whose tables of sessions and names may be filled otherwise, and come back."""
    tables = [
        *("modw_cloud.session_records", "modw_cloud.instance", "modw_cloud.instance_type", "modw_cloud.account"),
        *("modw_cloud.domains", "modw.systemaccount"),
    ]
    for table in tables:
        server.execute(f"RENAME TABLE {table} TO {table}_kept", f"CREATE TABLE {table} LIKE {table}_kept")
    yield server
    for table in tables:
        server.execute(f"DROP TABLE {table}", f"RENAME TABLE {table}_kept TO {table}")


OCTOBERS = [Period.month("2026-10"), Period.month("2026-10", zone_named("Europe/Berlin"))]


@given(st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_sources_say_the_same(blank: MariaDB, data: st.DataObject) -> None:
    """Whatever the sessions, owners and shares are, and whatever is asked for, the reports are equal."""
    at_once = data.draw(st.sampled_from([1, 3, 1000]))
    drawn = data.draw(st.lists(sessions(), max_size=8))
    kept = {(one.instance, one.start_time_ts, one.start_event_type_id): one for one in drawn}
    # XDMoD's own names are compared without regard to letters, and it has none that is empty.
    named = [
        msgspec.structs.replace(one, project=one.project or None, username=one.username or None)
        for one in kept.values()
    ]
    ownership: Ownership = data.draw(ownerships())
    projects = Projects(ownership.facts)
    period, by = data.draw(st.sampled_from(OCTOBERS)), tuple(data.draw(st.sets(st.sampled_from(DIVISIONS))))
    record(blank, named)
    with (
        patch("reporter.xdmod.sessions._LINES_AT_ONCE", at_once),
        Engine(threads=1) as engine,
        opened(blank) as source,
    ):
        put(engine, named)
        theirs = usage_report(engine, period, ownership.owners, projects, by=by)
        ours = usage_report(source, period, ownership.owners, projects, by=by)
        assert ours == theirs
        if not by:
            assert lines_of(source, ours, ownership.owners) == lines_of(
                EngineSessions(engine), theirs, ownership.owners
            )
        for group in theirs.institutions[:2]:
            only = Only(institution=group.name or "unknown")
            part = usage_report(source, period, ownership.owners, projects, only)
            engine_part = usage_report(engine, period, ownership.owners, projects, only)
            assert part == engine_part
            assert part.total.core == group.used.core
            assert lines_of(source, part) == lines_of(EngineSessions(engine), engine_part)
            put(engine, named)


def one_session(instance: str, project: str, domain: str | None, start: int) -> Session:
    """An hour of a server of two cores in October 2026."""
    known: dict[str, Any] = dict.fromkeys(Session.__struct_fields__, 1)
    since = int(OCTOBERS[0].start.timestamp()) + start
    known |= {"instance": instance, "project": project, "domain": domain, "start_time_ts": since, "num_cores": 2}
    known |= {"end_time_ts": since + 3600, "instance_type": "m1.small", "host": None, "username": "ada"}
    return Session(**known)


@pytest.mark.parametrize("by", [("project", "research project"), ("institution", "PI"), ("project", "user")])
@pytest.mark.parametrize("domains", [False, True], ids=["by name", "by domain"])
def test_servers_are_counted_once(blank: MariaDB, by: tuple[By, ...], domains: bool) -> None:
    """Also those of a project in two domains, and those that moved between projects and domains."""
    named = [
        one_session("a", "physics", "one", 0),
        one_session("a", "physics", "one", 7200),
        one_session("b", "physics", "two", 0),
        one_session("moved", "physics", "one", 0),
        one_session("moved", "physics", "two", 7200),
        one_session("sold", "physics", "one", 0),
        one_session("sold", "biology", "one", 7200),
        one_session("c", "biology", None, 0),
    ]
    owners = [
        Owner(
            Label(project, domain if domains else None),
            *ALWAYS,
            f"{domain} University",
            *("Ann", "ann"),
            ProjectKey(f"{project}/{domain}"),
            ProjectKey(f"cloud/{project}/{domain}"),
        )
        for project, domain in (("physics", "one"), ("physics", "two"), ("biology", "one"))
        if domains or domain == "one"
    ]
    record(blank, named)
    with Engine(threads=1) as engine, opened(blank) as source:
        put(engine, named)
        ours = usage_report(source, OCTOBERS[0], owners, by=by)
        assert ours == usage_report(engine, OCTOBERS[0], owners, by=by)
    assert (ours.total.servers, ours.total.sessions) == (5, 8)


def named_alike() -> list[Session]:
    """Servers of two projects of one name in different domains, and of another one."""
    return [
        one_session("a", "physics", "one", 0),
        one_session("b", "physics", "two", 0),
        one_session("c", "biology", "one", 0),
    ]


@pytest.mark.parametrize("by", [(), ("project",)])
def test_projects_of_one_name(blank: MariaDB, by: tuple[By, ...]) -> None:
    """They are told apart by their domains, as of events, and each can be asked for."""
    record(blank, named_alike())
    with Engine(threads=1) as engine, opened(blank) as source:
        for only in (Only(), Only(project="physics@two"), Only(project="biology")):
            put(engine, named_alike())
            ours = usage_report(source, OCTOBERS[0], only=only, by=by)
            assert ours == usage_report(engine, OCTOBERS[0], only=only, by=by)
            names = {"physics@two": ["physics (two)"], "biology": ["biology"]}
            whole = ["biology", "physics (one)", "physics (two)"]
            assert [group.name for group in ours.projects] == names.get(only.project or "", whole)
        with pytest.raises(ConfigurationError, match="Name one as: physics@one; physics@two"):
            usage_report(source, OCTOBERS[0], only=Only(project="physics"), by=by)


def test_projects_of_one_name_that_xdmod_gives_to_a_pi(blank: MariaDB, tmp_path: Path) -> None:
    """Also their charges and statements tell them apart, where XDMoD alone knows whose they are."""
    record(blank, named_alike())
    card = tmp_path / "card.toml"
    card.write_text(CARD.format(hours="ceil_total"))
    words = ("--month", "2026-10", "--xdmod", blank.url(""), "--json", "--rates", str(card))

    def told(what: str, *more: str) -> list[Any]:
        done = call_at(tmp_path, "report", what, *words, *more, "--output", str(tmp_path / "out"))
        assert done.returncode == 0, done.stderr
        return list(msgspec.json.decode(done.stdout))

    (whole,), (part,) = told("usage"), told("usage", "--project", "physics@two")
    costs = {line["project"]: line["cost"] for line in whole["report"]["charges"]["lines"]}
    assert list(costs) == ["biology", "physics (one)", "physics (two)"]
    assert [group["name"] for group in part["report"]["projects"]] == ["physics (two)"]
    assert part["report"]["charges"]["total"] == costs["physics (two)"]
    subjects = [one["subject"] for one in told("statement", "--all")]
    assert subjects == ["project biology", "project physics (one)", "project physics (two)"]
    (asked,) = told("statement", "--project", "physics@two")
    assert {line["instance"] for line in asked["lines"]} == {"b"}
    assert asked["report"]["charges"]["total"] == costs["physics (two)"]
    refused = call_at(tmp_path, "report", "statement", *words, "--project", "physics", "--output", str(tmp_path / "no"))
    assert (refused.returncode, refused.stdout) == (2, "[]\n" if refused.stdout else "")
    assert "Name one as: physics@one; physics@two" in refused.stderr


# The commands


CARD = """
currency = "USD"
hours = "{hours}"

[[unit]]
name = "SU"
per = {{ vcpus = 1, memory_mib = 4096 }}
flavors = ["*"]

[[rate]]
unit = "SU"
price = "0.013"
from = 2026-01-01

[[outage]]
from = 2026-10-12T02:00:00+00:00
until = 2026-10-12T03:00:00+00:00
"""


@pytest.fixture
def ingested(blank: MariaDB, site: Site) -> Iterator[MariaDB]:
    """The warehouse of an XDMoD that has ingested the events of the site's cloud."""
    configuration = load(site.folder / "xdmod-cloud.toml")
    (settings,), ledger = configuration.openstack, Ledger.open(configuration.ledger_url)
    october = Period.month("2026-10")
    with ledger_sessions(ledger, settings, (october.start, october.end)) as engine:
        record(blank, list(engine.sessions()))
    blank.execute(f"UPDATE modw.resourcefact SET code = '{settings.resource}' WHERE id = {CLOUD}")
    yield blank
    blank.execute(f"UPDATE modw.resourcefact SET code = 'openstack' WHERE id = {CLOUD}")


def both(site: Site, server: MariaDB, *words: str) -> tuple[Any, Any]:
    """What a report of the cloud says as JSON, made of the ledger, and made of XDMoD."""
    asked = (*words, "--month", "2026-10", "--time-zone", "Europe/Berlin", "--json")
    said = []
    for folder, more in (("of-ledger", ()), ("of-xdmod", ("--xdmod", server.url("")))):
        done = call(site, *asked, "--output", str(site.folder / folder), *more)
        assert done.returncode == 0, done.stderr
        said.append(msgspec.json.decode(done.stdout))
    theirs, ours = said
    return theirs, ours


@pytest.mark.parametrize("hours", ["exact", "ceil_per_instance", "ceil_total", "min_1h_per_session"])
def test_charges_are_those_of_the_ledger(ingested: MariaDB, site: Site, hours: str) -> None:
    """By project, institution, share and price, however hours are rounded; the provenance names the card."""
    card = site.folder / "card.toml"
    card.write_text(CARD.format(hours=hours))
    (theirs,), (ours,) = both(site, ingested, "report", "usage", "demo", "--rates", str(card))
    assert ours["report"]["charges"] == theirs["report"]["charges"]
    assert Decimal(ours["report"]["charges"]["total"]) > 0
    assert "card.toml" in [name for name, _ in ours["provenance"]["digests"]]


@pytest.mark.parametrize("whose", [("--project", "galaxy-formation"), ("--pi", "Amara Okafor"), ("--all",)])
def test_statements_are_those_of_the_ledger(ingested: MariaDB, site: Site, whose: tuple[str, ...]) -> None:
    """Line by line, with the names of servers and the log, for the configuration has the cloud, and its ledger both."""
    card = site.folder / "card.toml"
    card.write_text(CARD.format(hours="exact"))
    theirs, ours = both(site, ingested, "report", "statement", "demo", *whose, "--rates", str(card))
    assert [one["subject"] for one in ours] == [one["subject"] for one in theirs] != []
    for one, other in zip(ours, theirs, strict=True):
        assert one["lines"] == other["lines"] != []
        assert one["log"] == other["log"] != []
        assert one["report"] == other["report"]


def test_a_statement_of_xdmod_alone(server: MariaDB, tmp_path: Path) -> None:
    """Projects are those of XDMoD's PIs, servers are called by their ids, and it says that there is no log."""
    (tmp_path / "card.toml").write_text(CARD.format(hours="exact").replace("2026-", "2018-"))
    place = ("--month", "2018-04", "--xdmod", server.url(""), "--rates", "card.toml")
    done = call_at(tmp_path, "report", "statement", *place, "--pi", "Tern, Sandwich")
    assert done.returncode == 0, done.stderr
    assert "XDMoD knows neither the names of servers nor what was done to them" in done.stdout
    (folder,) = (tmp_path / "reports" / "openstack").iterdir()
    made = tables(folder)
    assert list(made) == ["statement-charges-2018-04.csv", "statement-lines-2018-04.csv"]
    usage = call_at(tmp_path, "report", "usage", *place, "--json", "--output", "usage")
    (said,) = msgspec.json.decode(usage.stdout)
    charges, lines = said["report"]["charges"], made["statement-lines-2018-04.csv"]
    (part,) = charges["institutions"]
    assert (part["institution"], part["cost"]) == ("MOC - Mass Open Cloud", charges["total"])
    assert abs(sum(Decimal(row["cost"] or 0) for row in lines) - Decimal(charges["total"])) < Decimal("0.01") * len(
        lines
    )
    for state in ("active", "inactive", "shelved"):
        seconds = sum(int(row["seconds"]) for row in lines if row["state"] == state)
        assert seconds == said["report"]["total"][state]
    assert {row["server"] for row in lines} == {"unknown"}


def test_what_was_published_of_xdmod(ingested: MariaDB, site: Site) -> None:
    """A statement and a report with charges that were handed out are made again of XDMoD, and hold."""
    card = site.folder / "card.toml"
    card.write_text(CARD.format(hours="exact"))
    place = ("demo", "--month", "2026-10", "--rates", str(card), "--output", str(site.folder / "out"))
    database = ("--xdmod", ingested.url(""))
    for words in (("usage",), ("statement", "--project", "galaxy-formation")):
        done = call(site, "report", *words, *place, *database, "--publish")
        assert done.returncode == 0, done.stderr
    records = list((site.folder / "published").glob("*/*/report.json"))
    assert len(records) == 2
    for record_file in records:
        done = call(site, "report", "verify", str(record_file), *database)
        assert (done.returncode, "Today's data still give it." in done.stdout) == (0, True), done.stdout + done.stderr
    ingested.execute("DELETE FROM modw_cloud.session_records WHERE resource_id = 1 ORDER BY wallduration LIMIT 40")
    assert {call(site, "report", "verify", str(one), *database).returncode for one in records} == {1}


def test_the_hierarchy_counts_for_what_xdmod_recorded(ingested: MariaDB, site: Site) -> None:
    """With the configuration of a cloud, its resource's report is that of its ledger, owners and all."""
    (theirs,), (ours,) = both(site, ingested, "report", "usage", "demo")
    assert ours["report"] == theirs["report"]
    assert {group["name"] for group in ours["report"]["institutions"]} >= {"Northern University", "Harbor Institute"}
    assert ours["provenance"]["source"] != theirs["provenance"]["source"]


def tables(folder: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of every CSV file in a folder."""
    return {path.name: list(csv.DictReader(path.open(newline=""))) for path in sorted(folder.glob("*.csv"))}


def test_the_command_needs_no_configuration(server: MariaDB, tmp_path: Path) -> None:
    """In an empty folder it reports all resources with sessions; the files agree, and say what they are made of."""
    done = call_at(tmp_path, "report", "usage", "--month", "2018-04", "--xdmod", server.url(""), "--json")
    assert done.returncode == 0, done.stderr
    (said,) = msgspec.json.decode(done.stdout)
    files = tables(tmp_path / "reports" / "openstack")
    assert list(files) == ["sessions-2018-04.csv", "usage-2018-04.csv"]
    listed, used = (Counter[str](), Counter[str]())
    for row in files["sessions-2018-04.csv"]:
        schemas.validator("session-list-csv").validate(row)
        listed[row["user"]] += int(row["core_seconds_in_period"])
    for row in files["usage-2018-04.csv"]:
        used[row["user"]] += int(row["core_seconds"])
    assert listed == used
    made = said["provenance"]
    assert made["source"] == "XDMoD 11.0 at localhost, resource openstack"
    assert made["version"].startswith("sessions last modified 20")
    assert [name for name, _ in made["digests"]] == list(files)
    assert all("modw_cloud.session_records" in statement for statement in made["query"])


def test_a_division_alone_has_its_own_files(server: MariaDB, tmp_path: Path) -> None:
    """Each row is as its schema has it, each division adds up to the total, and there is no list of sessions."""
    words = ("--by", "user", "--by", "project", "--from", "2018-04-19", "--to", "2018-04-20")
    done = call_at(tmp_path, "report", "usage", "openstack", *words, "--xdmod", server.url(""))
    assert done.returncode == 0, done.stderr
    ((name, found),) = tables(tmp_path / "reports" / "openstack").items()
    assert name == "usage-by-user-project-2018-04-19_2018-04-20.csv"
    sums = Counter[str]()
    for row in found:
        schemas.validator("usage-by-csv").validate(row)
        sums[row["by"]] += int(row["core_seconds"])
    assert sums["user"] == sums["project"] == sums["total"] > 0


def test_the_list_of_sessions_is_that_of_the_report(server: MariaDB, tmp_path: Path) -> None:
    """Line for line; filters leave a part of it, in the same order."""
    place = ("--month", "2018-04", "--xdmod", server.url(""))
    assert call_at(tmp_path, "report", "usage", *place).returncode == 0
    listed = call_at(tmp_path, "report", "sessions", *place).stdout
    assert listed == (tmp_path / "reports" / "openstack" / "sessions-2018-04.csv").read_bytes().decode()
    of_one = call_at(tmp_path, "report", "sessions", *place, "--user", "ylwwa", "--project", "zealous").stdout
    assert of_one.splitlines()[1:] == [line for line in listed.splitlines() if ",ylwwa," in line]


def test_jobs(server: MariaDB, tmp_path: Path) -> None:
    """Every job that touches the days is there once, and their hours are those that the shredded jobs have."""
    place = ("--jobs", "--month", "2017-01", "--xdmod", server.url(""))
    listed = call_at(tmp_path, "report", "sessions", *place)
    found = list(csv.DictReader(listed.stdout.splitlines(keepends=True)))
    for row in found:
        schemas.validator("job-list-csv").validate(row)
    since, until = Period.month("2017-01").seconds
    ((count, seconds, cores),) = rows(
        server,
        f"SELECT COUNT(*), SUM(GREATEST(0, LEAST(end_time, {until}) - GREATEST(start_time, {since}))),"
        f" SUM(processors * GREATEST(0, CAST(LEAST(end_time, {until}) AS SIGNED) - GREATEST(start_time, {since})))"
        f" FROM mod_hpcdb.hpcdb_jobs WHERE start_time < {until} AND (end_time > {since} OR start_time >= {since})",
    )
    assert len({row["id"] for row in found}) == len(found) == count > 100
    assert sum(int(row["seconds_in_period"]) for row in found) == seconds
    assert sum(int(row["core_seconds_in_period"]) for row in found) == cores
    of_one = call_at(tmp_path, "report", "sessions", *place, "--user", "noror").stdout
    assert len(of_one.splitlines()) - 1 == sum(row["user"] == "noror" for row in found) > 0
    assert call_at(tmp_path, "report", "sessions", *place, "--user", "NoRor").stdout == of_one
    project = next(row["project"] for row in found if row["user"] == "noror")
    of_project = call_at(tmp_path, "report", "sessions", *place, "--project", project).stdout
    assert len(of_project.splitlines()) - 1 == sum(row["project"] == project for row in found) > 0
    assert call_at(tmp_path, "report", "sessions", *place, "--project", project.upper()).stdout == of_project


def test_more_sessions_than_the_database_sends_at_once(server: MariaDB) -> None:
    """It is said of which server they are, and what to do."""
    ((before,),) = rows(server, "SELECT @@GLOBAL.max_allowed_packet")
    some = "SELECT * FROM modw_cloud.session_records WHERE instance_id <> 1 AND instance_type_id <> 1"
    server.execute(f"CREATE TABLE modw_cloud.more AS {some} LIMIT 100")
    server.execute("UPDATE modw_cloud.more SET session_id = session_id + 900000, start_event_type_id = session_id")
    server.execute(f"UPDATE modw_cloud.more SET instance_id = (SELECT MIN(instance_id) FROM ({some}) AS some)")
    server.execute("INSERT INTO modw_cloud.session_records SELECT * FROM modw_cloud.more")
    server.execute("SET GLOBAL max_allowed_packet = 4096")
    try:
        with (
            opened(server) as source,
            pytest.raises(DataError, match=r"The server [\w-]+ has 1\d\d sessions .* max_allowed_packet higher"),
        ):
            list(source.listed("cloud", Period.days("2018-01-01", "2018-12-31"), [], Chosen()))
    finally:
        server.execute(f"SET GLOBAL max_allowed_packet = {before}")
        server.execute("DELETE FROM modw_cloud.session_records WHERE session_id >= 900000")
        server.execute("DROP TABLE modw_cloud.more")


def test_jobs_of_users_who_differ_by_case(server: MariaDB, tmp_path: Path) -> None:
    """The one that is written exactly so is meant; else it has to be said which."""
    (one,) = rows(server, "SELECT MIN(job_id) FROM mod_hpcdb.hpcdb_jobs WHERE username = 'noror'")
    place = ("report", "sessions", "--jobs", "--from", "2016-01-01", "--to", "2019-12-31", "--xdmod", server.url(""))
    whole = call_at(tmp_path, *place, "--user", "noror").stdout.splitlines()
    server.execute(f"UPDATE mod_hpcdb.hpcdb_jobs SET username = 'Noror' WHERE job_id = {one[0]}")
    try:
        alone, others = (call_at(tmp_path, *place, "--user", name).stdout.splitlines() for name in ("Noror", "noror"))
        assert (len(alone), len(others)) == (2, len(whole) - 1)
        asked = call_at(tmp_path, *place, "--user", "NOROR")
        assert (asked.returncode, asked.stdout) == (2, "")
        assert "Near it: noror" in asked.stderr
    finally:
        server.execute(f"UPDATE mod_hpcdb.hpcdb_jobs SET username = 'noror' WHERE job_id = {one[0]}")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("usage", "nowhere"), 2, 'XDMoD has no resource "nowhere" (it has: cinder, openshift_prod, openstack)'),
        (("usage", "--project", "zealos"), 2, 'There is no project "zealos". Near it: zealous'),
        (("usage", "--user", "=x"), 2, 'There is no user "=x"'),
        (("usage", "--institution", "MOC"), 2, 'There is no institution "MOC"'),
        (("usage", "--time-zone", "Berlin"), 2, "is no time zone"),
        (("sessions", "nowhere"), 2, 'XDMoD has no resource "nowhere"'),
        (("sessions", "--project", "../x"), 2, 'XDMoD has no project "../x" (it has: youthful, zealous, zen)'),
        (("sessions", "--user", "unknown"), 2, 'XDMoD has no user "unknown"'),
        (("sessions", "--institution", "MOC"), 2, 'no institution "MOC" (it has: MOC - Mass Open Cloud)'),
        (("sessions", "--jobs", "nowhere"), 2, 'XDMoD has no resource "nowhere"'),
        (("sessions", "--jobs", "--institution", "MOC"), 2, "name no institution"),
        (("sessions", "--jobs", "--user", "norror"), 2, 'No job in XDMoD is of a user "norror". Near it: noror'),
        (("sessions", "--jobs", "--project", "../x"), 2, 'No job in XDMoD is of a project "../x". Known: '),
    ],
)
def test_odd_questions(server: MariaDB, tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    """They are answered in one line, and leave no file."""
    done = call_at(tmp_path, "report", *words, "--month", "2018-04", "--xdmod", server.url(""))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_period_without_sessions(server: MariaDB, tmp_path: Path) -> None:
    """It is no error: the note says when there are sessions; the last month is what is meant where none is named."""
    done = call_at(tmp_path, "report", "usage", "--by", "project", "--xdmod", server.url(""))
    assert done.returncode == 0
    assert "What was read holds sessions from 2018-04-18 01:03 UTC to 2018-04-30 23:00 UTC" in done.stdout
    assert Period.last_month().name in done.stdout


ASKED = {"usage": (("usage",), ("sessions",)), "jobs": (("sessions", "--jobs"),)}


def ask_for(report: str, server: MariaDB, account: str, folder: Path) -> None:
    """Ask for all that a right is for, and raise what is refused."""
    folder.mkdir()
    for words in ASKED[report]:
        done = call_at(folder, "report", *words, "--month", "2018-04", "--xdmod", server.url("", account))
        if done.returncode:
            raise ConfigurationError(done.stderr)


@pytest.mark.parametrize("report", ASKED)
def test_the_grants_of_reports_are_enough_and_none_is_too_many(
    server: MariaDB, account: str, tmp_path: Path, report: str
) -> None:
    """With all of them every report can be made; without one of them the message says which, and no file is left."""
    statements = grants(f"{account}@localhost", realms=(), reports=[report])
    server.execute(*statements)
    ask_for(report, server, account, tmp_path / "all")
    for statement in statements:
        server.execute(statement.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
        table, folder = statement.split()[3], tmp_path / statement.split()[3]
        with pytest.raises(ConfigurationError) as refused:
            ask_for(report, server, account, folder)
        assert f"'reader'@'localhost' may not read {table} of" in str(refused.value)
        assert [path for path in folder.rglob("*") if path.is_file() and path.name.startswith(".")] == []
        server.execute(statement)


def test_a_schema_that_is_none(
    server: MariaDB, older: Callable[[str], AbstractContextManager[None]], tmp_path: Path
) -> None:
    """What is no session of an XDMoD is not summed up."""
    with older("10.5"):
        server.execute("ALTER TABLE modw_cloud.session_records DROP COLUMN num_cores")
        done = call_at(tmp_path, "report", "usage", "--xdmod", server.url(""))
    assert (done.returncode, done.stdout) == (2, "")
    assert "is of no XDMoD that is known here" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_is_lost_midway(server: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database ends the connection while sessions are written: no file is there, whole or not; later it works."""
    texts = Warehouse.texts

    def cut(self: Warehouse, statement: str, at_once: int = 1) -> Iterator[list[str]]:
        ((number,),) = self.ask("SELECT CONNECTION_ID()")
        if "provider_identifier" in statement:
            server.execute(f"KILL {number}")
        yield from texts(self, statement, at_once)

    words = ("report", "usage", "--month", "2018-04", "--xdmod", server.url(""))
    with monkeypatch.context() as patched:
        patched.setattr(Warehouse, "texts", cut)
        done = call_at(tmp_path, *words)
    assert (done.returncode, done.stdout) == (75, "")
    assert "does not answer" in done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert call_at(tmp_path, *words).returncode == 0
