"""What a check found, as typed records."""

from collections.abc import Callable, Iterable
from typing import Literal

from msgspec import Struct

from operations.verification.checks.books import Books

__all__ = ["Check", "Checked", "Finding", "Severity", "checked", "error", "warning"]

Severity = Literal["error", "warning"]
#: So many findings of one check are named, of each severity; all are counted.
_NAMED = 100


class Finding(Struct, frozen=True):
    """One thing that is not as it must be: `scope` names it, and the difference is there where it can be told."""

    scope: str
    expected: str
    actual: str
    difference: str | None
    severity: Severity


class Checked(Struct, frozen=True):
    """What one check compared, so many of `things`, and what it found; the first ones are named.

    `not_checked` says why what cannot be compared was not.
    """

    what: str
    compared: int
    things: str
    errors: int = 0
    warnings: int = 0
    findings: tuple[Finding, ...] = ()
    not_checked: str | None = None


Check = Callable[[Books], Checked]


def error(scope: str, expected: object, actual: object, difference: object = None) -> Finding:
    """Something that makes a report wrong."""
    return Finding(scope, str(expected), str(actual), None if difference is None else str(difference), "error")


def warning(scope: str, expected: object, actual: object, difference: object = None) -> Finding:
    """Something that somebody should know, while sums are right all the same."""
    return Finding(scope, str(expected), str(actual), None if difference is None else str(difference), "warning")


def checked(
    what: str,
    compared: int | Callable[[], int],
    things: str,
    found: Iterable[Finding] = (),
    not_checked: str | None = None,
) -> Checked:
    """Take what a check finds, however much it is; `compared` may be known only when it has found all."""
    named: dict[Severity, list[Finding]] = {"error": [], "warning": []}
    counts: dict[Severity, int] = {"error": 0, "warning": 0}
    for one in found:
        counts[one.severity] += 1
        if counts[one.severity] <= _NAMED:
            named[one.severity].append(one)
    number = compared() if callable(compared) else compared
    return Checked(
        what, number, things, counts["error"], counts["warning"], (*named["error"], *named["warning"]), not_checked
    )
