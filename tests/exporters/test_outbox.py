"""A file is there whole, or as it was before; its records are in order, however many there are."""

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import exporters.outbox
from exporters.outbox import DaySpool, array_lines, write_array
from ledger import ConfigurationError, SourceUnavailable
from ledger.files import put_whole

#: XDMoD's patterns of names, which it does not anchor.
READ = (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d_\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.json", r"hypervisor_facts_[0-9T:-]{19}.json")
DAY = "2026-10-01T00:00:00_2026-10-01T23:59:59.json"


class _Killed(BaseException):
    """Ends a process as a signal would."""


@pytest.mark.parametrize("name", [DAY, "2-" + DAY, "hypervisor_facts_2026-10-01T08:00:00.json"])
def test_half_a_file_is_not_seen(tmp_path: Path, name: str) -> None:
    """XDMoD reads every name that contains the one it looks for; a file that is being written has none such."""
    seen = list[str]()

    def lines() -> Iterator[bytes]:
        yield b"{}"
        seen.extend(path.name for path in tmp_path.iterdir())
        yield b"{}"

    assert write_array(tmp_path / name, lines()).records == 2
    assert len(seen) == 1
    assert not any(re.search(pattern, seen[0]) for pattern in READ)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_interrupted_file_stays_as_it_was(tmp_path: Path) -> None:
    """Nothing is left of what was not completed."""

    def chunks() -> Iterator[bytes]:
        yield b"new"
        raise _Killed

    path = tmp_path / DAY
    path.write_bytes(b"old")
    with pytest.raises(_Killed):
        put_whole(path, chunks())
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [(DAY, b"old")]


def test_rights_are_kept_where_asked(tmp_path: Path) -> None:
    """Whoever could read the old file can read the new one."""
    path = tmp_path / "resource_specs.json"
    path.write_bytes(b"old")
    path.chmod(0o604)
    put_whole(path, [b"new"], keep_rights=True)
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (0o604, b"new")


def test_unwritable_folder_is_named(tmp_path: Path) -> None:
    """The message names the file, the fault and what to correct."""
    with pytest.raises(ConfigurationError, match=rf"Cannot write .*{DAY}: No such file .*Correct \[outbox\]"):
        write_array(tmp_path / "absent" / DAY, [])


def record(number: int, padding: int = 0) -> bytes:
    """An encoded record; its time and its text follow from its number."""
    time = datetime(2026, 10, 1) + number * timedelta(minutes=7, microseconds=1)  # noqa: DTZ001
    return f'{{"generated":"{time.isoformat(timespec="microseconds")}","text":"{"x" * padding}é{number}"}}'.encode()


def spooled(folder: Path | None, lines: list[bytes]) -> dict[str, list[bytes]]:
    """What a spool makes of records, by day."""
    with DaySpool(folder) as spool:
        for line in lines:
            spool.add(line)
        return {day: list(found) for day, found in spool.days()}


@pytest.mark.parametrize("buffer", [0, 3_000, 2**30], ids=["each record alone", "some records", "all records"])
def test_records_come_back_by_day_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffer: int) -> None:
    """The order in which records came, and how many fit in memory, make no difference."""
    monkeypatch.setattr(exporters.outbox, "_BUFFER", buffer)
    ordered = [record(number) for number in range(800)]
    shuffled = random.Random(7).sample(ordered, len(ordered))
    found = spooled(tmp_path, shuffled)
    assert list(found) == ["2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04"]
    assert [line for lines in found.values() for line in lines] == ordered
    assert all(day.encode() == line[14:24] for day, lines in found.items() for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_records_that_do_not_fit_in_memory_are_not_lost(tmp_path: Path) -> None:
    """As many records as a busy month has come back, each once."""
    lines = [record(number % 50, padding=60_000) for number in range(1000)]
    found = [line for of_day in spooled(tmp_path, lines).values() for line in of_day]
    assert len(found) == 1000
    assert found == sorted(lines)


def test_a_spool_without_records_has_no_days(tmp_path: Path) -> None:
    """No file is written where nothing happened."""
    assert spooled(tmp_path / "new", []) == {}


def test_a_spool_that_was_interrupted_is_cleared_away(tmp_path: Path) -> None:
    """Runs of an export that died do not gather in the outbox."""
    (tmp_path / ".spool-dead").mkdir()
    (tmp_path / ".spool-dead" / "2026-10-01T08").write_bytes(b"half a rec")
    assert spooled(tmp_path, [record(1)]) == {"2026-10-01": [record(1)]}
    assert list(tmp_path.iterdir()) == []


def test_a_spool_among_temporary_files_leaves_those_of_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people may try an export at the same time."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with DaySpool(None) as first:
        first.add(record(1))
        (others,) = tmp_path.iterdir()
        assert spooled(None, [record(2)]) == {"2026-10-01": [record(2)]}
        assert list(tmp_path.iterdir()) == [others]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_file_is_one_array_with_a_record_a_line(tmp_path: Path, count: int) -> None:
    """XDMoD takes nothing but one JSON array; what was written is read back as it was."""
    path, lines = tmp_path / DAY, [record(number) for number in range(count)]
    written = write_array(path, lines)
    assert (written.name, written.records) == (DAY, count)
    assert json.loads(path.read_bytes()) == [json.loads(line) for line in lines]
    assert array_lines(path) == lines
    assert write_array(tmp_path / "again.json", lines).sha256 == written.sha256


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_leaves_what_was_there(small_disk: Path) -> None:
    """The operator is told to make room, and finds the old file whole and no half of the new one."""
    path = small_disk / DAY
    write_array(path, [record(1)])
    old = path.read_bytes()
    with pytest.raises(SourceUnavailable, match=rf"no room left to write .*{DAY} .*make room, then run again"):
        write_array(path, (record(number, padding=1000) for number in range(1000)))
    assert [(found.name, found.read_bytes()) for found in small_disk.iterdir()] == [(DAY, old)]
    write_array(path, [record(2)])
    assert array_lines(path) == [record(2)]


def test_a_disk_that_fills_while_records_are_sorted(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left of an export that had no room to sort its records."""
    monkeypatch.setattr(exporters.outbox, "_BUFFER", 10_000)
    with pytest.raises(SourceUnavailable, match="no room left"):
        spooled(small_disk, [record(number, padding=1000) for number in range(1000)])
    assert list(small_disk.iterdir()) == []


UNWRITABLE = """
import os
import sys
from pathlib import Path
from exporters.outbox import DaySpool, write_array
if os.geteuid() == 0:
    os.setuid(65534)
folder = Path(sys.argv[1])
try:
    if sys.argv[2] == "file":
        write_array(folder / "file.json", [])
    else:
        DaySpool(folder / "new").__enter__()
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("what", ["file", "spool"])
def test_a_folder_of_somebody_else(what: str) -> None:
    """A folder without rights is for a person to put right: another try would not help."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        program = [sys.executable, "-c", UNWRITABLE, name, what]
        said = subprocess.run(program, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout
        assert re.match(rf"ConfigurationError Cannot write {name}/\S+: Permission denied\. Correct \[outbox\]", said)
        assert list(folder.iterdir()) == []


@pytest.mark.parametrize("open_spool", [lambda path: write_array(path / DAY, []), lambda path: spooled(path, [])])
def test_a_file_where_a_folder_should_be(tmp_path: Path, open_spool: Callable[[Path], object]) -> None:
    """The message names the place."""
    (tmp_path / "events").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"Cannot write .*/events"):
        open_spool(tmp_path / "events")
