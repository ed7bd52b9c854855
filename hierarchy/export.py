"""The four CSVs of the hierarchy, as it is now or was at a time, and what becomes of what XDMoD has ingested."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, func, select

from hierarchy.csvs import FILES, Row, Rows, rows_of, waits, written
from hierarchy.history import as_of, current, first_seen, first_time, newest_time
from hierarchy.records import Item, Level
from hierarchy.settings import Cloud
from hierarchy.told import keep_in_mind, told_before
from ledger import DataError, Ledger
from ledger.database import reading, writing
from ledger.exports import WrittenFile
from ledger.locks import sole_writer
from ledger.tables import latest
from ledger.times import iso_seconds

__all__ = ["ExportedHierarchy", "export_as_of", "export_now"]

#: The files whose lines make a new person at each import, as long as no usage has named their key.
_ONCE = ("group.csv", "names.csv")
#: What XDMoD has: for each file, its rows by their keys.
_Told = Mapping[str, Mapping[str, Row]]


class ExportedHierarchy(Struct, frozen=True):
    """What was written, and as of when (UTC).

    `moved` counts the projects of clouds that are new to XDMoD, or in another place: what it has ingested of them,
    since `moved_since` (UTC) at the earliest, is right only when it has been ingested and aggregated again.
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
    ledger: Ledger,
    clouds: Sequence[Cloud],
    outbox: Path,
    *,
    changed_only: bool = False,
    elsewhere: Path | None = None,
) -> ExportedHierarchy:
    """Write the files as they are now; with `changed_only`, lines that XDMoD has only where it does no harm.

    What was written into the folder `outbox`, and lies there no more, XDMoD has; what is written `elsewhere` is not for
    it. Raises DataError before the first collection.
    """
    with sole_writer(ledger.engine, "the files of the hierarchy"):
        with reading(ledger.engine) as connection:
            now = newest_time(connection)
            if now is None:
                raise DataError("Nobody has asked yet who owns what. Run: xdmod-cloud collect hierarchy")
            items = list(current(connection))
            rows = rows_of(items, clouds)
            has = {file: told_before(connection, file, waits=waits(outbox, file)) for file in FILES}
            moved = _moved(rows, items, has)
            since = _since(connection, moved)
        files = {
            file: [row for row in of_file if not (changed_only and file in _ONCE) or has[file].get(row[0]) != row]
            for file, of_file in rows.files.items()
        }
        put = written(elsewhere or outbox, files)
        if elsewhere is None:
            with writing(ledger.engine) as connection:
                for file in FILES:
                    keep_in_mind(connection, file, has[file], files[file])
    return ExportedHierarchy(elsewhere or outbox, now, put, rows.warnings, len(moved), since)


def _moved(rows: Rows, items: Iterable[Item], has: _Told) -> list[Item]:
    """The projects of clouds that XDMoD has not, or has in another place; closed ones move with their PI."""
    # Only a PI can get another parent: a field is that of one institution for ever.
    nodes = has["hierarchy.csv"]
    pis = {int(row[0]) for row in rows.files["hierarchy.csv"] if nodes.get(row[0], row)[2] != row[2]}
    changed = {rows.owners[row[0]] for row in rows.files["group.csv"] if has["group.csv"].get(row[0]) != row}
    by_id = {item.id: item for item in items}
    return [
        item
        for item in by_id.values()
        if item.level is Level.CLOUD_PROJECT
        and (item.id in changed or (item.parent is not None and by_id[item.parent].parent in pis))
    ]


def _since(connection: Connection, moved: Sequence[Item]) -> datetime | None:
    """When the first usage of some projects can have been: when they came, or before anybody asked whose they are."""
    first = first_seen(connection, [item.id for item in moved])
    if first is None or first != first_time(connection):
        return first
    usage: datetime | None = connection.scalar(select(func.min(latest.c.begins)))
    return min(filter(None, [first, usage]))
