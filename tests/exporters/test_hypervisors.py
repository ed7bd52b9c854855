"""Each change of a cloud's hosts is told to XDMoD once, and its capacities are told by days."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import exporters.hypervisors.export
import schemas
from exporters.outbox import write_document
from ledger import SourceUnavailable
from ledger.exports import Exports
from ledger.locks import sole_writer
from ledger.text import HOST_WIDTH, fitted
from tests.exporters.hosts import A, B, C, HostSite, Sized


@pytest.fixture
def site(tmp_path: Path) -> HostSite:
    return HostSite(tmp_path)


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
    site: HostSite,
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


def test_nothing_new_writes_nothing(site: HostSite) -> None:
    """A file that XDMoD has read does not come back."""
    site.collect("2026-10-01T08:00:00", A, B)
    [first] = site.export()
    assert [(file.name, file.records) for file in first.files] == [("hypervisor_facts_2026-10-01T08:00:00.json", 2)]
    (site.outbox / first.files[0].name).unlink()
    assert site.export() == []
    site.collect("2026-10-05T08:00:00", A, B)
    assert site.export() == []
    assert site.facts() == {}


def test_dry_run_writes_nothing(site: HostSite) -> None:
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
def test_killed_export_is_completed(
    site: HostSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: int
) -> None:
    """Killed after so many files, it writes the same files when run again, whatever was learned meanwhile."""
    (tmp_path / "whole").mkdir()
    whole, days = HostSite(tmp_path / "whole"), [("2026-10-01", [A]), ("2026-10-03", [A, B]), ("2026-10-05", [B])]
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


def test_two_changes_in_a_second_are_one_file(site: HostSite) -> None:
    """A file's name has whole seconds; the later change says all."""
    site.collect("2026-10-01T08:00:00.1", A)
    site.collect("2026-10-01T08:00:00.9", A, B)
    site.export()
    assert site.facts() == {"2026-10-01T08:00:00Z": [A, B]}


def test_one_export_at_a_time(site: HostSite) -> None:
    """A second one is told to try again later."""
    with sole_writer(site.ledger.engine, "the hypervisors of sim"), pytest.raises(SourceUnavailable, match="Wait"):
        site.export()


def test_unfit_host_is_set_aside(site: HostSite) -> None:
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


def test_host_is_called_as_in_events(site: HostSite) -> None:
    """A name longer than XDMoD's column is cut alike, or its servers would be on no known host."""
    name = "compute-" + "x" * 80
    site.collect("2026-10-01T08:00:00", (name, 8, 64))
    site.export()
    [[(told, _, _)]] = site.facts().values()
    assert told == fitted(name, HOST_WIDTH)
    assert len(told) == 64


def test_files_are_what_xdmod_reads(site: HostSite, xdmod_data: Path) -> None:
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
