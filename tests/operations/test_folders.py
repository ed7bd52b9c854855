"""Folders as archives, on whatever Python 3.11 there is."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import DataError
from operations.backup.folders import FolderTally, tallied, unpacked


def archive(*members: tarfile.TarInfo) -> Iterator[bytes]:
    """An archive as somebody else may make it; files hold as many x as they are long."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    yield made.getvalue()


def member(name: str, *, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    """A file of three bytes, or something else."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, link, mode, 3 if kind == tarfile.REGTYPE else 0
    return info


def test_a_folder_comes_back_as_it_was(tmp_path: Path) -> None:
    """With empty folders, empty files, long and odd names, the times of files and who may run them."""
    folder = tmp_path / "there"
    (folder / "empty" / "deep").mkdir(parents=True)
    (folder / "nothing").touch()
    (folder / ("long-" * 45)).write_text("a")
    (folder / "empty" / "Müller's file").write_bytes(bytes(70_000))
    (folder / "script").write_text("#!/bin/sh\n")
    (folder / "script").chmod(0o750)
    unpacked(FolderTally().packed(folder), tmp_path / "back", "it")
    assert tallied(tmp_path / "back") == tallied(folder)
    assert (tmp_path / "back" / "empty" / "deep").is_dir()
    for name in ("nothing", "script"):
        one, other = (folder / name).stat(), (tmp_path / "back" / name).stat()
        assert (one.st_mode, int(one.st_mtime)) == (other.st_mode, other.st_mtime)


@pytest.mark.parametrize(
    "made",
    [
        member("../out"),
        member("deep/../../out"),
        member("/tmp/xdmod-cloud-out"),
        member("link", kind=tarfile.SYMTYPE, link="/etc/passwd"),
        member("link", kind=tarfile.LNKTYPE, link="../out"),
        member("pipe", kind=tarfile.FIFOTYPE),
    ],
    ids=lambda made: f"{made.name} {made.type.decode()}",
)
def test_nothing_leaves_the_folder(tmp_path: Path, made: tarfile.TarInfo) -> None:
    """An archive that holds anything but files and folders below it is refused, and writes nothing elsewhere."""
    with pytest.raises(DataError, match="neither a file nor a folder"):
        unpacked(archive(made), tmp_path / "back", "it")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["back"]
    assert not Path("/tmp/xdmod-cloud-out").exists()


def test_nobody_else_may_write_what_came_back(tmp_path: Path) -> None:
    """Rights that a backup should not hand out are not given."""
    unpacked(archive(member("open", mode=0o6777)), tmp_path / "back", "it")
    assert (tmp_path / "back" / "open").stat().st_mode & 0o7777 == 0o755
