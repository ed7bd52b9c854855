"""The archive as it is read: records that left the ledger, from files of Parquet that lie in one folder."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, func, select

from ledger.errors import ConfigurationError, DataError
from ledger.records import Kind
from ledger.tables import archive, archived, latest
from ledger.times import from_microseconds

__all__ = ["ARCHIVED", "Archive", "Extent", "Row", "completed", "connected"]

#: What may be archived, and the kinds of its records.
ARCHIVED = {Kind.SERVER: (Kind.SERVER, Kind.ACTION), Kind.POD: (Kind.POD,)}
_BATCH = 2000
_LAST = 2**63 - 1


class Row(NamedTuple):
    """A record as the ledger's own table has it."""

    subject: str
    seq: int
    observed: datetime
    kind: str
    body: str


class Extent(NamedTuple):
    """The files in which records are, and the first and last of their subjects and identities."""

    files: list[str]
    subjects: tuple[str, str]
    identities: tuple[str, str]


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

    def extent(self, *conditions: Any) -> Extent | None:
        """Where the records may be of things whose rows in the table `latest` fulfil conditions; none if nowhere."""
        if not self.files():
            return None
        subject, identity = latest.c.subject, latest.c.identity
        mine = and_(archived.c.source_id == latest.c.source_id, archived.c.subject == subject)
        chosen = (
            select(archive.c.file, func.min(subject), func.max(subject), func.min(identity), func.max(identity))
            .select_from(latest.join(archived, mine).join(archive, archive.c.id == archived.c.archive_id))
            .where(latest.c.source_id == self._source, *conditions)
            .group_by(archive.c.file)
            .order_by(archive.c.file)
        )
        found = self._connection.execute(chosen).all()
        if not found:
            return None
        files, first, last, since, until = zip(*found, strict=True)
        return Extent(list(files), (min(first), max(last)), (min(since), max(until)))

    def newest(self, kind: Kind, extent: Extent, up_to: int | None = None) -> Iterator[tuple[str, str, str]]:
        """Subject, identity and body of the records of one kind within an extent, by subject and identity.

        Of each subject and identity it is the newest one that was known `up_to` a place in the ledger.
        """
        asked = (
            "SELECT subject, identity, arg_max(body, seq) FROM read_parquet($files) WHERE kind = $kind"
            " AND subject BETWEEN $first AND $last AND identity BETWEEN $since AND $until AND seq <= $up_to"
            " GROUP BY subject, identity ORDER BY subject, identity"
        )
        (first, last), (since, until) = extent.subjects, extent.identities
        within = {"first": first, "last": last, "since": since, "until": until}
        up_to = _LAST if up_to is None else up_to
        for found in self._asked(extent.files, asked, kind=kind.value, up_to=up_to, **within):
            yield found[0], found[1], found[2]

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


def completed(rows: Iterable[Sequence[Any]], past: Iterator[tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
    """Subject and body of rows of subject, identity and body, where a body that is none comes from the `past`.

    Both are in the order of subject and identity. Rows of which neither knows a body are left out.
    """
    one = next(past, None)
    for subject, identity, body in rows:
        while one and one[:2] < (subject, identity):
            one = next(past, None)
        if body is not None:
            yield subject, body
        elif one and one[:2] == (subject, identity):
            yield subject, one[2]


def connected(**settings: str) -> Any:
    """An engine that reads and writes Parquet, and nothing but files that are named; with settings of its own."""
    # It takes long to load, and few need it.
    import duckdb

    return duckdb.connect(
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False, **settings}
    )
