"""A ledger in SQLite: a copy of one moment, made while others write, and what is in it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

from ledger import DataError, SourceUnavailable
from ledger.files import written_safely
from operations.backup.manifest import Content

__all__ = ["copied", "tallied"]


@contextmanager
def copied(file: Path) -> Iterator[Path]:
    """A copy of a ledger as it is at one moment, beside it; it is gone after the block.

    Raises SourceUnavailable where there is no room for it or it stays locked, DataError for a ledger that is damaged.
    """
    # A copy that was left by a process that died has the same name.
    copy = file.with_name(f"{file.name}.backup.part")
    copy.unlink(missing_ok=True)
    try:
        _copy(file, copy)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _copy(file: Path, copy: Path) -> None:
    try:
        with written_safely(copy, "[ledger] url"):
            copy.touch(mode=0o600)
        with closing(sqlite3.connect(file, timeout=60, isolation_level=None)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
    except sqlite3.Error as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise SourceUnavailable(f"There is no room for a copy of {file}. Make room, then run again.") from error
        if "locked" in str(error):
            raise SourceUnavailable(f"{file} is locked. Run again later.") from error
        raise DataError(f"{file} cannot be copied: {error}. Restore the ledger from an earlier backup.") from error


def tallied(file: Path, place: str) -> dict[str, Content]:
    """The rows of each table of a ledger that nobody writes. Raises DataError for a file that is damaged."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            if (said := connection.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
                raise DataError(f"{place} is damaged: {said}. Use another backup.")
            names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            return {name: _tally(connection, name) for (name,) in connection.execute(names).fetchall()}
    except sqlite3.Error as error:
        raise DataError(f"{place} is damaged: {error}. Use another backup.") from error


def _tally(connection: sqlite3.Connection, table: str) -> Content:
    count, digest = 0, sha256()
    for row in connection.execute(f'SELECT * FROM "{table}"'):
        count += 1
        digest.update(repr(row).encode())
    return Content(count, digest.hexdigest())
