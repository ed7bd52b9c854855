"""Stretches of time `[start, end)` in seconds: united, so that no second counts twice."""

from collections.abc import Iterable

__all__ = ["HOUR", "Span", "tally", "united"]

HOUR = 3600

Span = tuple[int, int]


def united(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the same seconds in as few spans as there can be, the earliest first; empty spans have none."""
    whole = list[Span]()
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if whole and start <= whole[-1][1]:
            whole[-1] = whole[-1][0], max(whole[-1][1], end)
        else:
            whole.append((start, end))
    return tuple(whole)


def tally(spans: Iterable[Span]) -> int:
    """Return the hours of one instance by the rule of the MOC's reports, for sources that tell samples.

    Each sample counts for at least an hour, none twice, and their sum is rounded up to whole hours.
    """
    seconds = sum(end - start for start, end in united((start, max(end, start + HOUR)) for start, end in spans))
    return -(-seconds // HOUR)
