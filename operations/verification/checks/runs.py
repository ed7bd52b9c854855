"""Checks of readings: the cloud is known as far as the report goes, and nothing old was taken for new."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ledger import Kind
from ledger.times import iso_seconds
from operations.verification.checks.books import Books
from operations.verification.checks.records import Checked, Finding, checked, error, warning

__all__ = ["fresh", "not_stale"]

_DONE = "done"


def fresh(books: Books) -> Checked:
    """The cloud was read up to the end of the period, or to now, but for two cadences; and no servers were lost."""
    done = _done(books)
    return checked(
        "the cloud is known up to the end, and no servers were lost", len(done), "readings", _fresh(books, done)
    )


def not_stale(books: Books) -> Checked:
    """Each reading is newer than the one before, and recorded nothing that is older than that one."""
    done = _done(books)
    return checked("no reading recorded answers from before the last", len(done), "readings", _stale(books, done))


def _fresh(books: Books, done: list[dict[str, Any]]) -> Iterator[Finding]:
    cadence = books.limits.cadence
    wanted = min(books.now, books.period.end)
    if wanted - books.mark.at > 2 * cadence:
        yield error(
            "watermark",
            f"{iso_seconds(wanted)}, at most two cadences of {cadence} before it",
            iso_seconds(books.mark.at),
            f"{wanted - books.mark.at}".partition(".")[0],
        )
    if len(done) > 1:
        before, now = (books.ledger.alive(books.settings.name, one["window_to"]) for one in done[-2:])
        most = books.limits.largest_drop_percent
        if before and (before - now) * 100 > before * most:
            share = f"-{(before - now) / before:.0%}"
            yield warning(
                "number of servers", f"{100 - most:g} % of the {before:,} before, at least", f"{now:,}", share
            )


def _stale(books: Books, done: list[dict[str, Any]]) -> Iterator[Finding]:
    if not done:
        return
    observed = books.ledger.first_observed(books.settings.name, Kind.SERVER, done[0]["id"])
    for before, after in pairwise(done):
        known = before["window_to"]
        scope = f"reading {after['id']}"
        if after["window_to"] <= known:
            yield error(scope, f"a watermark after {iso_seconds(known)}", iso_seconds(after["window_to"]))
        oldest = observed.get(after["id"])
        if oldest is not None and oldest < known:
            yield error(
                scope, f"answers from {iso_seconds(known)} on", f"one of {iso_seconds(oldest)}", f"{known - oldest}"
            )


def _done(books: Books) -> list[dict[str, Any]]:
    """The complete readings of the period, and the last one before it; all of them, if none was after its start."""
    done = [dict(run) for run in books.ledger.runs(books.settings.name) if run["outcome"] == _DONE]
    first = next((place for place, run in enumerate(done) if run["window_to"] >= books.period.start), 0)
    return done[max(0, first - 1) :]
