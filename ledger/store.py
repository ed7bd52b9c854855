"""The ledger as the other rooms see it: opened and checked, one writer per source, records read back."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple, NewType, Self, TypeVar, get_args

import msgspec
from sqlalchemy import Engine, RowMapping, and_, func, or_, select

from ledger.database import check, connect, reading, writing
from ledger.locks import sole_writer
from ledger.ownership import Owning
from ledger.records import Action, Flavor, Hypervisor, InstanceId, Kind, Named, Record, Server
from ledger.tables import latest, quarantine, record, run, source
from ledger.times import EPOCH
from ledger.writer import Mode, Writer

__all__ = ["Entry", "KnownServer", "Ledger", "Seq", "Watermark"]

#: The place of a record in the order in which the ledger learned.
Seq = NewType("Seq", int)
R = TypeVar("R", bound=Record | Owning)

#: Actions may finish so long after the server that they ended.
_FINISHING = timedelta(days=1)
_DECODERS: dict[Kind, Callable[[str], Record | Owning]] = {
    Kind.SERVER: msgspec.json.Decoder(Server).decode,
    Kind.ACTION: msgspec.json.Decoder(Action).decode,
    Kind.PROJECT: msgspec.json.Decoder(Named).decode,
    Kind.USER: msgspec.json.Decoder(Named).decode,
    Kind.DOMAIN: msgspec.json.Decoder(Named).decode,
    Kind.HYPERVISOR: msgspec.json.Decoder(Hypervisor).decode,
    Kind.FLAVOR: msgspec.json.Decoder(Flavor).decode,
    **{kind.kind: msgspec.json.Decoder(kind).decode for kind in get_args(Owning)},
}


class Entry(NamedTuple):
    """A record, where it stands in the ledger and when it was observed (UTC)."""

    seq: Seq
    observed: datetime
    record: Record | Owning


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

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, url: str) -> Self:
        """Open an existing ledger of this program's version.

        Raises ConfigurationError for one that is absent, corrupt, older, newer or not writable as configured, and
        SourceUnavailable where its database does not answer.
        """
        engine = connect(url)
        check(engine)
        return cls(engine)

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
            for start in range(0, len(wanted), 500):
                chosen = (
                    select(record.c.kind, record.c.observed, record.c.body)
                    .select_from(latest.join(record, latest.c.seq == record.c.seq))
                    .where(latest.c.source_id == source_id, latest.c.subject.in_(wanted[start : start + 500]))
                    .where(latest.c.kind.in_([Kind.SERVER, Kind.ACTION]))
                    .order_by(latest.c.kind.desc())
                )
                for kind, observed, body in connection.execute(chosen):
                    found = _DECODERS[kind](body)
                    if isinstance(found, Server):
                        known[found.id] = KnownServer(found, observed, [])
                    elif isinstance(found, Action) and found.server in known:
                        known[found.server].actions.append(found)
        return known

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
            rows = connection.execution_options(yield_per=2000).execute(chosen)
            for subject, group in groupby(rows, key=lambda row: row[0]):
                yield (
                    InstanceId(subject),
                    [Entry(seq, seen, _DECODERS[kind](body)) for _, seq, seen, kind, body in group],
                )

    def source_id(self, name: str, *, create: bool = False) -> int:
        """The row of a source; 0, which no row has, for one that was never written."""
        with reading(self.engine) as connection:
            known = connection.scalar(select(source.c.id).where(source.c.name == name))
        if known is not None or not create:
            return known or 0
        with writing(self.engine) as connection:
            connection.execute(source.insert().values(name=name))
        return self.source_id(name)
