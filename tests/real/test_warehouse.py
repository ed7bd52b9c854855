"""XDMoD's cloud statistics from a real warehouse: the dump of an Open XDMoD 11.0.4, in a MariaDB of the tests' own."""

import gzip
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.statistic import statistic
from ledger import ConfigurationError, SourceUnavailable
from reporter.capacities import spans, specified
from reporter.statistic import answer, question
from reporter.xdmod.warehouse import VERSIONS, Warehouse, grants
from tests.real.mariadb import MariaDB
from tests.reporter.regression import TABLES, asked, expected, shown
from usage.statistics import DIMENSIONS, STATISTICS, SUMMED, UNITS, Attribute, Dimension, available

YEAR = (date(2018, 1, 1), date(2018, 12, 31))


@pytest.fixture(scope="session")
def server(mariadb: MariaDB, xdmod_data: Path) -> MariaDB:
    """The server with the warehouse in it, loaded once for a session of tests."""
    client = shutil.which("mariadb") or shutil.which("mysql")
    assert client, "a server comes with its client"
    # What XDMoD makes of a missing date, 0000-00-00, is refused by default.
    words = [client, "--no-defaults", f"--socket={mariadb.socket}", "--user=root", "--init-command=SET sql_mode=''"]
    dump = gzip.decompress((xdmod_data / "xdmod-database.sql.gz").read_bytes())
    subprocess.run(words, input=dump, check=True, capture_output=True)
    return mariadb


@pytest.fixture
def warehouse(server: MariaDB) -> Iterator[Warehouse]:
    """The warehouse, opened as its owner."""
    with Warehouse.open(server.url("")) as opened:
        yield opened


def rows(server: MariaDB, asked_for: str) -> tuple[tuple[Any, ...], ...]:
    """What the database itself answers."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(asked_for)
        return cursor.fetchall()


@pytest.mark.parametrize(("dimension", "name", "series", "unit"), TABLES)
def test_session_records_say_what_xdmods_suite_expects(
    warehouse: Warehouse, xdmod_data: Path, dimension: str, name: str, series: bool, unit: str
) -> None:
    """Value by value, to its four decimals, with its labels and in its order."""
    assert shown(warehouse, dimension, name, series, unit) == expected(xdmod_data, dimension, name, series, unit)


#: All that XDMoD groups by when it stores, by the columns of its sessions.
GROUPED = (
    *("resource_id", "account_id", "person_id", "person_organization_id", "systemaccount_id", "instance_type_id"),
    *("processorbucket_id", "memorybucket_id", "submission_venue_id", "domain_id", "service_provider"),
    *("principalinvestigator_person_id", "piperson_organization_id", "fos_id", "instance_state_id"),
)


@pytest.mark.parametrize("unit", UNITS)
def test_sums_are_those_that_xdmod_stored(
    server: MariaDB, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, unit: str
) -> None:
    """Row by row, as XDMoD aggregated the same sessions: every fact, by all dimensions at once."""
    together = f"CONCAT_WS('/', {', '.join(f'sr.{column}' for column in GROUPED)})"
    all_at_once = Dimension(Attribute("modw.resourcefact", "a.id = sr.resource_id", together, together))
    monkeypatch.setitem(DIMENSIONS, "all", all_at_once)
    ours = {
        (row[0], row[2]): {name: int(value) for name, value in zip(SUMMED, row[6:], strict=True)}
        for row in warehouse.sums("all", UNITS[unit], *YEAR, series=True)
    }
    stored = together.replace("sr.resource_id", "host_resource_id").replace("sr.", "")
    theirs = rows(
        server,
        f"SELECT {unit}_id, {stored}, wallduration, core_time, memory_reserved, rv_storage_reserved,"
        " IF(instance_state_id = 1, wallduration, 0), num_sessions_started, num_sessions_ended, num_sessions_running"
        f" FROM modw_cloud.cloudfact_by_{unit}",
    )
    assert len(theirs) > 20
    assert {
        key: (
            *(it["wall"], it["core"], it["memory"] * 2**20, it["disk"] * 2**30, it["active_wall"]),
            *(it["started"], it["ended"], it["running"]),
        )
        for key, it in ours.items()
    } == {(period, key): tuple(map(int, facts)) for period, key, *facts in theirs}


#: The days of the suite by each dimension, and for one dimension days that begin later, or long before any session.
ASKED = [
    *((dimension, unit, "2018-04-18", "2018-04-30") for dimension in DIMENSIONS for unit in ("day", "month")),
    *(("configuration", unit, "2018-04-20", "2018-04-26") for unit in UNITS),
    *(("configuration", unit, "2017-01-01", "2020-12-31") for unit in UNITS),
]


@pytest.mark.parametrize(("dimension", "unit", "first", "last"), ASKED)
def test_values_are_those_of_xdmods_own_formulas(
    server: MariaDB, warehouse: Warehouse, xdmod_data: Path, dimension: str, unit: str, first: str, last: str
) -> None:
    """XDMoD's formulas, as its configuration has them, over its own tables, give the same of every statistic."""
    formulas = json.loads((xdmod_data / "schemas" / "datawarehouse-Cloud-statistics.json").read_bytes())
    for series in (False, True):
        theirs = xdmods(server, formulas, dimension, unit, first, last, series=series)
        for number, name in enumerate(STATISTICS):
            ours = answer(warehouse, question(name, dimension, unit, first, last, series=series))
            wanted = {(period, label): float(facts[number]) for period, label, *facts in theirs}
            assert len(ours) >= len(wanted) > 0
            for row in ours:
                # MariaDB rounds a quotient to four decimals.
                assert row.value == pytest.approx(wanted.get((row.period, row.dimension), 0), abs=0.00006), name


def xdmods(
    server: MariaDB, formulas: dict[str, Any], dimension: str, unit: str, since: str, until: str, *, series: bool
) -> list[tuple[Any, ...]]:
    """Period, label and all statistics, as XDMoD itself would ask its tables for them."""
    table, key = f"modw_cloud.cloudfact_by_{unit}", f"{unit}_id"
    within = f"d.{unit}_start <= '{until}' AND d.{unit}_end > '{since}'"
    ((first, last),) = rows(
        server, f"SELECT MIN({key}), MAX({key}) FROM {table} JOIN modw.{unit}s AS d ON d.id = {key} WHERE {within}"
    )
    variables = {
        "DATE_TABLE_ID_FIELD": f"agg.{key}",
        "MIN_DATE_ID": str(first),
        "MAX_DATE_ID": str(last),
        "AGGREGATION_UNIT": unit,
    }
    kind = "timeseries_formula" if series else "aggregate_formula"
    chosen = [formulas[name].get("formula") or formulas[name][kind] for name in STATISTICS]
    values = [re.sub(r"\$\{(\w+)\}", lambda found: variables[found[1]], formula) for formula in chosen]
    attribute = DIMENSIONS[dimension].attribute
    joined, label, group = "", "'Summary'", "1"
    if attribute:
        on = attribute.on.replace("sr.resource_id", "agg.host_resource_id").replace("sr.", "agg.")
        joined, label, group = f"JOIN {attribute.table} AS a ON {on}", attribute.label, attribute.id
    found = rows(
        server,
        f"SELECT {f'agg.{key}' if series else 'NULL'}, {label}, {', '.join(values)} FROM {table} AS agg {joined}"
        f" WHERE agg.{key} BETWEEN {first} AND {last} GROUP BY {f'agg.{key}, ' if series else ''}{group}",
    )
    return [(UNITS[unit].label(period) if period else None, *rest) for period, *rest in found]


@pytest.mark.parametrize("unit", UNITS)
def test_capacities_are_those_that_xdmod_stored(server: MariaDB, warehouse: Warehouse, unit: str) -> None:
    """Core seconds of every period and resource, up to the day of the last ingest, where XDMoD ends what is open."""
    cores, percents = warehouse.capacities()
    periods = warehouse.periods(UNITS[unit], date(2018, 1, 1), date(2026, 12, 31))
    ours = {(period.id, key): it for period in periods for key, it in available(cores, percents, period).items()}
    theirs = rows(
        server,
        f"SELECT {unit}_id, record_resource_id, allocated_cpu_core_time"
        f" FROM modw_aggregates.resourcespecsfact_by_{unit}",
    )
    assert len(theirs) > 10
    assert {key: ours[key] for key in ours if key[1] in (1, 2)} == {(period, key): it for period, key, it in theirs}


def test_the_utilization_of_a_warehouse(warehouse: Warehouse, tmp_path: Path) -> None:
    """Without cores in XDMoD's own specifications it is 0, as there; a file that is named counts instead."""
    wanted = asked("cloud_core_utilization", "resource", "month", series=False)
    assert [row.value for row in answer(warehouse, wanted)] == [0]
    file = tmp_path / "resource_specs.json"
    file.write_text('[{"resource": "openstack", "start_date": "2018-04-18", "cpu_processor_count": 234}]')
    given = spans(specified(file), warehouse.resources(), date(2026, 11, 22))
    (row,) = answer(warehouse, wanted, given)
    assert row.value == pytest.approx(1755.8894444 / (13 * 24 * 234) * 100, rel=1e-9)


@pytest.fixture
def older(server: MariaDB) -> Callable[[str], AbstractContextManager[None]]:
    """Let the sessions for a while be those of an older version, without the columns that came later."""

    @contextmanager
    def of(version: str) -> Iterator[None]:
        server.execute("RENAME TABLE modw_cloud.session_records TO modw_cloud.session_records_kept")
        try:
            lost = [f"DROP COLUMN {column}" for column in VERSIONS["11.0"] - VERSIONS[version]]
            server.execute(
                "CREATE TABLE modw_cloud.session_records AS SELECT * FROM modw_cloud.session_records_kept",
                f"ALTER TABLE modw_cloud.session_records {', '.join(lost)}",
            )
            yield
        finally:
            server.execute(
                "DROP TABLE IF EXISTS modw_cloud.session_records",
                "RENAME TABLE modw_cloud.session_records_kept TO modw_cloud.session_records",
            )

    return of


@pytest.mark.parametrize(
    ("version", "lacks"),
    [
        ("10.5", {"institution", "pi_institution"}),
        ("10.0", {"institution", "pi_institution", "instance_state"}),
    ],
)
def test_older_versions_say_the_same(
    server: MariaDB,
    older: Callable[[str], AbstractContextManager[None]],
    xdmod_data: Path,
    version: str,
    lacks: set[str],
) -> None:
    """By all dimensions that they have; what their sessions lack is told apart from what there is nowhere."""
    with older(version), Warehouse.open(server.url("")) as opened:
        assert opened.version == version
        assert DIMENSIONS.keys() - opened.dimensions.keys() == lacks
        for dimension, name, series, unit in TABLES:
            assert shown(opened, dimension, name, series, unit) == expected(xdmod_data, dimension, name, series, unit)
        with pytest.raises(ConfigurationError, match=r"no dimension institution \(it has: none, configuration"):
            answer(opened, asked("cloud_wall_time", "institution", "day", series=True))


def test_older_versions_divide_by_hypervisor_facts(
    server: MariaDB, older: Callable[[str], AbstractContextManager[None]]
) -> None:
    """Before 11.0 XDMoD counts the cores of all hosts of a day, and leaves out the last second of a host."""
    server.execute("UPDATE modw_cloud.cloud_resource_specs SET end_date_ts = 1524095999 WHERE host_id = 6")
    with older("10.0"), Warehouse.open(server.url("")) as opened:
        cores, percents = opened.capacities()
        days = opened.periods(UNITS["day"], date(2018, 4, 16), date(2018, 4, 19))
        assert [available(cores, percents, day).get(1) for day in days] == [
            None,
            5 * 56 * 86_400,
            6 * 56 * 86_400 - 56,
            5 * 56 * 86_400,
        ]


def test_a_schema_that_is_none(server: MariaDB, older: Callable[[str], AbstractContextManager[None]]) -> None:
    """Sessions that lack what every version has are not taken for those of any."""
    with older("10.5"):
        server.execute("ALTER TABLE modw_cloud.session_records DROP COLUMN num_cores, DROP COLUMN fos_id")
        with pytest.raises(ConfigurationError, match=r"is of no XDMoD.*: it has no fos_id, num_cores\."):
            Warehouse.open(server.url("")).__enter__()
        server.execute("DROP TABLE modw_cloud.session_records")
        with pytest.raises(ConfigurationError, match=r"is no XDMoD with a cloud.*session_records' doesn't exist"):
            Warehouse.open(server.url("")).__enter__()
    with pytest.raises(ConfigurationError, match=r"is no XDMoD with a cloud.*Unknown database 'nowhere'"):
        Warehouse.open(server.url("nowhere")).__enter__()


@pytest.fixture
def account(server: MariaDB) -> Iterator[str]:
    """An account that may do nothing yet."""
    server.execute("CREATE OR REPLACE USER reader@localhost")
    yield "reader"
    server.execute("DROP USER reader@localhost")


def ask_everything(server: MariaDB, account: str) -> None:
    """Ask for each dimension, unit and for the utilization."""
    with Warehouse.open(server.url("", account)) as opened:
        for dimension in opened.dimensions:
            answer(opened, asked("cloud_core_utilization", dimension, "month", series=False))
        for unit in UNITS:
            answer(opened, asked("cloud_wall_time", "none", unit, series=True))


def test_the_grants_are_enough_and_none_is_too_many(server: MariaDB, account: str) -> None:
    """With all of them everything can be asked; without one of them the message says which."""
    statements = grants(f"{account}@localhost")
    server.execute(*statements)
    ask_everything(server, account)
    for statement in statements:
        server.execute(statement.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
        table = statement.split()[3]
        with pytest.raises(ConfigurationError) as refused:
            ask_everything(server, account)
        assert f"'reader'@'localhost' may not read {table} of" in str(refused.value)
        assert f"GRANT SELECT ON {table} TO 'reader'@'localhost'; all" in str(refused.value)
        server.execute(statement)


def test_an_account_without_any_right(server: MariaDB, account: str) -> None:
    """The first right that it lacks is named; nothing is printed."""
    words = ["cloud_wall_time", "--from", "2018-04-18", "--to", "2018-04-30", "--xdmod", server.url("", account)]
    refused = CliRunner().invoke(statistic, words)
    assert refused.stdout == ""
    assert "GRANT SELECT ON modw_cloud.session_records TO 'reader'@'localhost'" in str(refused.exception)
    with pytest.raises(ConfigurationError, match=r"refuses the account: Access denied.*report grants"):
        Warehouse.open(server.url("", "nobody")).__enter__()


def test_a_lost_connection_is_said(server: MariaDB) -> None:
    """The database went away between two questions: nothing is answered, and it may be asked again later."""

    def cut(server: MariaDB, opened: Warehouse) -> None:
        for (number,) in rows(server, "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()"):
            server.execute(f"KILL {number}")
        answer(opened, asked("cloud_wall_time", "none", "day", series=True))

    with pytest.raises(SourceUnavailable, match=r"does not answer: .*Run"), Warehouse.open(server.url("")) as opened:
        cut(server, opened)
    with pytest.raises(SourceUnavailable, match="does not answer"):
        Warehouse.open("mysql+pymysql://root@127.0.0.1:1/").__enter__()


def test_the_command_asks_a_warehouse(server: MariaDB) -> None:
    """The plain form, and the URL from the environment, for it may hold a password."""
    words = ["cloud_core_time", "--by", "pi", "--from", "2018-04-18", "--to", "2018-04-30", "--aggregate"]
    said = CliRunner().invoke(statistic, words, env={"XDMOD_CLOUD_XDMOD": server.url("")})
    assert said.stdout.splitlines()[0] == "dimension,value"
    assert said.stdout.splitlines()[1].endswith(",1755.8894444444445")


def test_nothing_can_be_written(warehouse: Warehouse) -> None:
    """Whatever the account may do, the transaction only reads."""
    with pytest.raises(Exception, match="READ ONLY transaction"):
        warehouse._rows("DELETE FROM modw_cloud.session_records")


def test_days_without_sessions_have_no_answer(warehouse: Warehouse) -> None:
    """No row is invented where XDMoD has none."""
    wanted = question("cloud_wall_time", "none", "day", "2019-01-01", "2019-12-31", series=True)
    assert answer(warehouse, wanted) == []
