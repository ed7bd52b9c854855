"""Why sessions of an XDMoD are unlike ours, where that is known, and whether they become alike without any help."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from exporters.openstack import TARGET
from ledger import Ledger, Seq
from ledger.counts import counted
from ledger.exports import Export, Exports
from ledger.records import InstanceId
from reporter.xdmod.recorded import Defined, Reach
from usage import Session, rules

__all__ = ["Reason", "Reasons", "Waiting"]

_HOUR = timedelta(hours=1)


class Reason(NamedTuple):
    """A reason in words. It is benign if it is how XDMoD works, or goes away with what is handed on to it anyway."""

    why: str
    benign: bool


class Waiting(NamedTuple):
    """The earliest event of each server in files that XDMoD has not been given yet, and when the oldest was written."""

    first: Mapping[str, datetime]
    since: datetime | None


class Reasons:
    """Finds them by how far the exports are, which files still wait, and how far XDMoD is.

    What is only late is benign for as long as `patience`. Times are UTC.
    """

    def __init__(
        self,
        ledger: Ledger,
        source: str,
        done: Export,
        waiting: Waiting,
        reached: Reach | None,
        defined: Mapping[str, Sequence[Defined]],
        patience: timedelta,
    ) -> None:
        self._ledger, self._source, self._done = ledger, source, done
        self._waiting, self._reached, self._defined, self._patience = waiting.first, reached, defined, patience
        now = datetime.now(UTC)
        self._moves = waiting.since is None or now - waiting.since <= patience
        self._ingests = reached is not None and now - reached.ingested <= patience
        #: All that XDMoD can have had when it ingested last.
        self._had = Exports(ledger, source, TARGET).last(by=reached.ingested) if reached else None
        after = self._had.seq_to if self._had else Seq(0)
        self._news = ledger.learned(source, after, done.seq_to)
        self._began = ledger.watermarks(source, done.seq_to)[0]
        self._known: tuple[str, bool] = "", False

    def missing(self, ours: Session) -> Reason | None:
        """Why XDMoD has no such session."""
        if reason := self._not_in(ours, _time(ours.end_time_ts)):
            return reason
        if self._reached is None:
            return Reason("XDMoD has no session of the resource at all", benign=False)
        begin = _time(ours.start_time_ts)
        if begin.date() > self._reached.ingested.date():
            return Reason("it begins after the day on which XDMoD last ingested, and XDMoD drops such", benign=True)
        if begin > self._reached.last:
            return self._behind(self._reached)
        return self._redefined(ours)

    def surplus(self, theirs: Session) -> Reason | None:
        """Why only XDMoD has such a session."""
        if _time(theirs.start_time_ts) < self._began:
            why = f"it begins before the ledger does ({_shown(self._began)}): by events of another exporter"
            return Reason(why, benign=True)
        if not self._is_known(theirs.instance):
            return Reason("the ledger never knew the server: by events of another exporter", benign=False)
        return self._not_in(theirs, _time(theirs.end_time_ts))

    def otherwise(self, ours: Session) -> Reason | None:
        """Why a session begins alike, and has something else in it."""
        return self._not_in(ours, _time(ours.start_time_ts))

    def ends(self, ours: Session, theirs: Session) -> Reason | None:
        """Why a session begins alike, and ends otherwise."""
        here, there = _time(ours.end_time_ts), _time(theirs.end_time_ts)
        if reason := self._not_in(ours, max(here, there)):
            return reason
        if there < here and self._reached and there + _HOUR >= self._reached.last:
            return self._behind(self._reached)
        if there < here and ours.end_event_type_id == rules.HEARTBEAT:
            return Reason(f"XDMoD has none of its heartbeats after {_shown(there)}", benign=False)
        return None

    def _not_in(self, session: Session, until: datetime) -> Reason | None:
        """Whether an event that matters up to then has not come to XDMoD yet."""
        first = self._waiting.get(session.instance)
        if first is not None and first.replace(microsecond=0) <= until:
            return Reason("its events wait in the outbox", benign=self._moves)
        if self._reached is None or (self._had and self._had.id == self._done.id):
            return None
        if self._had is None or until >= self._had.horizon_to or session.instance in self._news:
            return Reason(f"XDMoD has ingested nothing since {_shown(self._reached.ingested)}", benign=self._ingests)
        return None

    def _redefined(self, ours: Session) -> Reason | None:
        """Of two sizes that a flavor's name has at one instant, XDMoD loses the sessions of one."""
        size = (ours.num_cores, ours.memory_mb)
        for one in self._defined.get(ours.instance_type, ()):
            ends = one.until is None or ours.start_time_ts <= one.until
            if (one.cores, one.memory_mb) != size and one.since <= ours.start_time_ts and ends:
                there = f"{counted(one.cores, 'cores')} and {one.memory_mb} MiB in XDMoD at that time"
                return Reason(f"{ours.instance_type} is {there}, and what is otherwise is lost", benign=False)
        return None

    def _is_known(self, instance: str) -> bool:
        # One server after the other: what was asked last is asked again.
        if self._known[0] != instance:
            self._known = instance, bool(self._ledger.known_servers(self._source, [InstanceId(instance)]))
        return self._known[1]

    def _behind(self, reached: Reach) -> Reason:
        recent = self._done.horizon_to - reached.last <= self._patience
        return Reason(f"XDMoD has nothing after {_shown(reached.last)}: shred what was handed on since", benign=recent)


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _shown(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
