"""The points in time at which a window is asked for, and the runs of equal samples that an answer has at them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from msgspec import Raw

from ledger.times import EPOCH

__all__ = ["Grid", "Run", "Runs", "UnusableSeries", "joined"]

#: So many different answers are remembered, to be recognised without being read.
_REMEMBERED = 4096
_SECOND = timedelta(seconds=1)
_Point = tuple[int | float, str]


class Run(NamedTuple):
    """Samples at consecutive points of a grid, from the number `first` to the number `last`, with one value."""

    first: int
    last: int
    value: str


Runs = tuple[Run, ...]


def joined(several: Iterable[Runs]) -> Runs | None:
    """The runs of several series that tell the same thing; none where they contradict each other."""
    found = list[Run]()
    for run in sorted(run for runs in several for run in runs):
        last = found[-1] if found else None
        if last and run.first <= last.last + 1 and run.value == last.value:
            found[-1] = last._replace(last=max(last.last, run.last))
        elif last and run.first <= last.last:
            return None
        else:
            found.append(run)
    return tuple(found)


class UnusableSeries(ValueError):
    """Points that are out of order, or at times that were not asked for."""


class Grid:
    """The points from `since` to `until`, both included (UTC, whole seconds), every `step`."""

    def __init__(self, since: datetime, until: datetime, step: timedelta) -> None:
        self.since, self.until, self.step = since, until, step
        self.size = (until - since) // step + 1
        self.times = [since + number * step for number in range(self.size)]
        self.start, self.seconds = (since - EPOCH) // _SECOND, step // _SECOND
        self._stamps = [b"%d" % (self.start + number * self.seconds) for number in range(self.size)]
        self._numbers = {stamp: number for number, stamp in enumerate(self._stamps)}
        self._decode = msgspec.json.Decoder(list[_Point]).decode
        self._known = dict[bytes, Runs]()

    def runs(self, values: Raw) -> Runs:
        """The runs of a series.

        Most series have one value at points without a gap; those are recognised by comparing their text with what it
        must then be, which takes a fraction of the time in which it is read. Raises UnusableSeries.
        """
        text = bytes(values)
        runs = self._known.get(text)
        if runs is None:
            run = self._constant(text)
            runs = (run,) if run else self._read(text)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[text] = runs
        return runs

    def _constant(self, text: bytes) -> Run | None:
        """The one run that a text is, or none where that does not show at once."""
        stamp, _, rest = text[2:].partition(b',"')
        value = rest[: rest.find(b'"')]
        newest = text[text.rfind(b"[") + 1 :]
        first, last = self._numbers.get(stamp), self._numbers.get(newest[: newest.find(b",")])
        if first is None or last is None:
            return None
        between = b',"%b"],[' % value
        if text != b'[[%b,"%b"]]' % (between.join(self._stamps[first : last + 1]), value):
            return None
        return Run(first, last, value.decode())

    def _read(self, text: bytes) -> Runs:
        runs = list[Run]()
        for time, value in self._decode(text):
            number, off = divmod(time - self.start, self.seconds)
            if off or not 0 <= number < self.size:
                raise UnusableSeries(f"a point at {time}, which was not asked for")
            at = int(number)
            last = runs[-1] if runs else None
            if last and at <= last.last:
                raise UnusableSeries(f"points out of order at {time}")
            if last and last.value == value and at == last.last + 1:
                runs[-1] = last._replace(last=at)
            else:
                runs.append(Run(at, at, value))
        return tuple(runs)
