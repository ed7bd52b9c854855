"""Which files of a directory hold events, and whether XDMoD could read them."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from usage.records import UnreadableEvents

__all__ = ["check_whole", "event_files", "first_incomplete", "mentions_null"]

_STAMP = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}"
#: XDMoD looks for this anywhere in the name, so that a prefix or a suffix passes.
_EVENT_FILE = re.compile(rf"{_STAMP}_{_STAMP}\.json", re.ASCII)

_TAIL = 4096
_CHUNK = 1024**2


def event_files(directories: Iterable[Path]) -> list[Path]:
    """Return the event files of each directory in the order they count: a later one overrules an earlier one.

    A directory's own files come first, then those one level deep, each by name.
    """
    return [path for directory in directories for path in _of_one(directory)]


def _of_one(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise UnreadableEvents(directory, "is not a directory. Name the folder that the event files are in.")
    inside = sorted(path for path in directory.iterdir() if path.is_dir())
    found = [path for folder in (directory, *inside) for path in _matching(folder)]
    if not found:
        raise UnreadableEvents(
            directory,
            "holds no event file. XDMoD sees only names with YYYY-MM-DDTHH:MM:SS_YYYY-MM-DDTHH:MM:SS.json in them, "
            "in the folder itself or one level below.",
        )
    return found


def _matching(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if _EVENT_FILE.search(path.name) and path.is_file())


def check_whole(path: Path) -> None:
    """Raise UnreadableEvents for a file that ends before its array does; an empty file is whole."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        tail = file.read().rstrip()
    if tail and not tail.endswith(b"]"):
        raise UnreadableEvents(
            path,
            "does not end with the ] of a JSON array, as if cut short or written as lines or as one object. "
            "XDMoD stops here and leaves the files after it unread; write the file again.",
        )


def mentions_null(path: Path) -> bool:
    """Return whether a field of the file may be null; a text that has the word in it counts as well."""
    before = b""
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            # Searching backwards is several times faster, and where it is does not matter.
            if chunk.rfind(b"null") >= 0 or b"null" in before + chunk[:3]:
                return True
            before = chunk[-3:]
    return False


def first_incomplete(path: Path, field: str) -> int:
    """Return the number, from 1, of the first record without a field, as XDMoD counts."""
    records = json.loads(path.read_text(encoding="utf-8-sig"))
    return next(number for number, record in enumerate(records, start=1) if not record or field not in record)
