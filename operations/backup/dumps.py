"""What is in a dump: rows of each table and their checksum, told from the statements that go by."""

import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import chain
from typing import Any

from operations.backup.manifest import Content

__all__ = ["DumpTally", "renamed"]

_NAME = rb"`((?:[^`]|``)+)`"
_USE = re.compile(rb"USE " + _NAME)
_TABLE = re.compile(rb"CREATE TABLE " + _NAME)
_INSERT = re.compile(rb"INSERT INTO " + _NAME + rb"(?: \([^)]*\))? VALUES ?")
_TEXT = re.compile(rb"'(?:[^'\\]|\\.|'')*'")
_VIEW = b"/*!50001 VIEW `"
_BEGIN, _END = b"DELIMITER ;;", b"DELIMITER ;"
_DONE = b"-- Dump completed"


class DumpTally:
    """Counts what a dump holds while it goes by; `complete` says whether it has its end.

    Of each table the rows are counted, and their texts give the checksum: a dump of the restored table, by the same
    program, gives the same one. `objects` counts views, triggers and routines.
    """

    def __init__(self) -> None:
        self._tables = dict[str, tuple[list[int], Any]]()
        self._database, self._rows, self._routine = "", "", False
        self.objects, self.complete = 0, False

    @property
    def contents(self) -> dict[str, Content]:
        """Each table, as DATABASE.TABLE."""
        return {name: Content(count[0], digest.hexdigest()) for name, (count, digest) in sorted(self._tables.items())}

    def through(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Give on what goes by, unchanged."""
        kept = b""
        for chunk in chunks:
            lines = (kept + chunk).split(b"\n")
            kept = lines.pop()
            for line in lines:
                self._read(line)
            yield chunk
        self._read(kept)

    def _read(self, line: bytes) -> None:
        if self._rows:
            # A row a line: a newline in a text is escaped.
            count, digest = self._tables[self._rows]
            count[0] += 1
            digest.update(line[:-1])
            if line.endswith(b";"):
                self._rows = ""
        elif self._routine:
            self._routine = line != _END
        elif line.startswith(b"INSERT INTO `"):
            self._insert(line)
        elif found := _TABLE.match(line):
            self._tables.setdefault(self._full(found[1]), ([0], sha256()))
        elif found := _USE.match(line):
            self._database = found[1].decode()
        elif line == _BEGIN:
            self._routine = True
            self.objects += 1
        elif line.startswith(_VIEW):
            self.objects += 1
        elif line.startswith(_DONE):
            self.complete = True

    def _insert(self, line: bytes) -> None:
        found = _INSERT.match(line)
        assert found is not None
        name = self._full(found[1])
        rows = line[found.end() :]
        if not rows:
            self._rows = name
            return
        # Of programs that write all rows of a statement into one line, brackets outside of texts tell how many.
        count, digest = self._tables[name]
        count[0] += _TEXT.sub(b"", rows).count(b"),(") + 1
        digest.update(rows)

    def _full(self, table: bytes) -> str:
        return f"{self._database}.{table.decode()}"


def renamed(chunks: Iterable[bytes], names: Mapping[str, str]) -> Iterator[bytes]:
    """Let a dump speak of other databases: `names` has for each of its own the other one. Rows stay as they are."""
    if all(name == other for name, other in names.items()):
        yield from chunks
        return
    alternatives = b"|".join(re.escape(name.encode()) for name in sorted(names, key=len, reverse=True))
    # Before a dot, or alone where a database is made or chosen; triggers and views may name it without quotes.
    qualified = re.compile(rb"(?<![\w$`.])(`?)(" + alternatives + rb")(`?)(?=\s*\.)")
    chosen = re.compile(rb"^((?:USE|CREATE DATABASE)\b[^`]*`)(" + alternatives + rb")(?=`)")
    other = {name.encode(): to.encode() for name, to in names.items()}
    kept, in_rows = b"", False
    for chunk in chain(chunks, [None]):
        lines = [kept] if chunk is None else (kept + chunk).split(b"\n")
        kept = b"" if chunk is None else lines.pop()
        changed = []
        for line in lines:
            if in_rows or line.startswith(b"INSERT INTO `"):
                in_rows = not line.endswith(b";")
                changed.append(line)
                continue
            line = chosen.sub(lambda found: found[1] + other[found[2]], line)
            changed.append(qualified.sub(lambda found: found[1] + other[found[2]] + found[3], line))
        if changed:
            yield b"\n".join(changed) + (b"" if chunk is None else b"\n")
