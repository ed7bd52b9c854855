"""XDMoD's statistics of jobs and storage, from the single records of a real warehouse, against what XDMoD stored."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.statistic import grants as print_grants
from cli.statistic import statistic
from ledger import ConfigurationError
from reporter.event_files import EventFiles
from reporter.statistic import answer, question
from reporter.xdmod.warehouse import REPORTS, Warehouse, grants
from tests.real.mariadb import MariaDB
from tests.real.test_warehouse import rows, server, warehouse
from usage import Engine
from usage.statistics import JOBS, REALMS, STORAGE, UNITS, Attribute, Dimension, Realm

#: Fixtures, which this module gives to its tests.
__all__ = ["account", "server", "warehouse"]

#: Before all records, and after: jobs end in 2017, storage was seen around the end of 2018.
FIRST, LAST = "2016-01-01", "2019-12-31"
DAYS = (date.fromisoformat(FIRST), date.fromisoformat(LAST))

#: What can tell records apart of what XDMoD groups by when it stores, and its name there where it has another.
GROUPED = {
    "jobs": {
        **{"resource_id": "record_resource_id", "task_resource_id": "", "queue": "", "fos_id": "", "person_id": ""},
        **{"systemaccount_id": "", "person_organization_id": "", "principalinvestigator_person_id": ""},
        **{"piperson_organization_id": "", "processor_count": "", "gpu_count": ""},
    },
    "storage": {
        **{"resource_id": "", "resourcetype_id": "", "mountpoint_id": "", "person_id": ""},
        **{"principalinvestigator_person_id": "", "systemaccount_id": "", "fos_id": ""},
    },
}
TABLES = {"jobs": "modw_aggregates.jobfact_by_", "storage": "modw_aggregates.storagefact_by_"}
#: What XDMoD stores, in the order of our sums.
STORED = {
    "jobs": ("wallduration", "cpu_time", "started_job_count", "ended_job_count", "running_job_count", "gpu_time"),
    "storage": (
        *("avg_file_count", "avg_logical_usage", "avg_physical_usage", "avg_soft_threshold", "avg_hard_threshold"),
        "1",
    ),
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("realm", [JOBS, STORAGE], ids=lambda realm: realm.name)
def test_sums_are_those_that_xdmod_stored(
    server: MariaDB, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, realm: Realm, unit: str
) -> None:
    """Every fact, by all dimensions at once: as XDMoD aggregated the same records."""
    columns = GROUPED[realm.name]
    together = f"CONCAT_WS('/', {', '.join(f'sr.{column}' for column in columns)})"
    all_at_once = Dimension(Attribute("modw.resourcefact", "a.id = sr.resource_id", together, together))
    monkeypatch.setitem(realm.dimensions, "all", all_at_once)
    ours = {
        (row[0], row[2]): tuple(map(int, row[6:]))
        for row in warehouse.of(realm).sums("all", UNITS[unit], *DAYS, series=True)
    }
    stored = f"CONCAT_WS('/', {', '.join(theirs or column for column, theirs in columns.items())})"
    sums = ", ".join(f"SUM({column})" for column in STORED[realm.name])
    theirs = rows(server, f"SELECT {unit}_id, {stored}, {sums} FROM {TABLES[realm.name]}{unit} GROUP BY 1, 2")
    assert len(theirs) > 10
    assert ours == {(period, key): tuple(map(int, facts)) for period, key, *facts in theirs}


#: Source: XDMoD's Jobs-statistics.json and Storage-statistics.json (11.0): the formula over all, and of a series.
ONCE = "NULLIF(SUM(CASE agg.{unit}_id WHEN {first} THEN agg.running_job_count ELSE agg.started_job_count END), 0)"
RUNNING = "NULLIF(SUM(agg.running_job_count), 0)"
FORMULAS = {
    "job_count": ("SUM(agg.ended_job_count)",) * 2,
    "started_job_count": ("SUM(agg.started_job_count)",) * 2,
    "running_job_count": (ONCE, RUNNING),
    "total_cpu_hours": ("SUM(agg.cpu_time) / 3600.0",) * 2,
    "total_gpu_hours": ("SUM(agg.gpu_time) / 3600.0",) * 2,
    "total_wallduration_hours": ("SUM(agg.wallduration) / 3600.0",) * 2,
    "avg_cpu_hours": (f"SUM(agg.cpu_time) / {ONCE} / 3600.0", f"SUM(agg.cpu_time) / {RUNNING} / 3600.0"),
    "avg_gpu_hours": (f"SUM(agg.gpu_time) / {ONCE} / 3600.0", f"SUM(agg.gpu_time) / {RUNNING} / 3600.0"),
    "avg_wallduration_hours": (
        f"SUM(agg.wallduration) / {ONCE} / 3600.0",
        f"SUM(agg.wallduration) / {RUNNING} / 3600.0",
    ),
    **{
        f"avg_{name}": (f"SUM(agg.avg_{name}) / COUNT(DISTINCT agg.{{unit}}_id)", f"SUM(agg.avg_{name})")
        for name in ("file_count", "logical_usage", "physical_usage", "soft_threshold", "hard_threshold")
    },
}


def xdmods(
    server: MariaDB, realm: Realm, dimension: str, unit: str, days: tuple[str, str], *, series: bool
) -> dict[tuple[str | None, str], list[float]]:
    """All statistics by period and label, as XDMoD itself would ask its tables for them."""
    table, key = f"{TABLES[realm.name]}{unit}", f"{unit}_id"
    within = f"d.{unit}_start <= '{days[1]}' AND d.{unit}_end > '{days[0]}'"
    ((first, last),) = rows(
        server, f"SELECT MIN({key}), MAX({key}) FROM {table} JOIN modw.{unit}s AS d ON d.id = {key} WHERE {within}"
    )
    values = ", ".join(FORMULAS[name][series].format(unit=unit, first=first) for name in realm.statistics)
    attribute = realm.dimensions[dimension].attribute
    joined, label, group = "", "'Summary'", "1"
    if attribute:
        on = attribute.on.replace("sr.", "agg.")
        on = on.replace("agg.resource_id", "agg.record_resource_id") if realm is JOBS else on
        on = on.replace("a.resource_id = agg.record_resource_id", "a.resource_id = agg.task_resource_id")
        joined, label, group = f"JOIN {attribute.table} AS a ON {on}", attribute.label, attribute.id
    found = rows(
        server,
        f"SELECT {f'agg.{key}' if series else 'NULL'}, {label}, {values} FROM {table} AS agg {joined}"
        f" WHERE agg.{key} BETWEEN {first} AND {last} GROUP BY {f'agg.{key}, ' if series else ''}{group}",
    )
    return {
        (UNITS[unit].label(period) if period else None, name): [float(fact or 0) for fact in facts]
        for period, name, *facts in found
    }


ASKED = [
    *((JOBS, name, unit, (FIRST, LAST)) for name in JOBS.dimensions for unit in ("day", "month")),
    *((JOBS, "queue", unit, ("2016-12-28", "2016-12-31")) for unit in UNITS),
    *((STORAGE, name, unit, (FIRST, LAST)) for name in STORAGE.dimensions for unit in ("day", "month")),
    *((STORAGE, "pi", unit, ("2018-12-30", "2019-01-02")) for unit in UNITS),
]


@pytest.mark.parametrize(("realm", "dimension", "unit", "days"), ASKED)
def test_values_are_those_of_xdmods_own_formulas(
    server: MariaDB, warehouse: Warehouse, realm: Realm, dimension: str, unit: str, days: tuple[str, str]
) -> None:
    """XDMoD's formulas over its own tables give the same of every statistic, aggregate and series."""
    for series in (False, True):
        theirs = xdmods(server, realm, dimension, unit, days, series=series)
        for number, name in enumerate(realm.statistics):
            ours = answer(warehouse, question(name, dimension, unit, *days, series=series))
            assert {(row.period, row.dimension) for row in ours} >= theirs.keys()
            for row in ours:
                wanted = theirs.get((row.period, row.dimension), [0.0] * len(realm.statistics))[number]
                # MariaDB rounds a quotient to four decimals.
                assert row.value == pytest.approx(wanted, abs=0.00006, rel=1e-12), name


def test_wall_time_that_is_not_end_minus_start(warehouse: Warehouse) -> None:
    """A scheduler's own wall time is shared out by the part of the job that lies in each day."""
    unit, noon = UNITS["day"], 1_483_185_600
    job = (
        f"SELECT 1 AS dimension_id, 'a' AS label, 2 AS resource_id, {noon} AS start_second,"
        f" {noon + 86_400} AS end_second, 201600366 AS start_day, 201700001 AS end_day, 86401 AS wall, 4 AS cores,"
        " 2 AS gpus"
    )
    periods = (
        "SELECT 201600366 AS period_id, 201600366 AS first_day, 201600366 AS last_day,"
        f" {noon - 43_200} AS first_second, {noon + 43_199} AS last_second UNION ALL"
        f" SELECT 201700001, 201700001, 201700001, {noon + 43_200}, {noon + 129_599}"
    )
    found = [
        dict(zip(JOBS.summed, map(float, row[6:]), strict=True))
        for row in warehouse._rows(JOBS.query(job, periods, unit, series=True))
    ]
    shared = {"wall": 43_200.5, "core": 172_802, "gpu": 86_401, "running": 1}
    assert found == [shared | {"started": 1, "ended": 0}, shared | {"started": 0, "ended": 1}]


def test_a_long_series_takes_no_longer_than_its_rows(warehouse: Warehouse) -> None:
    """A day's row for each of very many is answered in seconds: nothing is done once for each pair of rows."""
    many = (
        "SELECT seq AS dimension_id, seq AS label, 1483185600 AS second, 201600366 AS day, seq AS whose, 1 AS files,"
        " 1 AS logical, 1 AS physical, 1 AS soft, 1 AS hard FROM mysql.seq_1_to_20000"
    )
    period = (
        "SELECT 201600366 AS period_id, 201600366 AS first_day, 201600366 AS last_day, 1483142400 AS first_second,"
        " 1483228799 AS last_second"
    )
    asked = STORAGE.query(many, period, UNITS["day"], series=True)
    assert len(warehouse._rows(f"SET STATEMENT max_statement_time = 15 FOR {asked}")) == 20_000


@pytest.fixture
def account(server: MariaDB) -> Iterator[str]:
    """An account that may do nothing yet."""
    server.execute("CREATE OR REPLACE USER reader@localhost")
    yield "reader"
    server.execute("DROP USER reader@localhost")


@pytest.mark.parametrize("realm", [JOBS, STORAGE], ids=lambda realm: realm.name)
def test_the_grants_are_enough_and_none_is_too_many(server: MariaDB, account: str, realm: Realm) -> None:
    """With those of a realm all of it can be asked; without one of them the message says which."""

    def ask_everything() -> None:
        with Warehouse.open(server.url("", account)) as opened:
            for name in realm.dimensions:
                answer(opened, question(next(iter(realm.statistics)), name, "month", FIRST, LAST, series=False))
            for unit in UNITS:
                answer(opened, question(next(iter(realm.statistics)), "none", unit, FIRST, LAST, series=True))

    statements = grants(f"{account}@localhost", realms=[realm.name])
    server.execute(*statements)
    ask_everything()
    for statement in statements:
        server.execute(statement.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
        with pytest.raises(ConfigurationError, match=f"GRANT SELECT ON {statement.split()[3]} TO 'reader'@'localhost'"):
            ask_everything()
        server.execute(statement)


def test_the_command_prints_the_grants_of_everything() -> None:
    """Of all realms and reports, or of those alone that are named; there is no other."""
    everything = grants("xdmod_cloud@localhost", realms=REALMS, reports=REPORTS)
    assert CliRunner().invoke(print_grants, []).stdout.splitlines() == everything
    some = CliRunner().invoke(print_grants, ["--realm", "storage"]).stdout
    assert "modw.mountpoint" in some
    assert "modw.job_tasks" not in some
    with pytest.raises(ConfigurationError, match=r"no realm supremm here \(there are: cloud, jobs, storage\)"):
        grants("a@b", realms=["supremm"])


def ask(*words: str) -> Any:
    """Call the command as a user would."""
    return CliRunner().invoke(statistic, [*words, "--from", FIRST, "--to", LAST], env={"XDMOD_CLOUD_XDMOD": None})


def test_the_command_asks_a_warehouse(server: MariaDB) -> None:
    """For jobs and storage it is the command for the cloud."""
    jobs = ask("total_cpu_hours", "--by", "queue", "--aggregate", "--xdmod", server.url(""))
    assert [line.partition(",")[0] for line in jobs.stdout.splitlines()] == [
        "dimension",
        "crumpet",
        "focaccia",
        "black",
    ]
    files = ask("avg_file_count", "--by", "mountpoint", "--unit", "year", "--xdmod", server.url(""))
    assert [line.rpartition(",")[0] for line in files.stdout.splitlines()] == [
        "period,dimension",
        "2018,/scratch",
        "2019,/scratch",
    ]


@pytest.mark.parametrize(("name", "realm"), [("total_cpu_hours", "jobs"), ("avg_file_count", "storage")])
def test_event_files_tell_of_the_cloud_alone(tmp_path: Path, name: str, realm: str) -> None:
    """It is said before any file is read, and the way out with it."""
    fault = f"{name} is a statistic of {realm}, and event files tell of the cloud alone. Name an XDMoD with --xdmod"
    refused = ask(name, "--events", str(tmp_path / "nowhere"))
    assert refused.stdout == ""
    assert fault in str(refused.exception)
    with Engine() as engine, pytest.raises(ConfigurationError, match=fault):
        answer(EventFiles(engine, []), question(name, "none", "day", FIRST, LAST, series=True))


def test_each_realm_has_dimensions_of_its_own() -> None:
    """What the cloud alone is grouped by is none of the jobs' dimensions; no two realms share a statistic."""
    with pytest.raises(ConfigurationError, match=r"no dimension vm_size \(there are: none, .*queue"):
        question("total_cpu_hours", "vm_size", "day", FIRST, LAST, series=True)
    with pytest.raises(ConfigurationError, match=r"no dimension queue \(there are: none, .*mountpoint"):
        question("avg_file_count", "queue", "day", FIRST, LAST, series=True)
    names = [name for realm in REALMS.values() for name in realm.statistics]
    assert len(names) == len(set(names))
