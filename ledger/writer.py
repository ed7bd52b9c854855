"""Appends to the ledger, for whoever holds a source's lock: runs, records, what was set aside."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple, NewType

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Engine, bindparam, func, insert, select, update

from ledger.cluster import Claim, Clustered, Pod
from ledger.database import writing
from ledger.ownership import Owning
from ledger.records import Record, Server
from ledger.tables import latest, quarantine, record, run

__all__ = ["Mode", "Rejected", "RunId", "Writer"]

RunId = NewType("RunId", int)
_CHUNK = 500


class Mode(StrEnum):
    """How much of its source a run reads: what changed since the watermark, or everything."""

    CHANGES = "changes"
    SWEEP = "sweep"


class Rejected(Struct, frozen=True):
    """Something that a source answered and that is no record: whole, with the reason."""

    reason: str
    body: str


class _Row(NamedTuple):
    kind: str
    subject: str
    identity: str
    body: str
    digest: str
    begins: datetime | None
    ends: datetime | None

    @property
    def key(self) -> tuple[str, ...]:
        return self[:3]


class Writer:
    """Writes one source. Made by `Ledger.writer`, which holds the lock meanwhile."""

    def __init__(self, engine: Engine, source_id: int, name: str) -> None:
        self._engine, self._source, self.name = engine, source_id, name

    def begin(self, mode: Mode, window_from: datetime | None) -> RunId:
        """Record that a run starts, and that runs which never ended died: their process held the lock that we hold."""
        with writing(self._engine) as connection:
            connection.execute(
                update(run)
                .where(run.c.source_id == self._source, run.c.outcome == "running")
                .values(outcome="died", error="The process ended before the run did.")
            )
            row = {"source_id": self._source, "mode": mode, "started": datetime.now(UTC), "outcome": "running"}
            connection.execute(insert(run).values(window_from=window_from, **row))
            newest = select(func.max(run.c.id)).where(run.c.source_id == self._source)
            return RunId(connection.scalar(newest) or 0)

    def finish(
        self,
        run_id: RunId,
        window_to: datetime,
        observed: datetime,
        records: Iterable[Record | Owning | Clustered],
        rejected: Iterable[Rejected] = (),
        counts: Mapping[str, int] | None = None,
        mode: Mode | None = None,
        also: Callable[[Connection], Mapping[str, int]] | None = None,
    ) -> dict[str, int]:
        """Append what is new and move the watermark to `window_to`, in one transaction.

        `mode` is said where only the run itself found out how much was to be read. `also` writes what else belongs to
        the run, in the same transaction, and returns its counts. Returns all counts and, beside them, how many records
        were `appended` and how many `rejected`, newly or again.
        """
        with writing(self._engine) as connection:
            appended, last_seq = self._append(connection, run_id, observed, records)
            totals = {
                **(counts or {}),
                **(also(connection) if also else {}),
                "appended": appended,
                "rejected": self._set_aside(connection, run_id, observed, rejected),
            }
            connection.execute(
                update(run)
                .where(run.c.id == run_id)
                .values(
                    outcome="done",
                    finished=datetime.now(UTC),
                    window_to=window_to,
                    last_seq=last_seq,
                    counts=msgspec.json.encode(totals).decode(),
                    **({"mode": mode} if mode else {}),
                )
            )
        return totals

    def fail(self, run_id: RunId, error: str) -> None:
        """Record that a run failed; the watermark stays."""
        with writing(self._engine) as connection:
            values = {"outcome": "failed", "finished": datetime.now(UTC), "error": error}
            connection.execute(update(run).where(run.c.id == run_id).values(**values))

    def _append(
        self, connection: Connection, run_id: RunId, observed: datetime, records: Iterable[Record | Owning | Clustered]
    ) -> tuple[int, int]:
        last = first = int(connection.scalar(select(func.max(record.c.seq))) or 0)
        for rows in _chunks(_row(item, observed) for item in records):
            known = self._digests(connection, rows)
            numbered = list(enumerate(_news(rows, known), last + 1))
            if not numbered:
                continue
            last += len(numbered)
            connection.execute(insert(record), [self._record(seq, row, run_id, observed) for seq, row in numbered])
            newest = {row.key: (seq, row) for seq, row in numbered}.values()
            first_seen = [self._latest(seq, row) for seq, row in newest if row.key not in known]
            if first_seen:
                connection.execute(insert(latest), first_seen)
            changed = [self._latest(seq, row) for seq, row in newest if row.key in known]
            if changed:
                connection.execute(
                    _UPDATE_LATEST, [{f"_{name}": value for name, value in row.items()} for row in changed]
                )
        return last - first, last

    def _digests(self, connection: Connection, rows: list[_Row]) -> dict[tuple[str, ...], str]:
        wanted = select(latest.c.kind, latest.c.subject, latest.c.identity, latest.c.digest).where(
            latest.c.source_id == self._source,
            # Without the kinds the key is of no use, and everything known of the source would be read each time.
            latest.c.kind.in_({row.kind for row in rows}),
            latest.c.subject.in_({row.subject for row in rows}),
        )
        return {(kind, subject, identity): digest for kind, subject, identity, digest in connection.execute(wanted)}

    def _record(self, seq: int, row: _Row, run_id: RunId, observed: datetime) -> dict[str, object]:
        return {
            "seq": seq,
            "source_id": self._source,
            "run_id": run_id,
            "kind": row.kind,
            "subject": row.subject,
            "identity": row.identity,
            "observed": observed,
            "body": row.body,
        }

    def _latest(self, seq: int, row: _Row) -> dict[str, object]:
        return {
            "source_id": self._source,
            "kind": row.kind,
            "subject": row.subject,
            "identity": row.identity,
            "digest": row.digest,
            "seq": seq,
            "begins": row.begins,
            "ends": row.ends,
        }

    def _set_aside(
        self, connection: Connection, run_id: RunId, observed: datetime, rejected: Iterable[Rejected]
    ) -> int:
        seen = list(rejected)
        known = set(connection.scalars(select(quarantine.c.digest).where(quarantine.c.source_id == self._source)))
        news = {digest: item for item in seen if (digest := _digest(item.reason + item.body)) not in known}
        if news:
            fixed = {"source_id": self._source, "run_id": run_id, "observed": observed}
            rows = [{**fixed, "digest": digest, **msgspec.structs.asdict(item)} for digest, item in news.items()]
            connection.execute(insert(quarantine), rows)
        return len(seen)


_UPDATE_LATEST = (
    update(latest)
    .where(*(latest.c[name] == bindparam(f"_{name}") for name in ("source_id", "kind", "subject", "identity")))
    .values({name: bindparam(f"_{name}") for name in ("digest", "seq", "begins", "ends")})
)


def _row(item: Record | Owning | Clustered, observed: datetime) -> _Row:
    body = msgspec.json.encode(item).decode()
    return _Row(item.kind, item.subject, item.identity, body, _digest(body), *_times(item, observed))


def _times(item: Record | Owning | Clustered, observed: datetime) -> tuple[datetime | None, datetime | None]:
    """When the thing began and ended; of what is told by windows, its window."""
    if isinstance(item, Pod | Claim):
        return item.since, item.until
    if isinstance(item, Server):
        return item.created, (item.terminated or observed) if item.ended else None
    return None, None


def _news(rows: Iterable[_Row], known: Mapping[tuple[str, ...], str]) -> Iterator[_Row]:
    """The rows that say something else than what was last said of the same thing."""
    said = dict(known)
    for row in rows:
        if said.get(row.key) != row.digest:
            said[row.key] = row.digest
            yield row


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _chunks(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    rows = iter(rows)
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk
