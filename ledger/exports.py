"""What has been handed on of a source, by what the ledger had learned and not by the times of events."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple, NewType

from sqlalchemy import ColumnElement, Engine, RowMapping, Select, delete, insert, select, update

from ledger.database import reading, writing
from ledger.store import Ledger, Seq
from ledger.tables import export, export_file

__all__ = ["Export", "ExportId", "Exports", "WrittenFile"]

ExportId = NewType("ExportId", int)


class WrittenFile(NamedTuple):
    """A file of an export: its name in the outbox, how many records it has, and the SHA-256 of its bytes."""

    name: str
    records: int
    sha256: str


class Export(NamedTuple):
    """One handing-on: of the records in (`seq_from`, `seq_to`] and of the events up to `horizon_to` (UTC).

    `started` is when it was decided; none for one that is only thought of.
    """

    id: ExportId
    seq_from: Seq
    seq_to: Seq
    horizon_from: datetime | None
    horizon_to: datetime
    started: datetime | None = None


class Exports:
    """The exports of one source to one target. One process at a time may write them."""

    def __init__(self, ledger: Ledger, source: str, target: str) -> None:
        self._engine: Engine = ledger.engine
        self._source, self._target = ledger.source_id(source), target
        self._of = (export.c.source_id == self._source, export.c.target == target)

    def last(self, by: datetime | None = None) -> Export | None:
        """The newest export that was written completely, `by` a time (UTC) if that is said."""
        finished = export.c.finished
        return self._newest(finished.is_not(None) if by is None else finished <= by)

    def begun(self) -> Export | None:
        """The export that was begun and not finished, if its process died; its files may or may not be there."""
        return self._newest(export.c.finished.is_(None))

    def covering(self, moment: datetime) -> Export | None:
        """The export that handed on what happened at a moment (UTC); none before it was finished."""
        return self._first(export.c.finished.is_not(None), export.c.horizon_to > moment)

    def begin(self, seq_to: Seq, horizon_to: datetime) -> Export:
        """Decide what the next export hands on; from then on it is that, however often it has to be tried."""
        last = self.last()
        row = {
            "source_id": self._source,
            "target": self._target,
            "seq_from": last.seq_to if last else 0,
            "seq_to": seq_to,
            "horizon_from": last.horizon_to if last else None,
            "horizon_to": horizon_to,
            "started": datetime.now(UTC),
        }
        with writing(self._engine) as connection:
            connection.execute(insert(export).values(**row))
        begun = self.begun()
        assert begun is not None
        return begun

    def finish(self, done: Export, written: Iterable[WrittenFile], rewritten: Iterable[WrittenFile] = ()) -> None:
        """Record that an export's files are all in place, and what became of files of earlier exports."""
        with writing(self._engine) as connection:
            connection.execute(delete(export_file).where(export_file.c.export_id == done.id))
            rows = [{"export_id": done.id, **file._asdict()} for file in written]
            if rows:
                connection.execute(insert(export_file), rows)
            mine = select(export.c.id).where(*self._of).scalar_subquery()
            for file in rewritten:
                connection.execute(
                    update(export_file)
                    .where(export_file.c.name == file.name, export_file.c.export_id.in_(mine))
                    .values(records=file.records, sha256=file.sha256)
                )
            connection.execute(update(export).where(export.c.id == done.id).values(finished=datetime.now(UTC)))

    def files(self) -> list[WrittenFile]:
        """Every file that was ever handed on, by name."""
        chosen = (
            select(export_file.c.name, export_file.c.records, export_file.c.sha256)
            .join(export, export.c.id == export_file.c.export_id)
            .where(*self._of, export.c.finished.is_not(None))
            .order_by(export_file.c.name)
        )
        with reading(self._engine) as connection:
            return [WrittenFile(*row) for row in connection.execute(chosen)]

    def _newest(self, condition: object) -> Export | None:
        chosen = select(export).where(*self._of, condition).order_by(export.c.id.desc()).limit(1)  # type: ignore[arg-type]
        return self._one(chosen)

    def _first(self, *conditions: ColumnElement[bool]) -> Export | None:
        return self._one(select(export).where(*self._of, *conditions).order_by(export.c.id).limit(1))

    def _one(self, chosen: Select[Any]) -> Export | None:
        with reading(self._engine) as connection:
            row: RowMapping | None = connection.execute(chosen).mappings().first()
        return None if row is None else Export(*(row[name] for name in Export._fields))
