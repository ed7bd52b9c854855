"""`xdmod-cloud export hypervisors` says what it writes, to people and to programs."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger import Kind, Mode, Named
from ledger.overview import overview
from tests.exporters.hosts import A, B, HostSite


@pytest.fixture
def site(tmp_path: Path) -> HostSite:
    return HostSite(tmp_path)


def test_command_writes_both(site: HostSite) -> None:
    """It prints what it wrote, and the next time that there is nothing new."""
    site.collect("2026-10-01T08:00:00", A, B)
    file = str(site.folder / "resource_specs.json")
    said = site.command("--resource-specs", file)
    assert said.return_value == 0
    assert "sim: wrote hypervisor_facts_2026-10-01T08:00:00.json (2 hosts)" in said.output
    assert f"sim: wrote {file} (1 entry)" in said.output
    said = site.command("sim", "--resource-specs", file)
    assert "sim: nothing new" in said.output
    assert f"sim: {file} stays as it is" in said.output


def test_what_says_nothing_new_waits_no_longer(site: HostSite) -> None:
    """Records about anything else are no backlog of this export, however long the hypervisors stay as they are."""
    site.collect("2026-10-01T08:00:00", A, B)
    site.command()
    with site.ledger.writer("sim") as writer:
        time = datetime(2026, 10, 2, 8, tzinfo=UTC)
        writer.finish(writer.begin(Mode.CHANGES, None), time, time, [Named(Kind.PROJECT, "p-1", "lab")])
    assert backlog(site) > 0
    assert "sim: nothing new" in site.command().output
    assert backlog(site) == 0
    site.collect("2026-10-03T08:00:00", A)
    assert "(1 host)" in site.command().output


def backlog(site: HostSite) -> int:
    """How many records wait for the export of hypervisors."""
    [source] = overview(site.ledger)
    return source.backlog["hypervisor-facts"]


def test_command_prints_entries(site: HostSite) -> None:
    """With `-`, standard output has the entries alone, as XDMoD's file would."""
    site.collect("2026-10-01T08:00:00", A, B)
    said = site.command("--resource-specs", "-")
    assert [entry["cpu_processor_count"] for entry in json.loads(said.stdout)] == [24]
    assert "wrote hypervisor_facts" in said.stderr


def test_command_prints_json(site: HostSite) -> None:
    """A program reads what a person would."""
    site.collect("2026-10-01T08:00:00", A, B)
    [said] = json.loads(site.command("--json", "--dry-run", "--resource-specs", "-").stdout)
    assert [file["records"] for file in said["files"]] == [2]
    assert [entry["cpu_node_count"] for entry in said["resource_specs"]["entries"]] == [2]
    assert site.facts() == {}


def test_command_reports_what_is_unfit(site: HostSite) -> None:
    """Exit code 1, and where it was set aside."""
    site.collect("2026-10-01T08:00:00", A, ("b", -1, 128))
    said = site.command()
    assert said.return_value == 1
    assert f"1 record does not fit the schema; see {site.quarantine}" in said.stderr


def test_command_exports_nothing_beside_a_file_at_fault(site: HostSite) -> None:
    """Exit code 2, the file named; once it is corrected, everything is written."""
    file = site.folder / "resource_specs.json"
    file.write_text("{}")
    site.collect("2026-10-01T08:00:00", A)
    said = site.command("--resource-specs", str(file))
    assert (said.return_value, site.facts()) == (2, {})
    assert f"{file} is no JSON array" in said.stderr
    file.write_text("[]")
    assert site.command("--resource-specs", str(file)).return_value == 0
    assert len(site.facts()) == 1
