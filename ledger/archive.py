"""The archive as it is read: records that left the ledger, from files of Parquet that lie in one folder."""

from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select

from ledger.errors import ConfigurationError, DataError
from ledger.records import Kind
from ledger.tables import archive, archived
from ledger.times import from_microseconds

__all__ = ["ARCHIVED", "Archive", "Row", "connected"]

#: The kinds of record that may be archived.
ARCHIVED = (Kind.SERVER, Kind.ACTION)
_BATCH = 2000


class Row(NamedTuple):
    """A record as the ledger's own table has it."""

    subject: str
    seq: int
    observed: datetime
    kind: str
    body: str


class Archive:
    """What of one source is in the archive, as one transaction sees it; `folder` has the files."""

    def __init__(self, connection: Connection, source_id: int, folder: Path | None) -> None:
        self._connection, self._source, self._folder = connection, source_id, folder

    def files(self, *conditions: Any) -> list[str]:
        """The files of the source, or those of them that fulfil conditions on the table `archive`."""
        chosen = select(archive.c.file).where(archive.c.source_id == self._source, *conditions).order_by(archive.c.id)
        return list(self._connection.scalars(chosen))

    def of(self, subjects: Select[tuple[str]] | Collection[str]) -> dict[str, list[str]]:
        """Those of the subjects of which the archive has records, with the files that have them."""
        if not self.files():
            return {}
        wanted = archived.c.subject.in_(subjects)
        found = dict[str, list[str]]()
        chosen = (
            select(archived.c.subject, archive.c.file)
            .join(archive, archive.c.id == archived.c.archive_id)
            .where(archived.c.source_id == self._source, wanted)
        )
        for subject, file in self._connection.execute(chosen):
            found.setdefault(subject, []).append(file)
        return found

    def rows(self, held: dict[str, list[str]], up_to: int) -> Iterator[Row]:
        """The records of subjects in their files, up to a place in the ledger, by subject and place."""
        files = sorted({file for names in held.values() for file in names})
        asked = (
            "SELECT subject, seq, observed, kind, body FROM read_parquet($files)"
            " WHERE seq <= $up_to AND subject IN (SELECT unnest($subjects)) ORDER BY subject, seq"
        )
        for subject, seq, observed, kind, body in self._asked(files, asked, up_to=up_to, subjects=list(held)):
            yield Row(subject, seq, from_microseconds(observed), kind, body)

    def subjects(self, after: int, up_to: int) -> set[str]:
        """What archived records in (`after`, `up_to`] are about."""
        files = self.files(archive.c.last_seq > after, archive.c.first_seq <= up_to)
        asked = "SELECT DISTINCT subject FROM read_parquet($files) WHERE seq > $after AND seq <= $up_to"
        return {row[0] for row in self._asked(files, asked, after=after, up_to=up_to)}

    def first_observed(self, kind: str, since: int) -> dict[int, datetime]:
        """The earliest time (UTC) at which each run from one on observed archived records of a kind."""
        files = self.files(archive.c.last_run >= since)
        asked = (
            "SELECT run_id, min(observed) FROM read_parquet($files) WHERE kind = $kind AND run_id >= $since GROUP BY 1"
        )
        return {row[0]: from_microseconds(row[1]) for row in self._asked(files, asked, kind=kind, since=since)}

    def _asked(self, files: list[str], question: str, **values: Any) -> Iterator[tuple[Any, ...]]:
        if not files:
            return
        if self._folder is None:
            raise ConfigurationError(f"Records were archived to {files[0]}. Name the folder in [ledger] archive.")
        paths = [self._folder / file for file in files]
        for path in paths:
            if not path.is_file():
                raise ConfigurationError(
                    f"The archive {path} is missing, and records of the ledger are in it. Correct [ledger] archive, or"
                    " restore the folder from a backup."
                )
        import duckdb

        with connected() as engine:
            try:
                found = engine.execute(question, {"files": [str(path) for path in paths], **values})
                while batch := found.fetchmany(_BATCH):
                    yield from batch
            except duckdb.Error as error:
                said = str(error).splitlines()[0]
                raise DataError(
                    f"The archive in {self._folder} is damaged: {said}. Restore it from a backup."
                ) from error


def connected() -> Any:
    """An engine that reads and writes Parquet, and nothing but files that are named."""
    # It takes long to load, and few need it.
    import duckdb

    return duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
