"""A file is there whole, or as it was before."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporters.outbox import put_whole, write_array
from ledger import ConfigurationError

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
