"""Looks at every part of the configuration, and at what it names, before it is relied on; nothing is changed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from ledger import ConfigurationError, SourceUnavailable, XdmodCloudError
from operations.configuration import Configuration, load

__all__ = ["Finding", "Fine", "Look", "State", "exit_code", "look"]

#: So far may two clocks be apart; tokens and watermarks go by them.
_APART = timedelta(seconds=60)


class State(StrEnum):
    """How a part is: as it should be, to be put right by a person, or away just now."""

    FINE = "fine"
    MISSING = "missing"
    LATER = "later"


class Finding(Struct, frozen=True):
    """One part, how it is, and what was seen or what is to be done."""

    part: str
    state: State
    said: str


class Fine(NamedTuple):
    """What was seen of a part that is as it should be, and the time (UTC) by its own clock, if it has one."""

    said: str
    clock: datetime | None = None


class Look(NamedTuple):
    """How to look at one part. `at` raises an XdmodCloudError where something is wrong with it."""

    part: str
    at: Callable[[], Fine]


#: What there is to look at, as a configuration has it.
Looks = Callable[[Configuration], Iterator[Look]]


def look(file: Path | None) -> Iterator[Finding]:
    """Look at the configuration of that file, and at all that it names, one part after the other."""
    # What the services need takes long to load; whoever has no configuration need not wait for it.
    try:
        configuration = load(file)
    except XdmodCloudError as error:
        yield _fault("configuration", error)
        return
    yield Finding("configuration", State.FINE, str(configuration.file))
    from operations.xdmod.check_host import HOST
    from operations.xdmod.check_services import SERVICES

    for looks in (*HOST, *SERVICES):
        for one in looks(configuration):
            yield from _findings(one)


def exit_code(findings: list[Finding]) -> int:
    """2 where a person has to do something, else 75 where something is away, else 0."""
    states = {finding.state for finding in findings}
    if State.MISSING in states:
        return ConfigurationError.exit_code
    return SourceUnavailable.exit_code if State.LATER in states else 0


def _findings(one: Look) -> Iterator[Finding]:
    before = datetime.now(UTC)
    try:
        seen = one.at()
    except XdmodCloudError as error:
        yield _fault(one.part, error)
        return
    except Exception as error:  # one part that surprises must not hide the others
        yield Finding(one.part, State.MISSING, f"unexpected {type(error).__name__}: {str(error)[:200]}; report it")
        return
    yield Finding(one.part, State.FINE, seen.said)
    if seen.clock is not None:
        yield _clock(one.part, seen.clock, before)


def _fault(part: str, error: XdmodCloudError) -> Finding:
    return Finding(part, State.LATER if isinstance(error, SourceUnavailable) else State.MISSING, str(error))


def _clock(part: str, told: datetime, before: datetime) -> Finding:
    """Compare a clock with this machine's; when between the two times it was told, nobody knows."""
    ahead, behind = told - datetime.now(UTC), before - told
    apart = max(ahead, behind, timedelta())
    if apart <= _APART:
        return Finding(f"clock of {part}", State.FINE, f"{told:%Y-%m-%d %H:%M:%S} UTC, as here")
    which = "ahead of" if ahead > behind else "behind"
    return Finding(
        f"clock of {part}",
        State.MISSING,
        f"It is {apart.total_seconds():,.0f} s {which} this machine's. Set the clock right that is wrong.",
    )
