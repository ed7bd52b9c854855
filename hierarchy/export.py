"""The four CSVs of the hierarchy, as it is now or was at a time, and what XDMoD has been told of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, bindparam, insert, select, update

from hierarchy.csvs import FILES, Row, Rows, rows_of, waiting_keys, written
from hierarchy.history import as_of, current, first_seen, newest_time
from hierarchy.settings import Cloud
from ledger import DataError, Ledger
from ledger.database import reading, writing
from ledger.exports import WrittenFile
from ledger.locks import sole_writer
from ledger.tables import hierarchy_told
from ledger.times import iso_seconds

__all__ = ["ExportedHierarchy", "export_as_of", "export_now"]

#: The files whose lines make a new person at each import, as long as no usage has named their key.
_ONCE = ("group.csv", "names.csv")
#: What XDMoD was told: for each file, its rows by their keys.
_Told = Mapping[str, Mapping[str, Row]]


class ExportedHierarchy(Struct, frozen=True):
    """What was written, and as of when (UTC).

    `moved` counts the projects of clouds that XDMoD has in another place: what it has aggregated of them since
    `moved_since` (UTC) is right only when it has been ingested and aggregated again.
    """

    folder: Path
    as_of: datetime
    files: list[WrittenFile]
    warnings: list[str]
    moved: int = 0
    moved_since: datetime | None = None


def export_as_of(ledger: Ledger, clouds: Sequence[Cloud], folder: Path, moment: datetime) -> ExportedHierarchy:
    """Write the files as they would have been at a moment (UTC). Raises DataError where nothing was known yet."""
    with reading(ledger.engine) as connection:
        rows = rows_of((state.item for state in as_of(connection, moment)), clouds)
    if not rows.files["hierarchy.csv"]:
        raise DataError(f"Nothing is known of who owned what at {iso_seconds(moment)}. Choose a later --as-of.")
    return ExportedHierarchy(folder, moment, written(folder, rows.files), rows.warnings)


def export_now(
    ledger: Ledger, clouds: Sequence[Cloud], folder: Path, *, changed_only: bool = False
) -> ExportedHierarchy:
    """Write the files as they are now; with `changed_only`, lines that XDMoD was told before only where it must be.

    It was told what was once written and lies in the folder no more. Raises DataError before the first collection.
    """
    with sole_writer(ledger.engine, "the files of the hierarchy"):
        with reading(ledger.engine) as connection:
            now = newest_time(connection)
            if now is None:
                raise DataError("Nobody has asked yet who owns what. Run: xdmod-cloud collect hierarchy")
            rows = rows_of(current(connection), clouds)
            told = {file: _told(connection, file) for file in FILES}
            moved = _moved(rows, told)
            moved_since = first_seen(connection, [rows.owners[key] for key in moved])
        files = {
            file: _untold(of_file, told[file], waiting_keys(folder, file))
            if changed_only and file in _ONCE
            else of_file
            for file, of_file in rows.files.items()
        }
        put = written(folder, files)
        with writing(ledger.engine) as connection:
            for file in FILES:
                _tell(connection, file, told[file], files[file])
    return ExportedHierarchy(folder, now, put, rows.warnings, len(moved), moved_since)


def _untold(rows: Sequence[Row], told: Mapping[str, Row], waiting: set[str]) -> list[Row]:
    """The rows that XDMoD was not told, and those in a file that still waits to be imported."""
    return [row for row in rows if row[0] in waiting or told.get(row[0]) != row]


def _moved(rows: Rows, told: _Told) -> list[str]:
    """The keys of projects that XDMoD was told before, but in another place."""
    # Only a PI can get another parent: a field is that of one institution for ever.
    moved = {row[0] for row in rows.files["hierarchy.csv"] if told["hierarchy.csv"].get(row[0], row)[2] != row[2]}
    known = [row for row in rows.files["group.csv"] if row[0] in told["group.csv"]]
    return [key for key, pi in known if pi in moved or told["group.csv"][key] != (key, pi)]


def _told(connection: Connection, file: str) -> dict[str, Row]:
    decode = msgspec.json.Decoder(Row).decode
    chosen = select(hierarchy_told.c.key, hierarchy_told.c.line).where(hierarchy_told.c.file == file)
    return {key: decode(line) for key, line in connection.execute(chosen)}


def _tell(connection: Connection, file: str, told: Mapping[str, Row], rows: Sequence[Row]) -> None:
    """Keep in mind what XDMoD is told with a file."""
    changed = [(row[0], msgspec.json.encode(row).decode()) for row in rows if told.get(row[0]) != row]
    new = [{"file": file, "key": key, "line": line} for key, line in changed if key not in told]
    if new:
        connection.execute(insert(hierarchy_told), new)
    again = [{"_file": file, "_key": key, "_line": line} for key, line in changed if key in told]
    if again:
        connection.execute(_UPDATE, again)


_UPDATE = (
    update(hierarchy_told)
    .where(hierarchy_told.c.file == bindparam("_file"), hierarchy_told.c.key == bindparam("_key"))
    .values(line=bindparam("_line"))
)
