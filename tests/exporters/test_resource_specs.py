"""A site's resource_specs.json gets the capacities of a cloud, and keeps what only the site knows."""

import json
from pathlib import Path

import pytest

import schemas
from ledger import ConfigurationError
from tests.exporters.hosts import A, B, HostSite


@pytest.fixture
def site(tmp_path: Path) -> HostSite:
    return HostSite(tmp_path)


def test_entries_are_whole(site: HostSite) -> None:
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


def test_new_file_holds_the_entries(site: HostSite) -> None:
    """Where the site has no file yet, it gets one; told again, it stays untouched."""
    file = site.folder / "resource_specs.json"
    site.collect("2026-10-01T08:00:00", A)
    said = site.specs(file)
    assert said.changed
    assert json.loads(file.read_bytes()) == said.entries
    before = file.stat()
    assert not site.specs(file).changed
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_entries_of_others_stay_as_they_are(site: HostSite) -> None:
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


def test_what_only_the_site_knows_stays(site: HostSite) -> None:
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
def test_unreadable_file_is_left_alone(site: HostSite, content: str, fault: str) -> None:
    """The message names the file, and nothing is written."""
    file = site.folder / "resource_specs.json"
    file.write_text(content)
    site.collect("2026-10-01T08:00:00", A)
    with pytest.raises(ConfigurationError, match=rf"resource_specs\.json.*{fault}"):
        site.specs(file)
    assert file.read_text() == content


def test_unfit_entries_leave_the_file_alone(site: HostSite) -> None:
    """XDMoD would cut a long name of a resource; its entries are set aside and the file stays."""
    file = site.folder / "resource_specs.json"
    file.write_text("[]")
    site.collect("2026-10-01T08:00:00", A)
    said = site.specs(file, "r" * 65)
    assert (said.entries, said.changed, file.read_text()) == ([], False, "[]")
    assert said.quarantine is not None
    assert "longer than 64" in json.loads(said.quarantine.read_bytes())[0]["reason"]


def test_nothing_observed_leaves_the_file_alone(site: HostSite) -> None:
    """A cloud of which nothing is known yet does not lose the entries that a person made."""
    file = site.folder / "resource_specs.json"
    file.write_text('[{"resource": "stack", "start_date": "2020-01-01"}]')
    assert not site.specs(file).changed
    assert "2020-01-01" in file.read_text()
