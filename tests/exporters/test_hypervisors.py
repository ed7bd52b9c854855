"""Each change of a cloud's hosts is told to XDMoD once, and its capacities are told by days."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from click.testing import CliRunner, Result

import exporters.hypervisors.export
import schemas
from cli.export import export
from exporters.hypervisors import ExportedFacts, ExportedSpecs, FactFiles, export_facts, export_specs
from exporters.outbox import write_document
from exporters.text import HOST_WIDTH, fitted
from ledger import ConfigurationError, Hypervisor, Ledger, Mode, SourceUnavailable
from ledger.database import connect, upgrade
from ledger.exports import Exports
from ledger.locks import sole_writer
from ledger.records import HypervisorName

A, B, C = ("a", 8, 64), ("b", 16, 128), ("c", 8, 64)
Sized = tuple[str, int, int]


@dataclass
class Site:
    """A ledger that is told of hosts (name, cores, MiB), and the folder where its exports go."""

    folder: Path

    def __post_init__(self) -> None:
        url = f"sqlite:///{self.folder / 'ledger.sqlite'}"
        upgrade(connect(url))
        self.ledger, self.outbox = Ledger.open(url), self.folder / "outbox" / "stack" / "hypervisors"
        self.quarantine = self.folder / "outbox" / "stack" / "quarantine"
        (self.folder / "xdmod-cloud.toml").write_text('[[openstack]]\nname = "sim"\ncloud = "c"\nresource = "stack"\n')

    def collect(self, at: str, *hosts: Sized) -> None:
        """Record that at a time (UTC) there were these hosts and, by what was known, no others."""
        time = datetime.fromisoformat(at).replace(tzinfo=UTC)
        known = {host.name: host for host in self.ledger.newest("sim", Hypervisor)}
        there = {HypervisorName(name): Hypervisor(HypervisorName(name), name, vcpus, mib) for name, vcpus, mib in hosts}
        gone = [Hypervisor(name, name, host.vcpus, host.memory_mb, gone=True) for name, host in known.items()]
        with self.ledger.writer("sim") as writer:
            run = writer.begin(Mode.CHANGES, None)
            writer.finish(run, time, time, [*there.values(), *(host for host in gone if host.name not in there)])

    def export(self, *, dry_run: bool = False) -> list[ExportedFacts]:
        return export_facts(self.ledger, "sim", FactFiles(self.outbox, self.quarantine), dry_run=dry_run)

    def facts(self) -> dict[str, list[Sized]]:
        """The hosts of each file in the outbox, by the time in it; what a file is called must agree."""
        found = {}
        for path in sorted(self.outbox.iterdir()) if self.outbox.exists() else []:
            said = json.loads(path.read_bytes())
            assert path.name == f"hypervisor_facts_{said['ts'].removesuffix('Z')}.json"
            hosts = said["hypervisors"]
            found[said["ts"]] = [(host["hypervisor_hostname"], host["vcpus"], host["memory_mb"]) for host in hosts]
        return found

    def bytes(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.outbox.iterdir()}

    def specs(self, file: Path | None = None, resource: str = "stack") -> ExportedSpecs:
        return export_specs(self.ledger, "sim", resource, file, self.quarantine)

    def spans(self) -> list[tuple[str, str | None, int, int, int]]:
        """Each entry's first and last day, nodes, cores, and cores per node."""
        keys = ("cpu_node_count", "cpu_processor_count", "cpu_ppn")
        return [(e["start_date"], e.get("end_date"), *(e[key] for key in keys)) for e in self.specs().entries]

    def command(self, *words: str) -> Result:
        """Run `xdmod-cloud export hypervisors`."""
        config = self.folder / "xdmod-cloud.toml"
        return CliRunner().invoke(export, ["hypervisors", *words], obj=config, standalone_mode=False)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


#: What was collected, what was then told, and which capacities that makes.
CASES: dict[str, tuple[list[tuple[str, list[Sized]]], dict[str, list[Sized]], list[tuple[Any, ...]]]] = {
    "nothing is known": ([], {}, []),
    "the first hosts": (
        [("2026-10-01T08:00:00", [B, A])],
        {"2026-10-01T08:00:00Z": [A, B]},
        [("2026-10-01", None, 2, 24, 12)],
    ),
    "nothing changes": (
        [("2026-10-01T08:00:00", [A]), ("2026-10-02T08:00:00", [A]), ("2026-10-09T08:00:00", [A])],
        {"2026-10-01T08:00:00Z": [A]},
        [("2026-10-01", None, 1, 8, 8)],
    ),
    "cores are added": (
        [("2026-10-01T08:00:00", [A, B]), ("2026-10-05T08:00:00.75", [("a", 9, 64), B])],
        {"2026-10-01T08:00:00Z": [A, B], "2026-10-05T08:00:00Z": [("a", 9, 64), B]},
        [("2026-10-01", "2026-10-04", 2, 24, 12), ("2026-10-05", None, 2, 25, 12)],
    ),
    "memory alone is no capacity": (
        [("2026-10-01T08:00:00", [A]), ("2026-10-05T08:00:00", [("a", 8, 32)])],
        {"2026-10-01T08:00:00Z": [A], "2026-10-05T08:00:00Z": [("a", 8, 32)]},
        [("2026-10-01", None, 1, 8, 8)],
    ),
    "a host goes and returns": (
        [("2026-10-01T08:00:00", [A, B]), ("2026-10-03T08:00:00", [A]), ("2026-10-08T08:00:00", [A, B])],
        {"2026-10-01T08:00:00Z": [A, B], "2026-10-03T08:00:00Z": [A], "2026-10-08T08:00:00Z": [A, B]},
        [
            ("2026-10-01", "2026-10-02", 2, 24, 12),
            ("2026-10-03", "2026-10-07", 1, 8, 8),
            ("2026-10-08", None, 2, 24, 12),
        ],
    ),
    "hosts are added on one day": (
        [("2026-10-01T08:00:00", [A]), ("2026-10-01T09:00:00", [A, B]), ("2026-10-03T10:00:00", [A, B])],
        {"2026-10-01T08:00:00Z": [A], "2026-10-01T09:00:00Z": [A, B]},
        [("2026-10-01", None, 2, 24, 12)],
    ),
    "a host goes on the day of its last change, and is missed on the next": (
        [("2026-10-01T08:00:00", [A, B]), ("2026-10-01T20:00:00", [A]), ("2026-10-03T08:00:00", [A])],
        {"2026-10-01T08:00:00Z": [A, B], "2026-10-01T20:00:00Z": [A], "2026-10-02T21:00:00Z": [A]},
        [("2026-10-01", None, 1, 8, 8)],
    ),
    "the next change misses it sooner": (
        [("2026-10-01T08:00:00", [A, B]), ("2026-10-01T20:00:00", [A]), ("2026-10-02T12:00:00", [A, C])],
        {"2026-10-01T08:00:00Z": [A, B], "2026-10-01T20:00:00Z": [A], "2026-10-02T12:00:00Z": [A, C]},
        [("2026-10-01", "2026-10-01", 1, 8, 8), ("2026-10-02", None, 2, 16, 8)],
    ),
    "the next day is not known yet": (
        [("2026-10-01T08:00:00", [A, B]), ("2026-10-01T20:00:00", [A]), ("2026-10-02T20:59:59", [A])],
        {"2026-10-01T08:00:00Z": [A, B], "2026-10-01T20:00:00Z": [A]},
        [("2026-10-01", None, 1, 8, 8)],
    ),
    "the last hosts go, and one returns": (
        [("2026-10-01T08:00:00", [A, B]), ("2026-10-04T08:00:00", []), ("2026-10-09T08:00:00", [B])],
        {
            "2026-10-01T08:00:00Z": [A, B],
            "2026-10-04T08:00:00Z": [("a", 0, 0), ("b", 0, 0)],
            "2026-10-09T08:00:00Z": [B],
        },
        [
            ("2026-10-01", "2026-10-03", 2, 24, 12),
            ("2026-10-04", "2026-10-08", 0, 0, 0),
            ("2026-10-09", None, 1, 16, 16),
        ],
    ),
    "a host has no inventory yet": (
        [("2026-10-01T08:00:00", [A, ("n", 0, 0)])],
        {"2026-10-01T08:00:00Z": [A, ("n", 0, 0)]},
        [("2026-10-01", None, 1, 8, 8)],
    ),
}


@pytest.mark.parametrize("exported", ["each", "once"])
@pytest.mark.parametrize(("collected", "told", "spans"), CASES.values(), ids=CASES)
def test_changes_are_told(
    site: Site,
    exported: str,
    collected: list[tuple[str, list[Sized]]],
    told: dict[str, list[Sized]],
    spans: list[tuple[Any, ...]],
) -> None:
    """However often it is exported, each change is one file, and each span of days of one capacity one entry."""
    for at, hosts in collected:
        site.collect(at, *hosts)
        if exported == "each":
            site.export()
    site.export()
    assert site.facts() == told
    assert site.spans() == spans


def test_nothing_new_writes_nothing(site: Site) -> None:
    """A file that XDMoD has read does not come back."""
    site.collect("2026-10-01T08:00:00", A, B)
    [first] = site.export()
    assert [(file.name, file.records) for file in first.files] == [("hypervisor_facts_2026-10-01T08:00:00.json", 2)]
    (site.outbox / first.files[0].name).unlink()
    assert site.export() == []
    site.collect("2026-10-05T08:00:00", A, B)
    assert site.export() == []
    assert site.facts() == {}


def test_dry_run_writes_nothing(site: Site) -> None:
    """It says what would be written, and leaves that to be written."""
    site.collect("2026-10-01T08:00:00", A)
    [said] = site.export(dry_run=True)
    assert [(file.name, file.records) for file in said.files] == [("hypervisor_facts_2026-10-01T08:00:00.json", 1)]
    assert not site.outbox.exists()
    site.export()
    assert len(site.facts()) == 1


class _Killed(BaseException):
    """Ends an export as a signal would."""


@pytest.mark.parametrize("written", [0, 1, 2, 3])
def test_killed_export_is_completed(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: int) -> None:
    """Killed after so many files, it writes the same files when run again, whatever was learned meanwhile."""
    (tmp_path / "whole").mkdir()
    whole, days = Site(tmp_path / "whole"), [("2026-10-01", [A]), ("2026-10-03", [A, B]), ("2026-10-05", [B])]
    for at, hosts in days:
        site.collect(at, *hosts)
        whole.collect(at, *hosts)
    [done] = whole.export()

    def write(path: Path, document: bytes, records: int) -> object:
        if len(site.facts()) == written:
            raise _Killed
        return write_document(path, document, records)

    def finish(*_: object) -> None:
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(exporters.hypervisors.export, "write_document", write)
        patch.setattr(Exports, "finish", finish)
        with pytest.raises(_Killed):
            site.export()
    assert len(site.facts()) == written
    site.collect("2026-10-09", C)
    again, newer = site.export()
    assert again == done
    assert len(newer.files) == 1
    whole.collect("2026-10-09", C)
    whole.export()
    assert site.bytes() == whole.bytes()


def test_two_changes_in_a_second_are_one_file(site: Site) -> None:
    """A file's name has whole seconds; the later change says all."""
    site.collect("2026-10-01T08:00:00.1", A)
    site.collect("2026-10-01T08:00:00.9", A, B)
    site.export()
    assert site.facts() == {"2026-10-01T08:00:00Z": [A, B]}


def test_one_export_at_a_time(site: Site) -> None:
    """A second one is told to try again later."""
    with sole_writer(site.ledger.engine, "the hypervisors of sim"), pytest.raises(SourceUnavailable, match="Wait"):
        site.export()


def test_unfit_host_is_set_aside(site: Site) -> None:
    """It is kept with the reason, told once, and not taken to be gone; the others are told."""
    site.collect("2026-10-01T08:00:00", A, B)
    site.export()
    site.collect("2026-10-02T08:00:00", A, ("b", -1, 128), C)
    [done] = site.export()
    assert site.facts()["2026-10-02T08:00:00Z"] == [A, B, C]
    assert done.quarantine is not None
    [kept] = json.loads(done.quarantine.read_bytes())
    assert (kept["reason"], kept["record"]["name"]) == ("hypervisors/0/vcpus: -1 is less than the minimum of 0", "b")
    assert site.export() == []


def test_host_is_called_as_in_events(site: Site) -> None:
    """A name longer than XDMoD's column is cut alike, or its servers would be on no known host."""
    name = "compute-" + "x" * 80
    site.collect("2026-10-01T08:00:00", (name, 8, 64))
    site.export()
    [[(told, _, _)]] = site.facts().values()
    assert told == fitted(name, HOST_WIDTH)
    assert len(told) == 64


def test_files_are_what_xdmod_reads(site: Site, xdmod_data: Path) -> None:
    """XDMoD's own sample files, taken for observations, are told as they are; each host fits XDMoD's schema."""
    schema = json.loads((xdmod_data / "schemas" / "schemas-cloud-resource_specs.schema.json").read_bytes())
    expected, before = {}, None
    for path in sorted((xdmod_data / "reference" / "openstack_resource_specs").glob("*.json")):
        sample = json.loads(path.read_bytes())
        hosts = [(host["hypervisor_hostname"], host["vcpus"], host["memory_mb"]) for host in sample["hypervisors"]]
        site.collect(sample["ts"].removesuffix("Z"), *hosts)
        if sorted(hosts) != before:
            expected[sample["ts"]] = before = sorted(hosts)
    site.export()
    assert site.facts() == expected
    for content in site.bytes().values():
        said = json.loads(content)
        assert schemas.validator("hypervisor-facts").is_valid(said)
        for host in said["hypervisors"]:
            jsonschema_rs.validate(schema, {**host, "date": said["ts"]})
            assert "id" not in host


def test_entries_are_whole(site: Site) -> None:
    """An entry has every key that XDMoD reads; an end only where another follows."""
    site.collect("2026-10-01T08:00:00", A)
    site.collect("2026-10-03T08:00:00", A, B)
    said = site.specs()
    no_gpus = {"gpu_node_count": 0, "gpu_processor_count": 0, "gpu_ppn": 0}
    first = {"cpu_node_count": 1, "cpu_processor_count": 8, "cpu_ppn": 8, **no_gpus}
    last = {"cpu_node_count": 2, "cpu_processor_count": 24, "cpu_ppn": 12, **no_gpus}
    assert said.entries == [
        {"resource": "stack", "start_date": "2026-10-01", "end_date": "2026-10-02", **first},
        {"resource": "stack", "start_date": "2026-10-03", **last},
    ]
    assert schemas.validator("resource-specs").is_valid(said.entries)


def test_new_file_holds_the_entries(site: Site) -> None:
    """Where the site has no file yet, it gets one; told again, it stays untouched."""
    file = site.folder / "resource_specs.json"
    site.collect("2026-10-01T08:00:00", A)
    said = site.specs(file)
    assert said.changed
    assert json.loads(file.read_bytes()) == said.entries
    before = file.stat()
    assert not site.specs(file).changed
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_entries_of_others_stay_as_they_are(site: Site) -> None:
    """Byte for byte and in their places, with the file's mode; ours follow each change."""
    file = site.folder / "resource_specs.json"
    one, other = '{"resource" : "hpc",\n  "cpu_ppn": 1.50}', '{"resource":"other","note":"ü"}'
    file.write_text(f'[{one}, {{"resource": "stack", "start_date": "2026-10-01", "cpu_node_count": 99}}, {other}]')
    file.chmod(0o640)
    site.collect("2026-10-01T08:00:00", A)
    site.specs(file)
    site.collect("2026-10-02T08:00:00", B)
    site.specs(file)
    assert file.read_text().startswith(f'[\n{one},\n{{"resource":"stack"')
    assert file.read_text().endswith(f"}},\n{other}\n]\n")
    assert [entry.get("cpu_processor_count") for entry in json.loads(file.read_bytes())] == [None, 8, 16, None]
    assert file.stat().st_mode & 0o777 == 0o640


def test_what_only_the_site_knows_stays(site: Site) -> None:
    """Its entries of days before the first observation, its GPUs and its percentage are not ours to drop."""
    file = site.folder / "resource_specs.json"
    spans = [{"start_date": "2020-01-01", "end_date": "2021-12-31"}, {"start_date": "2022-01-01"}]
    site_says = {"resource": "stack", "cpu_node_count": 5, "cpu_processor_count": 50, "cpu_ppn": 10}
    site_knows = {"gpu_node_count": 1, "gpu_processor_count": 4, "gpu_ppn": 4, "percent_allocated": 90}
    file.write_text(json.dumps([{**site_says, **site_knows, **span} for span in spans]))
    site.collect("2026-10-01T08:00:00", A)
    site.specs(file)
    site.collect("2026-10-05T08:00:00", B)
    assert site.specs(file).changed
    assert not site.specs(file).changed
    entries = json.loads(file.read_bytes())
    days = [(entry["start_date"], entry.get("end_date"), entry["cpu_processor_count"]) for entry in entries]
    assert days == [
        ("2020-01-01", "2021-12-31", 50),
        ("2022-01-01", "2026-09-30", 50),
        ("2026-10-01", "2026-10-04", 8),
        ("2026-10-05", None, 16),
    ]
    assert all(entry.items() >= site_knows.items() for entry in entries)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('{"resource": "stack"}', "is no JSON array"),
        ("[{]", "is no JSON array"),
        ("", "is no JSON array"),
        ('[{"resource": "stack"}]', "an entry of stack has no dates"),
        ('[{"resource": "stack", "start_date": "yesterday"}]', "an entry of stack has no dates"),
    ],
)
def test_unreadable_file_is_left_alone(site: Site, content: str, fault: str) -> None:
    """The message names the file, and nothing is written."""
    file = site.folder / "resource_specs.json"
    file.write_text(content)
    site.collect("2026-10-01T08:00:00", A)
    with pytest.raises(ConfigurationError, match=rf"resource_specs\.json.*{fault}"):
        site.specs(file)
    assert file.read_text() == content


def test_unfit_entries_leave_the_file_alone(site: Site) -> None:
    """XDMoD would cut a long name of a resource; its entries are set aside and the file stays."""
    file = site.folder / "resource_specs.json"
    file.write_text("[]")
    site.collect("2026-10-01T08:00:00", A)
    said = site.specs(file, "r" * 65)
    assert (said.entries, said.changed, file.read_text()) == ([], False, "[]")
    assert said.quarantine is not None
    assert "longer than 64" in json.loads(said.quarantine.read_bytes())[0]["reason"]


def test_nothing_observed_leaves_the_file_alone(site: Site) -> None:
    """A cloud of which nothing is known yet does not lose the entries that a person made."""
    file = site.folder / "resource_specs.json"
    file.write_text('[{"resource": "stack", "start_date": "2020-01-01"}]')
    assert not site.specs(file).changed
    assert "2020-01-01" in file.read_text()


def test_command_writes_both(site: Site) -> None:
    """It prints what it wrote, and the next time that there is nothing new."""
    site.collect("2026-10-01T08:00:00", A, B)
    file = str(site.folder / "resource_specs.json")
    said = site.command("--resource-specs", file)
    assert said.return_value == 0
    assert "sim: wrote hypervisor_facts_2026-10-01T08:00:00.json (2 hosts)" in said.output
    assert f"sim: wrote {file} (1 entries)" in said.output
    said = site.command("sim", "--resource-specs", file)
    assert "sim: nothing new" in said.output
    assert f"sim: {file} stays as it is" in said.output


def test_command_prints_entries(site: Site) -> None:
    """With `-`, standard output has the entries alone, as XDMoD's file would."""
    site.collect("2026-10-01T08:00:00", A, B)
    said = site.command("--resource-specs", "-")
    assert [entry["cpu_processor_count"] for entry in json.loads(said.stdout)] == [24]
    assert "wrote hypervisor_facts" in said.stderr


def test_command_prints_json(site: Site) -> None:
    """A program reads what a person would."""
    site.collect("2026-10-01T08:00:00", A, B)
    [said] = json.loads(site.command("--json", "--dry-run", "--resource-specs", "-").stdout)
    assert [file["records"] for file in said["files"]] == [2]
    assert [entry["cpu_node_count"] for entry in said["resource_specs"]["entries"]] == [2]
    assert site.facts() == {}


def test_command_reports_what_is_unfit(site: Site) -> None:
    """Exit code 1, and where it was set aside."""
    site.collect("2026-10-01T08:00:00", A, ("b", -1, 128))
    said = site.command()
    assert said.return_value == 1
    assert f"1 records do not fit the schema; they are in {site.quarantine}" in said.stderr


def test_command_exports_nothing_beside_a_file_at_fault(site: Site) -> None:
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
