"""Records of what is long gone leave the ledger for files of Parquet: written, read back, then removed.

That is servers, and the pods of clusters. One that still lives, or ended or was told of later, keeps all of its
records. So does everything else: names, hypervisors, nodes, the hierarchy. The table `latest` and the ids of jobs stay,
too: what is told again of something archived is known, and nothing new.
"""

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, case, delete, exists, func, insert, or_, select

import schemas
from ledger.archive import ARCHIVED, connected
from ledger.counts import counted
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
#: When a thing was there last: a server ended then; of a pod, a window began.
_LAST = {Kind.SERVER: latest.c.ends, Kind.POD: latest.c.begins}
#: The order of the rows of a file, in which lies together what is asked for together: of servers all, of pods a day.
_ORDER = {Kind.SERVER: "subject, seq", Kind.POD: "identity, subject, seq"}
#: So much memory may sorting take; the rest goes to the disk.
_MEMORY = 2**29
#: What the engine expects a line of JSON to be shorter than, if nothing is said.
_LINE = 2**24


class Archived(NamedTuple):
    """One month of a source that was archived: how many servers or pods, how many records of them, and the file."""

    source: str
    kind: Kind
    month: datetime
    gone: int
    records: int
    file: Path


class _Limits(NamedTuple):
    """What stays: all of which something was learned from `before` (UTC) on, or at place `seq` or later in the ledger.

    And what was there at `known` (UTC), up to when the source was both read and handed on, or later.
    """

    before: datetime
    seq: int
    known: datetime


class _Part(NamedTuple):
    """What goes into one file: things of one kind of a source that were there last in a month (UTC)."""

    source_id: int
    source: str
    kind: Kind
    month: datetime
    subjects: list[str]


class _Sum(NamedTuple):
    """What tells whether two sets of rows are the same, in whatever order: their number and a sum of digests."""

    records: int = 0
    digest: int = 0

    def plus(self, row: Sequence[Any]) -> "_Sum":
        told = blake2b(msgspec.json.encode(list(row)), digest_size=32).digest()
        return _Sum(self.records + 1, (self.digest + int.from_bytes(told)) % 2**256)


class _Written(NamedTuple):
    """What is in a file."""

    records: int
    first_seq: int
    last_seq: int
    last_run: int


def archive_source(ledger: Ledger, name: str, folder: Path, before: datetime) -> Iterator[Archived]:
    """Archive the servers that ended, and the pods last seen, in months before a time (UTC, the start of a month).

    Each month is one file and one transaction. Raises SourceUnavailable where the source is being written or the disk
    is full, DataError where the file does not say what the ledger does; the ledger has then lost nothing.
    """
    with ledger.writer(name):
        source_id, limits = ledger.source_id(name), _limits(ledger, name, before)
        if limits is None:
            return
        for kind in ARCHIVED:
            for month in _months(ledger, source_id, kind, before):
                subjects = _due(ledger, source_id, kind, month, limits)
                if subjects:
                    yield _archive(ledger, _Part(source_id, name, kind, month, subjects), folder, before)


def _limits(ledger: Ledger, name: str, before: datetime) -> _Limits | None:
    """What has to stay; none where that is everything.

    What may still be there, the watermark tells; what was not exported, the last exports. The last record of all stays,
    too, for the next one gets its place after that one.
    """
    mark, finished = ledger.watermark(name), export.c.finished.is_not(None)
    if mark is None:
        return None
    handed = (
        select(
            func.coalesce(func.max(case((finished, export.c.seq_to))), 0),
            func.max(case((finished, export.c.horizon_to))),
        )
        .where(export.c.source_id == ledger.source_id(name))
        .group_by(export.c.target)
    )
    with reading(ledger.engine) as connection:
        seq = int(connection.scalar(select(func.max(record.c.seq))) or 0)
        known = mark.at
        for seq_to, horizon in connection.execute(handed):
            if horizon is None:
                return None
            seq, known = min(seq, int(seq_to) + 1), min(known, horizon)
    return _Limits(before, seq, known)


def _months(ledger: Ledger, source_id: int, kind: Kind, before: datetime) -> Iterator[datetime]:
    """The months (UTC) before a time, from the first on in which something of a kind was there last."""
    first = select(func.min(latest.c.ends)).where(latest.c.source_id == source_id, latest.c.kind == kind)
    with reading(ledger.engine) as connection:
        end: datetime | None = connection.scalar(first)
    # A window that ends with a month lies in it.
    month = _month(end - timedelta(microseconds=1)) if end else before
    while month < before:
        yield month
        month = _next(month)


def _due(ledger: Ledger, source_id: int, kind: Kind, month: datetime, limits: _Limits) -> list[str]:
    """What is to be archived of those that were there last in a month."""
    later, of_it, last = latest.alias(), record.alias(), _LAST[kind]
    same = (later.c.source_id == latest.c.source_id, later.c.kind == latest.c.kind, later.c.subject == latest.c.subject)
    mine = (of_it.c.source_id == latest.c.source_id, of_it.c.subject == latest.c.subject)
    there_later = exists().where(*same, or_(later.c[last.name] >= _next(month), later.c.ends >= limits.known))
    learned_later = exists().where(*mine, or_(of_it.c.observed >= limits.before, of_it.c.seq >= limits.seq))
    in_ledger = exists().where(*mine, _is_of(of_it.c.kind, kind))
    chosen = (
        select(latest.c.subject)
        .where(latest.c.source_id == source_id, latest.c.kind == kind)
        # Ends are in an index; beginnings are not.
        .where(latest.c.ends >= month, latest.c.ends <= _next(month), last >= month, last < _next(month))
        .where(in_ledger, ~there_later, ~learned_later)
        .distinct()
    )
    with reading(ledger.engine) as connection:
        return sorted(connection.scalars(chosen))


def _archive(ledger: Ledger, part: _Part, folder: Path, before: datetime) -> Archived:
    with reading(ledger.engine) as connection:
        base = f"{part.source}-{part.month:%Y-%m}"
        same = select(func.count()).select_from(archive).where(archive.c.file.startswith(base, autoescape=True))
        # A file of that name that the ledger does not know was left by a process that died.
        path = folder / f"{base}-{(connection.scalar(same) or 0) + 1}.parquet"
        with written_safely(path, "[ledger] archive"):
            folder.mkdir(parents=True, exist_ok=True)
            written = _write(path, _rows(connection, part), _ORDER[part.kind])
    row = {
        "source_id": part.source_id,
        "file": path.name,
        "month": part.month,
        "older_than": before,
        "made": datetime.now(UTC),
        "servers": len(part.subjects),
        "sha256": _digest_of(path),
        **written._asdict(),
    }
    _move(ledger, part, row)
    return Archived(part.source, part.kind, part.month, len(part.subjects), written.records, path)


def _move(ledger: Ledger, part: _Part, row: dict[str, Any]) -> None:
    """Note the file and remove what is in it, in one transaction."""
    with writing(ledger.engine) as connection:
        connection.execute(insert(archive).values(**row))
        number = connection.scalar(select(archive.c.id).where(archive.c.file == row["file"]))
        removed = 0
        for chunk in _chunks(part.subjects):
            removed += connection.execute(delete(record).where(*_of(part, chunk))).rowcount
            rows = [{"source_id": part.source_id, "subject": subject, "archive_id": number} for subject in chunk]
            connection.execute(insert(archived), rows)
        if removed != row["records"]:
            raise DataError(
                f"{row['file']} has {counted(row['records'], 'records')}, and the ledger {removed:,}. Nothing was"
                " removed; run again."
            )


def _rows(connection: Connection, part: _Part) -> Iterator[dict[str, Any]]:
    for chunk in _chunks(part.subjects):
        chosen = select(record).where(*_of(part, chunk)).order_by(record.c.subject, record.c.seq)
        for row in connection.execution_options(yield_per=_CHUNK).execute(chosen).mappings():
            yield {**{key: row[key] for key in _COLUMNS if key != "source"}, "source": part.source} | {
                "observed": microseconds(row["observed"])
            }


def _of(part: _Part, subjects: list[str]) -> tuple[Any, ...]:
    """The records of some of a part's subjects."""
    return (
        record.c.source_id == part.source_id,
        record.c.subject.in_(subjects),
        _is_of(record.c.kind, part.kind),
    )


def _is_of(column: ColumnElement[str], kind: Kind) -> ColumnElement[bool]:
    """Whether a record is of something of a kind."""
    # By the plain column, SQLite would rather read all records of that kind than those of a subject.
    return func.coalesce(column, "").in_(ARCHIVED[kind])


def _write(path: Path, rows: Iterator[dict[str, Any]], order: str) -> _Written:
    """Write a file and read it back. Raises DataError where it says something else."""
    lines, part, spilled = (path.with_name(f".{path.stem}.{name}") for name in ("lines.part", "part", "spilled"))
    try:
        written, told, longest = _spool(lines, rows)
        with connected(memory_limit=f"{(_MEMORY + 8 * longest) >> 20}MiB", temp_directory=str(spilled)) as engine:
            _sort(engine, lines, part, order, longest)
            found, read = (
                engine.execute(f"SELECT {', '.join(_COLUMNS)} FROM read_parquet($file)", {"file": str(part)}),
                _Sum(),
            )
            while batch := found.fetchmany(_CHUNK):
                for row in batch:
                    read = read.plus(row)
        if read != told:
            raise DataError(
                f"{path} could not be written as the ledger has it. Nothing was removed; look after the disk."
            )
        flush(part)
        part.replace(path)
        flush(path.parent)
    finally:
        lines.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
        shutil.rmtree(spilled, ignore_errors=True)
    return written


def _spool(lines: Path, rows: Iterator[dict[str, Any]]) -> tuple[_Written, _Sum, int]:
    """Write rows as lines of JSON; returns what they are, and how long the longest line is."""
    validator, told, longest = schemas.validator("ledger-archive"), _Sum(), 0
    first_seq = last_seq = last_run = 0
    with lines.open("wb") as file:
        for row in rows:
            validator.validate(row)
            line = msgspec.json.encode(row) + b"\n"
            file.write(line)
            told = told.plus([row[name] for name in _COLUMNS])
            first_seq, last_seq = min(first_seq or row["seq"], row["seq"]), max(last_seq, row["seq"])
            last_run, longest = max(last_run, row["run_id"]), max(longest, len(line))
    return _Written(told.records, first_seq, last_seq, last_run), told, longest


def _sort(engine: Any, lines: Path, part: Path, order: str, longest: int) -> None:
    """Make a file of Parquet of lines of JSON."""
    columns = "{" + ", ".join(f"{name}: '{_TYPES.get(name, 'VARCHAR')}'" for name in _COLUMNS) + "}"
    engine.execute(
        f"COPY (SELECT * FROM read_json($lines, format = 'newline_delimited', columns = {columns},"
        f" maximum_object_size = {max(longest + 1, _LINE)}) ORDER BY {order}) TO "
        f"'{str(part).replace(chr(39), chr(39) * 2)}' (FORMAT parquet, COMPRESSION zstd)",
        {"lines": str(lines)},
    )


def _digest_of(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _month(time: datetime) -> datetime:
    return datetime(time.year, time.month, 1, tzinfo=UTC)


def _next(month: datetime) -> datetime:
    return datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)


def _chunks(subjects: list[str]) -> Iterator[list[str]]:
    yield from (subjects[start : start + _CHUNK] for start in range(0, len(subjects), _CHUNK))
