"""What was learned of pods after their day had been told: it stays as it was told, and is counted."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from exporters.openshift.lives import DAY, joined
from ledger import Ledger
from ledger.counts import counted
from ledger.exports import Export, Exports
from ledger.jobs import Jobs
from ledger.pods import Interval, Life
from ledger.store import Seq

__all__ = ["Late", "late"]

_SECOND = timedelta(seconds=1)


class Late(NamedTuple):
    """So many pods were told otherwise than they are known now, and by so many seconds too long or too short."""

    pods: int = 0
    too_long: int = 0
    too_short: int = 0

    def plus(self, other: "Late") -> "Late":
        return Late(*(one + more for one, more in zip(self, other, strict=True)))

    @property
    def warning(self) -> str:
        """What an operator should know of it; empty where there is nothing."""
        if not self.pods:
            return ""
        pods, seconds = counted(self.pods, "pods are known"), counted(self.too_long, "seconds")
        return (
            f"{pods} better than XDMoD was told ({seconds} too long, {self.too_short:,} too short). It keeps what it"
            " has; to correct it, delete the resource's jobs there and shred the days again."
        )


def late(ledger: Ledger, source: str, exports: Exports, due: Export, since: datetime) -> Late:
    """Compare what was told with what is known at an export that tells days from `since` (UTC) on.

    That is each day of which the next one tells, too, and any day of which a window was read again.
    """
    days = set[datetime]()
    if due.horizon_from is not None:
        days = Jobs(ledger, source).rewritten(due.seq_from, due.seq_to, due.horizon_from)
        since -= DAY
    while since + DAY < due.horizon_to:
        days.add(since)
        since += DAY
    return _sum_of(_of_day(ledger, source, exports.covering(day) or due, day, due.seq_to) for day in sorted(days))


def _sum_of(parts: Iterable[Late]) -> Late:
    total = Late()
    for part in parts:
        total = total.plus(part)
    return total


def _of_day(ledger: Ledger, source: str, told_by: Export, day: datetime, up_to: Seq) -> Late:
    told = ledger.pods(source, day, day + DAY, told_by.seq_to)
    known = ledger.pods(source, day, day + 2 * DAY, up_to)
    pods = too_long = too_short = 0
    for before, now in joined(told, known):
        was, is_now = _intervals(before, day), _intervals(now, day)
        if was != is_now:
            more = _seconds(is_now) - _seconds(was)
            pods, too_long, too_short = pods + 1, too_long + max(-more, 0), too_short + max(more, 0)
    return Late(pods, too_long, too_short)


def _intervals(life: Life | None, day: datetime) -> list[Interval]:
    """What a pod did on a day, without how that is known."""
    cut = (
        Interval(max(one.start, day), min(one.end, day + DAY), one.demand) for one in (life.intervals if life else ())
    )
    return [one for one in cut if one.start < one.end]


def _seconds(intervals: Iterable[Interval]) -> int:
    return sum((one.end - one.start) // _SECOND for one in intervals)
