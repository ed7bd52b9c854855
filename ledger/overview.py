"""How far each source is, in few questions: its runs, its watermark, what waits to be handed on, what was set aside."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, case, func, select

from ledger.database import reading
from ledger.store import Ledger
from ledger.tables import export, quarantine, record, run, source

__all__ = ["Failure", "SourceOverview", "overview", "records_ever"]


class Failure(Struct, frozen=True):
    """A run that did not end well: when it began (UTC), and why."""

    at: datetime
    error: str


class SourceOverview(Struct, frozen=True):
    """What the ledger knows of a source's readings; times are UTC.

    `succeeded`, `seconds` and `appended` tell of the last run that was done. `backlog` has for each target how many
    records were learned and not yet handed on.
    """

    source: str
    watermark: datetime | None
    succeeded: datetime | None
    seconds: float | None
    appended: int | None
    runs: int
    failures: int
    failures_since: int
    last_failure: Failure | None
    rejected: int
    backlog: dict[str, int]


def overview(ledger: Ledger) -> list[SourceOverview]:
    """Every source that was ever written, in the order in which they came."""
    with reading(ledger.engine) as connection:
        known = connection.execute(select(source.c.id, source.c.name).order_by(source.c.id)).all()
        return [_overview(connection, number, name) for number, name in known]


def records_ever(ledger: Ledger) -> int:
    """How many records were ever appended; what was archived since counts, too."""
    with reading(ledger.engine) as connection:
        return int(connection.scalar(select(func.max(record.c.seq))) or 0)


def _overview(connection: Connection, number: int, name: str) -> SourceOverview:
    of_source = run.c.source_id == number
    outcomes = select(run.c.outcome, func.count()).where(of_source).group_by(run.c.outcome)
    counts = {row[0]: int(row[1]) for row in connection.execute(outcomes)}
    done = connection.execute(
        select(run).where(of_source, run.c.outcome == "done").order_by(run.c.id.desc()).limit(1)
    ).first()
    bad = select(run).where(of_source, run.c.outcome.in_(["failed", "died"]))
    failed = connection.execute(bad.order_by(run.c.id.desc()).limit(1)).first()
    since = select(func.count()).select_from(bad.where(run.c.id > (done.id if done else 0)).subquery())
    aside = select(func.count()).select_from(quarantine).where(quarantine.c.source_id == number)
    return SourceOverview(
        name,
        done.window_to if done else None,
        done.finished if done else None,
        _seconds(done),
        _appended(done),
        sum(counts.values()),
        counts.get("failed", 0) + counts.get("died", 0),
        connection.scalar(since) or 0,
        Failure(failed.started, failed.error or "") if failed else None,
        connection.scalar(aside) or 0,
        _backlog(connection, number, done.last_seq or 0) if done else {},
    )


def _backlog(connection: Connection, number: int, last: int) -> dict[str, int]:
    finished = export.c.finished.is_not(None)
    told = (
        select(export.c.target, func.max(export.c.seq_to))
        .where(export.c.source_id == number, finished)
        .group_by(export.c.target)
    )
    return {target: _after(connection, number, seq, last) for target, seq in connection.execute(told)}


def _after(connection: Connection, number: int, seq: int, last: int) -> int:
    # With the source in the condition, SQLite would read all that is known of it, and not only what is new.
    mine = case((record.c.source_id == number, 1), else_=0)
    news = select(func.sum(mine)).where(record.c.seq > seq, record.c.seq <= last)
    return int(connection.scalar(news) or 0)


def _seconds(done: Row[Any] | None) -> float | None:
    return (done.finished - done.started).total_seconds() if done and done.finished else None


def _appended(done: Row[Any] | None) -> int | None:
    if done is None or not done.counts:
        return None
    counts: dict[str, int] = msgspec.json.decode(done.counts)
    return counts.get("appended")
