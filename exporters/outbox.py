"""Writes sorted day files into an outbox, each whole or not at all, in memory that does not grow with their number.

Records are spooled by the hour, and each hour is sorted when its day is written.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import Self

from ledger.exports import WrittenFile
from ledger.files import put_whole, written_safely

__all__ = [
    "DAY_FILE",
    "DaySpool",
    "array_lines",
    "as_array",
    "day_of",
    "write_array",
    "write_document",
]

#: The names that XDMoD reads. It does not anchor the pattern, so that a number may stand in front.
DAY_FILE = re.compile(r"(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d_\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.json$")
_SPOOL = ".spool-"
_BUFFER = 48 * 2**20
_HOUR = slice(len(b'{"generated":"'), len(b'{"generated":"2026-10-01T08'))
_DAY = len(b"2026-10-01")
_AT_ONCE = 1000


class DaySpool:
    """Takes encoded records that begin with their time, in any order, and gives them back by day, sorted.

    They wait in a file for each hour, so that no more than an hour's records are in memory at once: in `folder`, where
    nobody else may spool at the same time, or with none in a folder of their own among the system's temporary files.
    """

    def __init__(self, folder: Path | None) -> None:
        self._cleaned, self._folder, self._size = folder, folder or Path(gettempdir()), 0
        self._waiting: dict[bytes, list[bytes]] = {}
        self._spooled: set[bytes] = set()

    def __enter__(self) -> Self:
        with written_safely(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            for stale in self._cleaned.glob(f"{_SPOOL}*") if self._cleaned else ():
                shutil.rmtree(stale)
            self._spool = Path(mkdtemp(prefix=_SPOOL, dir=self._folder))
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._spool, ignore_errors=True)

    def add(self, line: bytes) -> None:
        """Take one encoded record."""
        hour = line[_HOUR]
        if hour in self._waiting:
            self._waiting[hour].append(line)
        else:
            self._waiting[hour] = [line]
        self._size += len(line)
        if self._size > _BUFFER:
            self._flush()

    def days(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Each day (`2026-10-01`) that got a record, oldest first, with its records in order."""
        hours = sorted(self._spooled | self._waiting.keys())
        for day, of_day in groupby(hours, key=lambda hour: hour[:_DAY]):
            yield day.decode(), (line for hour in of_day for line in self._hour(hour))

    def _hour(self, hour: bytes) -> list[bytes]:
        lines = self._waiting.pop(hour, [])
        if hour in self._spooled:
            lines += (self._spool / hour.decode()).read_bytes().splitlines()
            (self._spool / hour.decode()).unlink()
        lines.sort()
        return lines

    def _flush(self) -> None:
        with written_safely(self._folder):
            for hour, lines in self._waiting.items():
                with (self._spool / hour.decode()).open("ab") as file:
                    file.write(b"\n".join(lines) + b"\n")
        self._spooled |= self._waiting.keys()
        self._waiting, self._size = {}, 0


def write_array(path: Path, lines: Iterable[bytes]) -> WrittenFile:
    """Write one JSON array, a record a line; what was there is replaced only when the new file is whole.

    Raises SourceUnavailable for a full disk, ConfigurationError where the folder cannot be written.
    """
    records = 0

    def counted() -> Iterator[bytes]:
        nonlocal records
        for line in lines:
            records += 1
            yield line

    with written_safely(path):
        digest = put_whole(path, as_array(counted()))
    return WrittenFile(path.name, records, digest)


def write_document(path: Path, document: bytes, records: int) -> WrittenFile:
    """Write one JSON document that holds so many records, as `write_array` does."""
    with written_safely(path):
        digest = put_whole(path, [document])
    return WrittenFile(path.name, records, digest)


def as_array(lines: Iterable[bytes]) -> Iterator[bytes]:
    """A JSON array of encoded records, a record a line, in chunks of many."""
    before, rest = b"[\n", iter(lines)
    while some := list(islice(rest, _AT_ONCE)):
        yield before + b",\n".join(some)
        before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def array_lines(path: Path) -> list[bytes]:
    """The records of a file that `write_array` wrote, as they stand in it."""
    return [line.removesuffix(b",") for line in path.read_bytes().splitlines() if line.startswith(b"{")]


def day_of(name: str) -> str | None:
    """The day of a day file, by its name; none for other files."""
    match = DAY_FILE.search(name)
    return match[1] if match else None
