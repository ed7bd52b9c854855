"""The way of a file: from the outbox through XDMoD's hands into the archive. What lies where tells how far it is.

outbox/RESOURCE/KIND             written, and still the exporter's: it may be corrected
outbox/RESOURCE/claimed/KIND     taken out of the outbox; XDMoD may have read it, or a part of it
outbox/RESOURCE/shredding/KIND   what xdmod-shredder is reading
outbox/RESOURCE/shredded/KIND    read as a whole, and not yet ingested and aggregated
ARCHIVE/RESOURCE/KIND            in XDMoD; nothing is ever shredded from there
"""

import errno
from collections.abc import Iterable, Iterator
from filecmp import cmp
from itertools import count
from pathlib import Path
from typing import NamedTuple

from ledger.files import flush, put_whole, written_safely
from operations.xdmod.kinds import KINDS, Kind

__all__ = ["Places", "files_of", "handed_on", "move", "of_kind"]

_CHUNK = 1 << 20


class Places(NamedTuple):
    """The folders of one kind of one resource's files."""

    waiting: Path
    claimed: Path
    shredding: Path
    shredded: Path
    archive: Path

    @classmethod
    def of(cls, outbox: Path, archive: Path, resource: str, kind: Kind) -> "Places":
        """The folders below an outbox and an archive."""
        base = outbox / resource
        return cls(
            waiting=base / kind.folder,
            claimed=base / "claimed" / kind.folder,
            shredding=base / "shredding" / kind.folder,
            shredded=base / "shredded" / kind.folder,
            archive=archive / resource / kind.folder,
        )


def handed_on(outbox: Path, archive: Path, resource: str) -> list[Path]:
    """The folders with those of a resource's event files that have left the outbox, the archive first."""
    places = Places.of(outbox, archive, resource, KINDS[0])
    return [folder for folder in (places.archive, *places[1:4]) if of_kind(folder, KINDS[0])]


def of_kind(folder: Path, kind: Kind) -> list[Path]:
    """The files of a kind in a folder, by name; others, hidden ones and folders in it are nobody's business here."""
    return [path for path in files_of(folder) if kind.names.search(path.name)]


def files_of(folder: Path) -> list[Path]:
    """The files in a folder that are not hidden, by name; none where there is no folder."""
    with written_safely(folder):
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def move(files: Iterable[Path], folder: Path) -> list[Path]:
    """Move files into a folder, each whole at one of the two places at least, whenever the process dies.

    A file that is there already is not written again; another one of its name stays, and the new one gets a number in
    front. Raises SourceUnavailable for a full disk, ConfigurationError where a folder cannot be written.
    """
    moved, left = list[Path](), set[Path]()
    with written_safely(folder, "[outbox] or [xdmod] archive"):
        for path in files:
            folder.mkdir(parents=True, exist_ok=True)
            moved.append(_move(path, folder))
            left.add(path.parent)
        for changed in [folder, *left] if left else []:
            flush(changed)
    return moved


def _move(path: Path, folder: Path) -> Path:
    target = next(free for free in _names(folder, path.name) if not free.exists() or cmp(path, free, shallow=False))
    if target.exists():
        path.unlink()
        return target
    try:
        path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        put_whole(target, _chunks(path))
        path.unlink()
    return target


def _names(folder: Path, name: str) -> Iterator[Path]:
    yield folder / name
    yield from (folder / f"{number}-{name}" for number in count(2))


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
