"""The transaction log: the actions of all servers that the ledger has, brought into the order of time."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime

import msgspec
from msgspec import Struct

from collectors.openstack import OpenStackSource
from exporters.openstack.evidence import UNKNOWN_SIZE, Sizes
from exporters.openstack.history import History
from ledger import Action, DataError, Entry, Kind, Ledger, Size, SourceUnavailable, Watermark
from ledger.records import InstanceId
from ledger.times import microseconds
from operations.known import Known, nothing_called
from reporter import Period
from reporter.transactions import VANISHED, Outcome, Transaction

__all__ = ["Wanted", "transactions", "watermark"]


class Wanted(Struct, frozen=True):
    """Whose actions are asked for: on servers of a project, by a user, on one server; by name or id. None is any."""

    project: str | None = None
    user: str | None = None
    instance: str | None = None


@contextmanager
def transactions(
    ledger: Ledger, sources: Sequence[OpenStackSource], period: Period, wanted: Wanted
) -> Iterator[Iterator[Transaction]]:
    """All that was done in a period to the servers of some clouds, by time, as far as the clouds were read.

    Neither what is read nor what is given back is ever in memory as a whole: it is sorted in a temporary file. Raises
    DataError for a cloud that was never read, ConfigurationError where none of them ever had what is asked for.
    """
    clouds = [_Cloud(ledger, source, watermark(ledger, source), wanted) for source in sources]
    names = [source.name for source in sources]
    for what in ("project", "user", "instance"):
        word = getattr(wanted, what)
        if word is not None and not any(cloud.has(what) for cloud in clouds):
            raise nothing_called("server" if what == "instance" else what, word, names)
    with _sorted(one for cloud in clouds for one in cloud.told(period)) as ordered:
        yield ordered


def watermark(ledger: Ledger, source: OpenStackSource) -> Watermark:
    """How far a cloud is known. Raises DataError where it was never read."""
    mark = ledger.watermark(source.name)
    if mark is None:
        raise DataError(f"{source.name} has not been collected yet: xdmod-cloud collect openstack {source.name}")
    return mark


class _Cloud:
    """One cloud by what the ledger knows of it, and what of it is asked for."""

    def __init__(self, ledger: Ledger, source: OpenStackSource, mark: Watermark, wanted: Wanted) -> None:
        self._ledger, self._source, self._mark, self._wanted = ledger, source, mark, wanted
        self._known = Known(ledger, source.name, mark.seq)
        self._projects = self._known.meant(Kind.PROJECT, wanted.project) if wanted.project is not None else None
        self._users = self._known.meant(Kind.USER, wanted.user) if wanted.user is not None else None

    def has(self, what: str) -> bool:
        """Whether it ever had what is asked for."""
        if what == "instance":
            instance = InstanceId(self._wanted.instance or "")
            return instance in self._ledger.known_servers(self._source.name, [instance])
        return bool(self._projects if what == "project" else self._users)

    def told(self, period: Period) -> Iterator[Transaction]:
        """All that is asked for, server by server."""
        name, seq = self._source.name, self._mark.seq
        only = InstanceId(self._wanted.instance) if self._wanted.instance is not None else None
        watermarks = self._ledger.watermarks(name, seq)
        for _, entries in self._ledger.lives(name, seq, window=(period.start, period.end), only=only):
            if _touches(entries, period):
                history = History.of(entries, watermarks)
                if history.observations and (self._projects is None or history.server.project in self._projects):
                    yield from self._of_server(history, period)

    def _of_server(self, history: History, period: Period) -> Iterator[Transaction]:
        settled, resized = history.settled(), _resizes(history)
        launched = any(seen.server.launched for seen in history.observations)
        for action in history.actions:
            if period.start <= action.start < period.end and (self._users is None or action.user in self._users):
                outcome = _outcome(action, settled, launched)
                one = self._said(history, action, outcome, *resized(action) if action.action == "resize" else ())
                repeated = action.action == "create" and action.failed and outcome is Outcome.DONE
                yield msgspec.structs.replace(one, repeated=True) if repeated else one
        if self._users is None:
            for at in _vanishings(history):
                if period.start <= at < period.end:
                    gone = Action(history.server.id, VANISHED, "", at, at)
                    yield self._said(history, gone, Outcome.DONE)

    def _said(
        self,
        history: History,
        action: Action,
        outcome: Outcome,
        before: Size = UNKNOWN_SIZE,
        after: Size = UNKNOWN_SIZE,
    ) -> Transaction:
        at, server, names = action.start, history.server, self._known.names
        user = names.at(Kind.USER, action.user, at) if action.user else None
        project = names.at(Kind.PROJECT, server.project, at)
        seen = history.observations
        called = next((sight.server.name for sight in reversed(seen) if sight.at <= at), seen[0].server.name)
        return Transaction(
            at=at,
            resource=self._source.resource,
            action=action.action,
            outcome=outcome,
            server=called,
            instance=server.id,
            project=project.name if project else None,
            project_id=server.project,
            user=user.name if user else None,
            user_id=action.user,
            acting_project=action.project,
            request=action.request or None,
            before=None if before == UNKNOWN_SIZE else names.told(before).name,
            after=None if after == UNKNOWN_SIZE else names.told(after).name,
        )


def _touches(entries: Iterable[Entry], period: Period) -> bool:
    """Whether anything of a server can be in the log of a period."""
    return any(
        period.start <= found.start < period.end if isinstance(found, Action) else getattr(found, "vanished", False)
        for _, _, found in entries
    )


def _outcome(action: Action, settled: Sequence[Action], launched: bool) -> Outcome:
    if action not in settled:
        return Outcome.OPEN
    # Nova calls a boot failed that succeeded on another host, and does not one that a deletion cut short.
    failed = not launched if action.action == "create" else action.failed
    return Outcome.FAILED if failed else Outcome.DONE


def _vanishings(history: History) -> Iterator[datetime]:
    """When it was noticed that the server had vanished; it may have come back, and vanished again."""
    vanished = False
    for seen in history.observations:
        if seen.server.vanished and not vanished:
            yield seen.at
        vanished = seen.server.vanished


def _resizes(history: History) -> Callable[[Action], tuple[Size, Size]]:
    """What tells the sizes before and after a resize, unknown where nothing is evidence for one."""
    if not any(action.action == "resize" for action in history.actions):
        return lambda _: (UNKNOWN_SIZE, UNKNOWN_SIZE)
    sizes = Sizes(history)

    def resized(action: Action) -> tuple[Size, Size]:
        before = sizes.at(action.start)
        if action.failed:
            return before, UNKNOWN_SIZE
        later = (one for one in history.actions if one.start >= action.finish and not one.failed)
        end = next((one for one in later if one.action in ("confirmResize", "revertResize", "resize")), None)
        if end is not None and end.action == "confirmResize":
            return before, sizes.at(end.finish)
        tried = (
            seen.server.size
            for seen in history.observations
            if action.finish <= seen.at and (end is None or seen.at < end.start) and seen.server.task_state is None
        )
        return before, next(tried, UNKNOWN_SIZE)

    return resized


@contextmanager
def _sorted(unsorted: Iterable[Transaction]) -> Iterator[Iterator[Transaction]]:
    """Bring transactions into order, by time; at one time by server, each server's in their own order."""
    # A database without a name lives in the system's temporary folder, and goes with its connection.
    with _explained(), closing(sqlite3.connect("", isolation_level=None)) as spool:
        spool.execute("PRAGMA cache_size = -16384")
        spool.execute("PRAGMA synchronous = OFF")
        spool.execute("CREATE TABLE told (at INTEGER, instance TEXT, number INTEGER, body BLOB)")
        spool.execute("BEGIN")
        encode = msgspec.msgpack.Encoder().encode
        spool.executemany(
            "INSERT INTO told VALUES (?, ?, ?, ?)",
            ((microseconds(one.at), one.instance, number, encode(one)) for number, one in enumerate(unsorted)),
        )
        decode = msgspec.msgpack.Decoder(Transaction).decode
        rows = spool.execute("SELECT body FROM told ORDER BY at, instance, number")
        yield (decode(body) for (body,) in rows)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise SourceUnavailable(
            f"The actions could not be sorted: {error}. Nothing was written: make room in the temporary folder, then"
            " run again."
        ) from error
