"""Records of servers that are long gone leave the ledger for files of Parquet: written, read back, then removed.

A server that still lives, or ended or was told of later, keeps all of its records. So does everything else: names,
hypervisors, pods, the hierarchy.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, exists, func, insert, select

import schemas
from ledger.archive import ARCHIVED, connected
from ledger.database import reading, writing
from ledger.errors import DataError
from ledger.files import flush, written_safely
from ledger.records import Kind
from ledger.store import Ledger
from ledger.tables import archive, archived, export, latest, record
from ledger.times import microseconds

__all__ = ["Archived", "archive_source"]

_CHUNK = 500
_COLUMNS = ("subject", "seq", "source", "run_id", "kind", "identity", "observed", "body")
_TYPES = {"seq": "BIGINT", "run_id": "BIGINT", "observed": "BIGINT"}


class Archived(NamedTuple):
    """One month of a source that was archived: how many servers ended in it, their records, and the file."""

    source: str
    month: datetime
    servers: int
    records: int
    file: Path


class _Written(NamedTuple):
    """What is in a file."""

    records: int
    first_seq: int
    last_seq: int
    last_run: int
    digest: str


def archive_source(ledger: Ledger, name: str, folder: Path, before: datetime) -> Iterator[Archived]:
    """Archive the servers that ended in months before a time (UTC, the start of a month), month by month.

    Each month is one file and one transaction. Raises SourceUnavailable where the source is being written or the disk
    is full, DataError where the file does not say what the ledger does; the ledger has then lost nothing.
    """
    with ledger.writer(name):
        source_id = ledger.source_id(name)
        for month, subjects in groupby(_due(ledger, source_id, before), key=lambda one: _month(one[1])):
            chosen = [subject for subject, _ in subjects]
            yield _archive(ledger, (source_id, name), folder, month, before, chosen)


def _due(ledger: Ledger, source_id: int, before: datetime) -> list[tuple[str, datetime]]:
    """The servers to archive and when they ended, by month of that, then by name."""
    later = record.alias()
    with reading(ledger.engine) as connection:
        kept = _kept_from(connection, source_id)
        of_server = (later.c.source_id == latest.c.source_id, later.c.subject == latest.c.subject)
        held = exists().where(*of_server, (later.c.observed >= before) | (later.c.seq >= kept))
        there = exists().where(*of_server, later.c.kind.in_(ARCHIVED))
        chosen = select(latest.c.subject, latest.c.ends).where(
            latest.c.source_id == source_id, latest.c.kind == Kind.SERVER, latest.c.ends < before, ~held, there
        )
        return sorted(
            ((row[0], row[1]) for row in connection.execute(chosen)), key=lambda one: (_month(one[1]), one[0])
        )


def _kept_from(connection: Connection, source_id: int) -> int:
    """The first place in the ledger of what has to stay: what was not exported, and the last record of all.

    The next record gets its place after that one.
    """
    handed = (
        select(func.max(export.c.seq_to))
        .where(export.c.source_id == source_id, export.c.finished.is_not(None))
        .group_by(export.c.target)
    )
    last = int(connection.scalar(select(func.max(record.c.seq))) or 0)
    return min([last, *(int(seq) + 1 for seq in connection.scalars(handed))])


def _archive(
    ledger: Ledger, source: tuple[int, str], folder: Path, month: datetime, before: datetime, subjects: list[str]
) -> Archived:
    source_id, name = source
    with reading(ledger.engine) as connection:
        base = f"{name}-{month:%Y-%m}"
        same = select(func.count()).select_from(archive).where(archive.c.file.startswith(base, autoescape=True))
        # A file of that name that the ledger does not know was left by a process that died.
        path = folder / f"{base}-{(connection.scalar(same) or 0) + 1}.parquet"
        with written_safely(path, "[ledger] archive"):
            folder.mkdir(parents=True, exist_ok=True)
            written = _write(path, _rows(connection, source_id, name, subjects))
    row = {
        "source_id": source_id,
        "file": path.name,
        "month": month,
        "older_than": before,
        "made": datetime.now(UTC),
        "servers": len(subjects),
        "sha256": _digest_of(path),
        **{key: value for key, value in written._asdict().items() if key != "digest"},
    }
    _move(ledger, source_id, row, subjects, written)
    return Archived(name, month, len(subjects), written.records, path)


def _move(ledger: Ledger, source_id: int, row: dict[str, Any], subjects: list[str], written: _Written) -> None:
    """Note the file and remove what is in it, in one transaction."""
    with writing(ledger.engine) as connection:
        connection.execute(insert(archive).values(**row))
        number = connection.scalar(select(archive.c.id).where(archive.c.file == row["file"]))
        removed = 0
        for chunk in _chunks(subjects):
            mine = (record.c.source_id == source_id, record.c.subject.in_(chunk), record.c.kind.in_(ARCHIVED))
            removed += connection.execute(delete(record).where(*mine)).rowcount
            rows = [{"source_id": source_id, "subject": subject, "archive_id": number} for subject in chunk]
            connection.execute(insert(archived), rows)
        if removed != written.records:
            raise DataError(
                f"{row['file']} has {written.records:,} records, and the ledger {removed:,}. Nothing was removed; run"
                " again."
            )


def _rows(connection: Connection, source_id: int, name: str, subjects: list[str]) -> Iterator[dict[str, Any]]:
    for chunk in _chunks(subjects):
        chosen = (
            select(record)
            .where(record.c.source_id == source_id, record.c.subject.in_(chunk), record.c.kind.in_(ARCHIVED))
            .order_by(record.c.subject, record.c.seq)
        )
        for row in connection.execute(chosen).mappings():
            yield {**{key: row[key] for key in _COLUMNS if key != "source"}, "source": name} | {
                "observed": microseconds(row["observed"])
            }


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> _Written:
    """Write a file and read it back. Raises DataError where it says something else."""
    lines, part = path.with_name(f".{path.stem}.lines.part"), path.with_name(f".{path.stem}.part")
    try:
        written = _spool(lines, rows)
        columns = "{" + ", ".join(f"{name}: '{_TYPES.get(name, 'VARCHAR')}'" for name in _COLUMNS) + "}"
        with connected() as engine:
            engine.execute(
                f"COPY (SELECT * FROM read_json($lines, format = 'newline_delimited', columns = {columns},"
                " maximum_object_size = 1073741824) ORDER BY subject, seq) TO "
                f"'{str(part).replace(chr(39), chr(39) * 2)}' (FORMAT parquet, COMPRESSION zstd)",
                {"lines": str(lines)},
            )
            found = engine.execute(f"SELECT {', '.join(_COLUMNS)} FROM read_parquet($file)", {"file": str(part)})
            digest = sha256()
            while batch := found.fetchmany(_CHUNK):
                for row in batch:
                    digest.update(_told(row))
        if digest.hexdigest() != written.digest:
            raise DataError(
                f"{path} could not be written as the ledger has it. Nothing was removed; look after the disk."
            )
        flush(part)
        part.replace(path)
        flush(path.parent)
    finally:
        lines.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
    return written


def _spool(lines: Path, rows: Iterator[dict[str, Any]]) -> _Written:
    validator, digest, seqs, runs = schemas.validator("ledger-archive"), sha256(), list[int](), 0
    with lines.open("wb") as file:
        for row in rows:
            validator.validate(row)
            file.write(msgspec.json.encode(row) + b"\n")
            digest.update(_told([row[name] for name in _COLUMNS]))
            seqs.append(row["seq"])
            runs = max(runs, row["run_id"])
    return _Written(len(seqs), min(seqs), max(seqs), runs, digest.hexdigest())


def _told(row: Sequence[Any]) -> bytes:
    return msgspec.json.encode(list(row))


def _digest_of(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _month(time: datetime) -> datetime:
    return datetime(time.year, time.month, 1, tzinfo=UTC)


def _chunks(subjects: list[str]) -> Iterator[list[str]]:
    yield from (subjects[start : start + _CHUNK] for start in range(0, len(subjects), _CHUNK))
