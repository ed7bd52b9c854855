"""The engine: a private DuckDB that reads event files, rebuilds what XDMoD makes of them, and hands it out."""

import csv
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import duckdb

from usage import reading
from usage.days import DAYS
from usage.files import event_files
from usage.rebuild import rebuild
from usage.records import DAY_COLUMNS, SESSION_COLUMNS, Day, Reading, Session

__all__ = ["Engine"]

_SESSIONS = f"SELECT {', '.join(SESSION_COLUMNS)} FROM sessions ORDER BY instance, start_time_ts, start_event_type_id"

#: Of what is unknown, XDMoD has a name only for the host.
_SESSION_ROWS = f"SELECT * REPLACE (coalesce(host, 'Unknown') AS host) FROM ({_SESSIONS})"

_ROWS_AT_ONCE = 10_000


class Engine:
    """Rebuilds sessions and days from event files, in one process and within a bound of memory.

    What does not fit into `memory_limit` goes to a folder of its own inside `temp_directory`, which leaving the context
    removes. `connection` is open to further questions: its table `sessions` has a column for each of
    `SESSION_COLUMNS`, with NULL for unknown.
    """

    def __init__(
        self, *, memory_limit: str = "512MB", threads: int | None = None, temp_directory: Path | None = None
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="xdmod-cloud-usage-", dir=temp_directory)
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "temp_directory": str(Path(self._folder.name) / "spilled"),
            "preserve_insertion_order": False,
        }
        if threads is not None:
            config["threads"] = threads
        self.connection: duckdb.DuckDBPyConnection = duckdb.connect(
            Path(self._folder.name) / "usage.duckdb", config=config
        )
        self.connection.execute("SET GLOBAL TimeZone = 'UTC'")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of everything rebuilt, and of the space it took."""
        self.connection.close()
        self._folder.cleanup()

    def read(self, *directories: Path, today: date | None = None) -> Reading:
        """Rebuild the sessions of all event files in the directories, replacing those rebuilt before.

        Later directories overrule earlier ones where both have the same event. XDMoD drops what starts after `today`,
        in UTC, the day of its ingest. Raises UnreadableEvents where XDMoD would stop.
        """
        paths = event_files(directories)
        events = reading.load(self.connection, paths)
        sessions = rebuild(self.connection, today or datetime.now(UTC).date())
        skipped = reading.skipped(self.connection, paths)
        self.connection.execute("DROP VIEW events; DROP TABLE records")
        return Reading(files=len(paths), events=events, sessions=sessions, skipped=skipped)

    def sessions(self) -> Iterator[Session]:
        """Yield the sessions by instance, start and start event."""
        return (Session(*row) for row in self._rows(_SESSIONS))

    def days(self) -> Iterator[Day]:
        """Yield the days by day, flavor and state."""
        return (Day(*row) for row in self._rows(DAYS))

    def write_sessions(self, target: Path | TextIO) -> None:
        """Write sessions.csv, to a path at once and whole, or to a stream."""
        _write(target, SESSION_COLUMNS, self._rows(_SESSION_ROWS))

    def write_days(self, target: Path | TextIO) -> None:
        """Write days.csv, to a path at once and whole, or to a stream."""
        _write(target, DAY_COLUMNS, self._rows(DAYS))

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                yield from rows


def _write(target: Path | TextIO, header: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    if not isinstance(target, Path):
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        return
    partial = target.with_name(f".{target.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        _write(file, header, rows)
    partial.replace(target)
