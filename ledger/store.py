"""The ledger as the other rooms see it: opened and checked, one writer per source, records read back."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from heapq import merge
from itertools import chain, groupby
from pathlib import Path
from typing import Any, NamedTuple, NewType, Self, TypeVar, get_args

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, and_, case, func, or_, select

from ledger.archive import Archive, completed
from ledger.cluster import Clustered, Pod, PodKey
from ledger.database import check, connect, reading, writing
from ledger.locks import sole_writer
from ledger.ownership import Owning
from ledger.pods import Life, life_of
from ledger.records import Action, Flavor, Hypervisor, InstanceId, Kind, Named, Record, Server
from ledger.tables import latest, quarantine, record, run, source
from ledger.times import EPOCH
from ledger.writer import Mode, Writer

__all__ = ["Entry", "KnownServer", "Ledger", "Seq", "Watermark"]

#: The place of a record in the order in which the ledger learned.
Seq = NewType("Seq", int)
R = TypeVar("R", bound=Record | Owning | Clustered)

#: Actions may finish so long after the server that they ended.
_FINISHING = timedelta(days=1)
#: No cluster is read in longer windows.
_LONGEST_WINDOW = timedelta(days=1)
_DECODERS: dict[Kind, Callable[[str], Record | Owning | Clustered]] = {
    Kind.SERVER: msgspec.json.Decoder(Server).decode,
    Kind.ACTION: msgspec.json.Decoder(Action).decode,
    Kind.PROJECT: msgspec.json.Decoder(Named).decode,
    Kind.USER: msgspec.json.Decoder(Named).decode,
    Kind.DOMAIN: msgspec.json.Decoder(Named).decode,
    Kind.HYPERVISOR: msgspec.json.Decoder(Hypervisor).decode,
    Kind.FLAVOR: msgspec.json.Decoder(Flavor).decode,
    **{kind.kind: msgspec.json.Decoder(kind).decode for kind in get_args(Owning)},
    **{kind.kind: msgspec.json.Decoder(kind).decode for kind in get_args(Clustered)},
}


class Entry(NamedTuple):
    """A record, where it stands in the ledger and when it was observed (UTC)."""

    seq: Seq
    observed: datetime
    record: Record | Owning | Clustered


class Watermark(NamedTuple):
    """Up to when a source is known (UTC), up to which record that is, and when it was last read as a whole."""

    at: datetime
    seq: Seq
    swept: datetime | None


class KnownServer(NamedTuple):
    """The newest records of a server and its actions, and when the server's was observed (UTC)."""

    server: Server
    observed: datetime
    actions: list[Action]


class Ledger:
    """What happened, kept. Open it with `Ledger.open`."""

    def __init__(self, engine: Engine, archive: Path | None = None) -> None:
        self.engine, self._archive = engine, archive

    @classmethod
    def open(cls, url: str, archive: Path | None = None) -> Self:
        """Open an existing ledger of this program's version; `archive` is the folder of what left it.

        Raises ConfigurationError for one that is absent, corrupt, older, newer or not writable as configured, and
        SourceUnavailable where its database does not answer.
        """
        engine = connect(url)
        check(engine)
        return cls(engine, archive)

    @contextmanager
    def writer(self, name: str) -> Iterator[Writer]:
        """Be the only one that writes that source. Raises SourceUnavailable where another process is."""
        with sole_writer(self.engine, name):
            yield Writer(self.engine, self.source_id(name, create=True), name)

    def sources(self) -> list[str]:
        """The names of all sources that were ever written."""
        with reading(self.engine) as connection:
            return list(connection.scalars(select(source.c.name).order_by(source.c.id)))

    def watermark(self, name: str) -> Watermark | None:
        """How far a source is known; none before its first complete run."""
        done = and_(run.c.source_id == self.source_id(name), run.c.outcome == "done")
        with reading(self.engine) as connection:
            row = connection.execute(select(run).where(done).order_by(run.c.id.desc()).limit(1)).mappings().first()
            if row is None:
                return None
            swept = select(func.max(run.c.id)).where(done, run.c.mode == Mode.SWEEP).scalar_subquery()
            swept_at = connection.scalar(select(run.c.window_to).where(run.c.id == swept))
        return Watermark(row["window_to"], Seq(row["last_seq"]), swept_at)

    def runs(self, name: str) -> list[RowMapping]:
        """Every run of a source, oldest first, as rows of the table `run`."""
        with reading(self.engine) as connection:
            chosen = select(run).where(run.c.source_id == self.source_id(name)).order_by(run.c.id)
            return list(connection.execute(chosen).mappings())

    def watermarks(self, name: str, up_to: Seq) -> list[datetime]:
        """Every moment at which a complete run had told the source's state, oldest first, known by `up_to`."""
        chosen = (
            select(run.c.window_to)
            .where(run.c.source_id == self.source_id(name), run.c.outcome == "done", run.c.last_seq <= up_to)
            .order_by(run.c.id)
        )
        with reading(self.engine) as connection:
            return [time for (time,) in connection.execute(chosen)]

    def quarantined(self, name: str) -> list[RowMapping]:
        """What was set aside of a source, oldest first, as rows of the table `quarantine`."""
        with reading(self.engine) as connection:
            chosen = select(quarantine).where(quarantine.c.source_id == self.source_id(name)).order_by(quarantine.c.id)
            return list(connection.execute(chosen).mappings())

    def newest(self, name: str, kind: type[R], of: Kind | None = None, *, open_only: bool = False) -> Iterator[R]:
        """The newest record of each thing of one kind, by subject; with `open_only`, of those that have not ended."""
        wanted = of or kind.kind
        joined = latest.join(record, latest.c.seq == record.c.seq)
        chosen = (
            select(record.c.body)
            .select_from(joined)
            .where(latest.c.source_id == self.source_id(name), latest.c.kind == wanted)
            .order_by(latest.c.subject)
        )
        if open_only:
            chosen = chosen.where(latest.c.ends.is_(None))
        decode = msgspec.json.Decoder(kind).decode
        with reading(self.engine) as connection:
            for (body,) in connection.execution_options(yield_per=1000).execute(chosen):
                yield decode(body)

    def known_servers(self, name: str, subjects: Iterable[InstanceId]) -> dict[InstanceId, KnownServer]:
        """What is known of some servers; those never seen are absent."""
        wanted, known = sorted(set(subjects)), dict[InstanceId, KnownServer]()
        source_id = self.source_id(name)
        with reading(self.engine) as connection:
            archive = Archive(connection, source_id, self._archive)
            for start in range(0, len(wanted), 500):
                some = wanted[start : start + 500]
                chosen = (
                    select(record.c.kind, record.c.observed, record.c.body)
                    .select_from(latest.join(record, latest.c.seq == record.c.seq))
                    .where(latest.c.source_id == source_id, latest.c.subject.in_(some))
                    .where(latest.c.kind.in_([Kind.SERVER, Kind.ACTION]))
                    .order_by(latest.c.kind.desc())
                )
                past = _newest_archived(connection, archive, source_id, some)
                rows: Iterable[Any] = connection.execute(chosen)
                if past:
                    rows = sorted(chain(past, rows), key=lambda row: row[0], reverse=True)
                for kind, observed, body in rows:
                    found = _DECODERS[kind](body)
                    if isinstance(found, Server):
                        known[found.id] = KnownServer(found, observed, [])
                    elif isinstance(found, Action) and found.server in known:
                        known[found.server].actions.append(found)
        return known

    def alive(self, name: str, at: datetime) -> int:
        """How many servers of a source existed at a time (UTC), by what is known now."""
        of_servers = and_(latest.c.source_id == self.source_id(name), latest.c.kind == Kind.SERVER)
        existed = and_(latest.c.begins <= at, or_(latest.c.ends.is_(None), latest.c.ends > at))
        with reading(self.engine) as connection:
            return connection.scalar(select(func.count()).select_from(latest).where(of_servers, existed)) or 0

    def first_observed(self, name: str, kind: Kind, since: int) -> dict[int, datetime]:
        """The earliest time (UTC) at which each run from one on, by its id, observed what it recorded of a kind."""
        chosen = (
            select(record.c.run_id, func.min(record.c.observed))
            .where(record.c.source_id == self.source_id(name), record.c.kind == kind, record.c.run_id >= since)
            .group_by(record.c.run_id)
        )
        with reading(self.engine) as connection:
            found = Archive(connection, self.source_id(name), self._archive).first_observed(kind, since)
            for run_id, observed in connection.execute(chosen):
                found[run_id] = min(observed, found.get(run_id, observed))
        return found

    def learned(self, name: str, after: Seq, up_to: Seq) -> set[str]:
        """What the records of a source in (`after`, `up_to`] are about."""
        chosen = select(record.c.subject).where(
            record.c.source_id == self.source_id(name), record.c.seq > after, record.c.seq <= up_to
        )
        with reading(self.engine) as connection:
            past = Archive(connection, self.source_id(name), self._archive).subjects(after, up_to)
            return past | set(connection.scalars(chosen.distinct()))

    def entries(self, name: str, kind: Kind, up_to: Seq) -> Iterator[Entry]:
        """Every record of one kind up to a place in the ledger, in the order in which they were learned."""
        chosen = (
            select(record.c.seq, record.c.observed, record.c.body)
            .where(record.c.source_id == self.source_id(name), record.c.kind == kind, record.c.seq <= up_to)
            .order_by(record.c.seq)
        )
        decode = _DECODERS[kind]
        with reading(self.engine) as connection:
            for seq, observed, body in connection.execution_options(yield_per=1000).execute(chosen):
                yield Entry(Seq(seq), observed, decode(body))

    def lives(
        self,
        name: str,
        up_to: Seq,
        *,
        learned_after: Seq | None = None,
        ended_after: datetime | None = None,
        window: tuple[datetime, datetime] | None = None,
        only: InstanceId | None = None,
    ) -> Iterator[tuple[InstanceId, list[Entry]]]:
        """The servers and their actions, server by server, each with all that was learned of it, in that order.

        With `learned_after` and `ended_after`, only servers of which something was learned later than that, or that
        had not ended (UTC).
        With `window` (half-open, UTC), only servers that existed in it by what is known. With `only`, no other one.
        """
        of_source = latest.c.source_id == self.source_id(name)
        subjects = select(latest.c.subject).where(of_source, latest.c.kind == Kind.SERVER)
        if learned_after is not None:
            news = select(record.c.subject).where(
                record.c.source_id == self.source_id(name), record.c.seq > learned_after, record.c.seq <= up_to
            )
            lasting = or_(latest.c.ends.is_(None), latest.c.ends >= (ended_after or EPOCH) - _FINISHING)
            subjects = subjects.where(or_(lasting, latest.c.subject.in_(news)))
        if window is not None:
            subjects = subjects.where(
                or_(latest.c.ends.is_(None), latest.c.ends >= window[0] - _FINISHING), latest.c.begins < window[1]
            )
        if only is not None:
            subjects = subjects.where(latest.c.subject == only)
        chosen = (
            select(record.c.subject, record.c.seq, record.c.observed, record.c.kind, record.c.body)
            .where(
                record.c.source_id == self.source_id(name),
                record.c.kind.in_([Kind.SERVER, Kind.ACTION]),
                record.c.seq <= up_to,
                record.c.subject.in_(subjects),
            )
            .order_by(record.c.subject, record.c.seq)
        )
        with reading(self.engine) as connection:
            archive = Archive(connection, self.source_id(name), self._archive)
            past = archive.of(subjects)
            rows: Iterable[Any] = connection.execution_options(yield_per=2000).execute(chosen)
            if past:
                rows = merge(archive.rows(past, up_to), rows, key=lambda row: (row[0], row[1]))
            for subject, group in groupby(rows, key=lambda row: row[0]):
                yield (
                    InstanceId(subject),
                    [Entry(seq, seen, _DECODERS[kind](body)) for _, seq, seen, kind, body in group],
                )

    def pods(
        self, name: str, since: datetime, until: datetime, up_to: Seq | None = None, only: PodKey | None = None
    ) -> Iterator[Life]:
        """The pods of a cluster, by key, each with its intervals in [since, until) (UTC).

        They follow from the windows that begin before `until`, and so stay the same whatever is learned later; of
        a window that was told again counts what was known `up_to` a record. Pods without an interval there come, too,
        where something is odd about them or told of them. With `only`, no other.
        """
        ends = latest.c.ends
        wanted = [ends > since, ends < until + _LONGEST_WINDOW, latest.c.begins < until]
        if only is not None:
            wanted.append(latest.c.subject == only)
        decode = msgspec.json.Decoder(Pod).decode
        with reading(self.engine) as connection:
            rows = self._windows(connection, name, up_to, *wanted)
            for _, group in groupby(rows, key=lambda row: row[0]):
                yield life_of([decode(body) for _, body in group], since, until)

    def knows_pods(self, name: str, at: datetime) -> bool:
        """Whether a cluster had pods in the window that ended at a time (UTC)."""
        with reading(self.engine) as connection:
            rows = self._windows(connection, name, None, latest.c.ends == at)
            return sum('"stretches"' in body for _, body in rows) > 0

    def begun(self, name: str, namespace: str, pod: str, at: datetime) -> datetime | None:
        """When a pod was first sampled that is known by its name only, and was still there at a time (UTC).

        That time is the end of a window; none where no such pod was there.
        """
        named = latest.c.subject.startswith(f"{namespace}/{pod}/", autoescape=True)
        with reading(self.engine) as connection:
            rows = self._windows(connection, name, None, latest.c.ends == at, named)
            found = [msgspec.json.decode(body, type=Pod) for _, body in rows]
        there = [one.begun for one in found if one.stretches and one.stretches[-1].last == at]
        return there[-1] if there else None

    def _windows(
        self, connection: Connection, name: str, up_to: Seq | None, *wanted: ColumnElement[bool]
    ) -> Iterator[tuple[str, str]]:
        """Key and record of pods in the windows wanted, by key and window, as they were known `up_to` a record."""
        source_id = self.source_id(name)
        mine = (latest.c.source_id == source_id, latest.c.kind == Kind.POD, *wanted)
        archive = Archive(connection, source_id, self._archive)
        extent = archive.extent(*mine)
        chosen = (
            select(latest.c.subject, latest.c.identity, record.c.body)
            .select_from(latest.join(record, record.c.seq == _as_of(up_to), isouter=extent is not None))
            .where(*mine)
            .order_by(latest.c.subject, latest.c.begins)
        )
        past = archive.newest(Kind.POD, extent, up_to) if extent else iter(())
        with connection.execution_options(yield_per=2000).execute(chosen) as rows:
            yield from completed(rows, past)

    def source_id(self, name: str, *, create: bool = False) -> int:
        """The row of a source; 0, which no row has, for one that was never written."""
        with reading(self.engine) as connection:
            known = connection.scalar(select(source.c.id).where(source.c.name == name))
        if known is not None or not create:
            return known or 0
        with writing(self.engine) as connection:
            connection.execute(source.insert().values(name=name))
        return self.source_id(name)


def _newest_archived(
    connection: Connection, archive: Archive, source_id: int, subjects: list[InstanceId]
) -> list[tuple[str, datetime, str]]:
    """The kind, time and body of the newest records of servers and their actions, as far as the archive has them."""
    held = archive.of(subjects)
    if not held:
        return []
    newest = select(latest.c.seq).where(latest.c.source_id == source_id, latest.c.subject.in_(list(held)))
    seqs = set(connection.scalars(newest))
    return [(row.kind, row.observed, row.body) for row in archive.rows(held, max(seqs)) if row.seq in seqs]


def _as_of(up_to: Seq | None) -> ColumnElement[int]:
    """The record that was the newest of a thing at a place in the ledger."""
    if up_to is None:
        return latest.c.seq
    older = record.alias()
    # With the kind, which says no more than subject and identity, SQLite would read all records of that kind.
    before = (
        select(func.max(older.c.seq))
        .where(older.c.source_id == latest.c.source_id, older.c.subject == latest.c.subject)
        .where(older.c.identity == latest.c.identity, older.c.seq <= up_to)
        .correlate(latest)
        .scalar_subquery()
    )
    return case((latest.c.seq <= up_to, latest.c.seq), else_=before)
