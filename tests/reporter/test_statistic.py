"""XDMoD's cloud statistics, asked of event files, and the command that prints them."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.statistic import grants, statistic
from ledger import ConfigurationError
from reporter.capacities import observed, spans, specified
from reporter.event_files import EventFiles
from reporter.statistic import Row, answer, question
from tests.reporter.histories import event, read
from tests.reporter.regression import EVENTS, TABLES, asked, expected, shown
from usage import Engine, UnreadableEvents
from usage.statistics import DIMENSIONS, STATISTICS, Span

DAY = 86_400


@pytest.fixture(scope="module")
def reference(xdmod_data: Path) -> Iterator[EventFiles]:
    """The event files of XDMoD's regression suite."""
    folders = [xdmod_data / folder for folder in EVENTS]
    with Engine(threads=2) as engine:
        engine.read(*folders)
        yield EventFiles(engine, folders, "openstack")


@pytest.mark.parametrize(("dimension", "name", "series", "unit"), TABLES)
def test_event_files_alone_say_what_xdmods_suite_expects(
    reference: EventFiles, xdmod_data: Path, dimension: str, name: str, series: bool, unit: str
) -> None:
    """Value by value, to its four decimals, with its labels and in its order; without any XDMoD."""
    assert shown(reference, dimension, name, series, unit) == expected(xdmod_data, dimension, name, series, unit)


#: What XDMoD's suite has its resource be, since when.
SPECIFICATION = {"resource": "openstack", "start_date": "2018-04-18", "cpu_processor_count": 234}


@pytest.mark.parametrize(("unit", "days"), [("day", 13), ("month", 13), ("quarter", 74), ("year", 258)])
def test_the_utilization_divides_by_what_is_specified(
    reference: EventFiles, tmp_path: Path, unit: str, days: int
) -> None:
    """Core hours over the cores of each day that is specified, in the whole of each period with sessions."""
    (tmp_path / "resource_specs.json").write_text(json.dumps([SPECIFICATION]))
    given = spans(specified(tmp_path / "resource_specs.json"), reference.resources(), date(2026, 11, 22))
    (row,) = answer(reference, asked("cloud_core_utilization", "resource", unit, series=False), given)
    (core,) = answer(reference, asked("cloud_core_time", "resource", unit, series=False))
    assert (row.period, row.dimension) == (None, "openstack")
    assert row.value == pytest.approx(core.value / (days * 24 * 234) * 100, rel=1e-15)


def test_every_statistic_is_there_by_every_dimension(reference: EventFiles) -> None:
    """A series adds up to its aggregate where it can, and both have the same dimensions in the same order."""
    for dimension in reference.dimensions:
        for name in STATISTICS.keys() - {"cloud_core_utilization"}:
            whole = answer(reference, asked(name, dimension, "day", series=False))
            series = answer(reference, asked(name, dimension, "day", series=True))
            assert len(series) == 13 * len(whole)
            assert [row.dimension for row in series[: len(whole)]] == [row.dimension for row in whole]
            if name in ("cloud_core_time", "cloud_wall_time", "cloud_num_sessions_started"):
                assert sum(row.value for row in series) == pytest.approx(sum(row.value for row in whole), rel=1e-12)


class Desk:
    """Event files of one's own, and what is asked of them."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.folder = folder
        self.engine = engine

    def ask(self, name: str, dimension: str = "none", unit: str = "day", *, series: bool = True) -> list[Row]:
        """Ask for October 2026."""
        wanted = question(name, dimension, unit, "2026-10-01", "2026-10-31", series=series)
        return answer(EventFiles(self.engine, [self.folder]), wanted)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A server that ran from noon of the third to noon of the sixth."""
    with Engine(threads=2) as engine:
        tmp_path.joinpath("events").mkdir()
        history = [event("2026-10-03T12:00:00", "create.end"), event("2026-10-06T12:00:00", "delete.end")]
        read(engine, tmp_path / "events", *history)
        yield Desk(engine, tmp_path / "events")


def facts(folder: Path, time: str, **hosts: int) -> None:
    """Write hypervisor facts."""
    named = [{"hypervisor_hostname": name, "memory_mb": 1, "vcpus": cores} for name, cores in hosts.items()]
    (folder / f"hypervisor_facts_{time}.json").write_text(json.dumps({"hypervisors": named, "ts": f"{time}Z"}))


def test_the_utilization_may_divide_by_hypervisor_facts(desk: Desk) -> None:
    """The cores of a day are those of its hosts, and last until the next facts; before the first nobody knows."""
    facts(desk.folder, "2026-10-04T22:00:00", a=8)
    facts(desk.folder, "2026-10-06T08:00:00", a=4)
    facts(desk.folder, "2026-10-06T22:00:00", a=8, b=8)
    (cores,) = {row.value for row in desk.ask("cloud_avg_cores_reserved")}
    shares = [row.value for row in desk.ask("cloud_core_utilization")]
    assert shares == [pytest.approx(100 * cores * share) for share in (0, 1 / 8, 1 / 8, 1 / 32)]


def test_facts_without_hosts_say_nothing(tmp_path: Path) -> None:
    """XDMoD sees nothing in an empty list, and neither do we."""
    facts(tmp_path, "2026-10-04T22:00:00", a=8)
    facts(tmp_path, "2026-10-05T22:00:00")
    ((span,), (share,)) = observed([tmp_path], 1)
    assert (span.amount, share.amount) == (8, 100)
    assert span.until > 9e9
    assert observed([tmp_path / ".."], 1) == ([], [])


def test_specifications_are_taken_as_xdmod_takes_them(tmp_path: Path) -> None:
    """What has no end ends today; of two that begin on one day the last counts; other resources are not ours."""
    entries = [
        {"resource": "stack", "start_date": "1970-01-01", "end_date": "1970-01-02", "cpu_processor_count": 8},
        {"resource": "stack", "start_date": "1970-01-03", "cpu_processor_count": 9},
        {"resource": "stack", "start_date": "1970-01-03", "cpu_processor_count": 10, "percent_allocated": 89.5},
        {"resource": "hpc", "start_date": "1970-01-01", "cpu_processor_count": 99},
    ]
    (tmp_path / "resource_specs.json").write_text(json.dumps(entries))
    given = spans(specified(tmp_path / "resource_specs.json"), {"stack": 3}, date(1970, 1, 4))
    first, second = (0, 2 * DAY - 1), (2 * DAY, 4 * DAY - 1)
    assert given == (
        [Span(3, *first, 8), Span(3, *second, 10)],
        [Span(3, *first, 100), Span(3, *second, 90)],
    )


def test_each_period_between_has_a_row(desk: Desk) -> None:
    """From the first period with sessions to the last, also where one dimension has none."""
    later = [
        event("2026-10-08T12:00:00", "create.end", "b", project="q"),
        event("2026-10-08T13:00:00", "delete.end", "b", project="q"),
    ]
    (desk.folder / "2026-10-08T00:00:00_2026-10-08T23:59:59.json").write_text(json.dumps(later))
    desk.engine.read(desk.folder)
    rows = desk.ask("cloud_num_sessions_running", "project")
    days = [f"2026-10-0{day}" for day in range(3, 9)]
    assert [row.period for row in rows] == [day for day in days for _ in range(2)]
    assert [row.value for row in rows[1::2]] == [0, 0, 0, 0, 0, 1]
    assert [row.value for row in rows[::2]] == [1, 1, 1, 1, 0, 0]


def test_days_without_sessions_have_no_answer(desk: Desk) -> None:
    """No row is invented where XDMoD would have none."""
    for series in (True, False):
        wanted = question("cloud_wall_time", "none", "day", "0001-01-01", "2026-10-02", series=series)
        assert answer(EventFiles(desk.engine, [desk.folder]), wanted) == []
    wanted = question("cloud_wall_time", "none", "day", "2026-10-06", "9999-12-31", series=False)
    assert answer(EventFiles(desk.engine, [desk.folder]), wanted) == [Row(None, "Summary", 12.0)]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("cloud_cores", "none", "day", "2026-10-01", "2026-10-31"), "no statistic cloud_cores .there are: cloud_avg_"),
        (("cloud_wall_time", "queue", "day", "2026-10-01", "2026-10-31"), "no dimension queue .there are: none, "),
        (("cloud_wall_time", "none", "week", "2026-10-01", "2026-10-31"), "no unit week .there are: day, month"),
        (("cloud_wall_time", "none", "day", "2026-10", "2026-10-31"), '--from "2026-10" is no day. Write it as'),
        (("cloud_wall_time", "none", "day", "2026-10-01", "2026-09-31"), '--to "2026-09-31" is no day'),
        (("cloud_wall_time", "none", "day", "2026-10-02", "2026-10-01"), "--from 2026-10-02 lies after --to"),
    ],
)
def test_what_cannot_be_asked(words: tuple[str, str, str, str, str], fault: str) -> None:
    """The message names what there is, or how it is written."""
    with pytest.raises(ConfigurationError, match=fault):
        question(*words, series=True)


def test_what_events_do_not_tell(desk: Desk) -> None:
    """Nobody's name stands in an event, nor the cores of the cloud."""
    with pytest.raises(ConfigurationError, match=r"has no dimension person \(it has: none, configuration, domain"):
        desk.ask("cloud_wall_time", "person")
    with pytest.raises(ConfigurationError, match=r"nothing says so.*--resource-specs"):
        desk.ask("cloud_core_utilization")


@pytest.mark.parametrize(
    "content", ["", "{}", '[{"resource": "a"}]', '[{"resource": "a", "start_date": "x", "cpu_processor_count": 1}]']
)
def test_specifications_that_are_none(tmp_path: Path, content: str) -> None:
    """The message names the file and what is wrong in it."""
    file = tmp_path / "resource_specs.json"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"resource_specs\.json is no array of resource specifications: "):
        specified(file)
    with pytest.raises(ConfigurationError, match=r"nowhere\.json cannot be read: No such file"):
        specified(tmp_path / "nowhere.json")


@pytest.mark.parametrize("content", ["[]", '{"hypervisors": [], "ts": "2026-10-04T22:00:00"}'])
def test_facts_that_are_none(tmp_path: Path, content: str) -> None:
    """Facts that XDMoD could not date, or read, are refused by name."""
    (tmp_path / "hypervisor_facts_2026-10-04T22:00:00.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"hypervisor_facts_2026-10-04T22:00:00\.json is no hypervisor facts"):
        observed([tmp_path], 1)


def run(*words: str | Path) -> Result:
    """Call the command as a user would."""
    return CliRunner().invoke(statistic, [*map(str, words)], env={"XDMOD_CLOUD_XDMOD": None})


OCTOBER = ("--from", "2026-10-01", "--to", "2026-10-31")


def test_the_command_prints_csv(desk: Desk) -> None:
    """A header, then period, dimension and value; no period over all; values are not rounded."""
    series = run("cloud_core_time", "--by", "project", "--unit", "day", *OCTOBER, "--events", desk.folder)
    head, *lines = series.stdout.splitlines()
    assert head == "period,dimension,value"
    assert [line.partition(",")[0] for line in lines] == ["2026-10-03", "2026-10-04", "2026-10-05", "2026-10-06"]
    whole = run("cloud_wall_time", "--by", "vm_size", "--aggregate", *OCTOBER, "--events", desk.folder)
    assert whole.stdout.splitlines()[0] == "dimension,value"
    assert whole.stdout.splitlines()[1].endswith(",72.0")
    count = run("cloud_num_sessions_started", *OCTOBER, "--events", desk.folder)
    assert count.stdout == "period,dimension,value\n2026-10,Summary,1\n"


def test_the_resource_is_the_one_that_is_specified(desk: Desk) -> None:
    """Of one resource the specifications tell its name; of several, which one must be said."""
    file = desk.folder / "resource_specs.json"
    entry = {"start_date": "2026-10-01", "end_date": "2026-10-31", "cpu_processor_count": 3}
    words = ("--by", "resource", "--aggregate", *OCTOBER, "--events", desk.folder, "--resource-specs", file)
    file.write_text(json.dumps([entry | {"resource": "my-stack"}]))
    assert run("cloud_wall_time", *words).stdout == "dimension,value\nmy stack,72.0\n"
    file.write_text(json.dumps([entry | {"resource": "one"}, entry | {"resource": "two"}]))
    refused = run("cloud_core_utilization", *words)
    assert "are of one, two. Say with --resource" in str(refused.exception)
    assert refused.stdout == ""
    assert run("cloud_core_utilization", *words, "--resource", "two").exit_code == 0


@pytest.mark.parametrize(
    ("words", "error", "fault"),
    [
        ((), ConfigurationError, "Nothing says where the sessions are"),
        (("--events", "nowhere"), UnreadableEvents, "nowhere: is not a directory"),
        (("--events", "."), UnreadableEvents, "holds no event file"),
        (("--events", ".", "--xdmod", "mysql://localhost"), ConfigurationError, "are two sources. Name one"),
        (("--xdmod", "nonsense"), ConfigurationError, r"URL cannot be used \(ArgumentError\)"),
        (("--xdmod", "sqlite:///x"), ConfigurationError, "names sqlite; XDMoD lives in MariaDB"),
    ],
)
def test_a_source_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], error: type[Exception], fault: str
) -> None:
    """Nothing is printed but what is wrong, and the way out."""
    monkeypatch.chdir(tmp_path)
    refused = run("cloud_core_time", *OCTOBER, *words)
    assert refused.stdout == ""
    with pytest.raises(error, match=fault):
        raise refused.exception or AssertionError


def test_an_unknown_statistic_is_said_before_anything_is_read(tmp_path: Path) -> None:
    """No file is opened for a question that there is not."""
    refused = run("cloud_cores", *OCTOBER, "--events", tmp_path)
    assert "There is no statistic cloud_cores" in str(refused.exception)


@pytest.mark.parametrize(
    ("words", "account", "holds", "lacks"),
    [
        ((), "'xdmod_cloud'@'localhost'", "modw.resource_allocated", "modw_cloud.cloud_resource_specs"),
        (("a@%", "--version", "10.0"), "'a'@'%'", "modw_cloud.cloud_resource_specs", "modw_cloud.instance_states"),
    ],
)
def test_grants_are_printed(words: tuple[str, ...], account: str, holds: str, lacks: str) -> None:
    """One statement for each table that the version has, to read it; none to write."""
    lines = CliRunner().invoke(grants, words).stdout.splitlines()
    assert f"GRANT SELECT ON {holds} TO {account};" in lines
    assert not any(lacks in line for line in lines)
    assert all(line.startswith("GRANT SELECT ON mod") for line in lines)


@pytest.mark.parametrize("words", [("nobody",), ("a'b@localhost",), ("a@local host",), ("a@b", "--version", "9.5")])
def test_grants_for_no_account_or_version(words: tuple[str, ...]) -> None:
    """What is no account gets into no SQL."""
    result = CliRunner().invoke(grants, words)
    assert isinstance(result.exception, ConfigurationError)
    assert result.stdout == ""


def test_dimensions_of_both_sources_are_xdmods() -> None:
    """What events tell is a part of what a warehouse has."""
    assert {name for name, it in DIMENSIONS.items() if it.recorded} <= DIMENSIONS.keys()
    assert all(it.attribute or name == "none" for name, it in DIMENSIONS.items())
