"""A report as rows: what is rounded, what is called unknown, and what must be said beside the numbers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from reporter.records import UNKNOWN, Cell, Group, Table, UsageReport, Used

__all__ = ["By", "divisions", "hours", "notes", "usage_table"]


By = Literal["institution", "PI", "project", "user", "flavor"]


def divisions(report: UsageReport) -> tuple[By, ...]:
    """Return what a report is divided by: institutions and PIs only where it is known who owns the projects."""
    return ("institution", "PI", "project", "user", "flavor") if report.institutions else ("project", "user", "flavor")


def hours(seconds: int) -> str:
    """Return hours with two places, half a hundredth rounded up: `12.50`."""
    whole, hundredths = divmod((seconds + 18) // 36, 100)
    return f"{whole}.{hundredths:02}"


def usage_table(report: UsageReport, by: By = "project") -> Table:
    """Return the rows for a terminal, the total last.

    Where the size of some servers is not known, a last column has the active hours that are in no core hours.
    """
    groups = {
        "institution": report.institutions,
        "PI": report.pis,
        "project": report.projects,
        "user": report.users,
        "flavor": report.flavors,
    }[by]
    heads: tuple[str, ...] = (by, "servers", "active h", "core h", "inactive h", "shelved h", "other h")
    width = len(heads)
    if report.total.unsized:
        heads = (*heads, "active h of unknown size")
        width += 1
    rows = (*(_cells(name_of(group), group.used) for group in groups), _cells("total", report.total))
    return Table(f"Usage by {by}, {report.period.name} (UTC)", heads, tuple(row[:width] for row in rows))


def name_of(group: Group) -> str:
    """Return the name to show."""
    return UNKNOWN if group.name is None else group.name


def _cells(name: str, used: Used) -> tuple[Cell, ...]:
    quantities = (used.active, used.core, used.inactive, used.shelved, used.other, used.unsized)
    return (name, used.servers, *(float(hours(seconds)) for seconds in quantities))


def notes(report: UsageReport) -> tuple[str, ...]:
    """Return what a reader has to know beside the numbers, a sentence or two each."""
    if not report.total.sessions:
        return (_nothing(report),)
    said = []
    for groups, what, consequence in (
        (report.institutions, "institution", f"they are counted under the institution “{UNKNOWN}”"),
        (report.projects, "project", f"they are counted under the project “{UNKNOWN}”"),
        (report.users, "user", f"they are counted under the user “{UNKNOWN}”"),
        (report.flavors, "size", f"they are counted under the flavor “{UNKNOWN}”, and their core hours are in no sum"),
    ):
        used = _unknown(groups)
        if used:
            active = f"{float(hours(used.active)):,.2f}"
            said.append(f"{_servers(used)} of unknown {what}, with {active} active hours: {consequence}.")
    if report.last is not None and report.last < report.period.end:
        said.append(f"The latest session read ends at {_utc(report.last)}: what ran after that is not in here.")
    return tuple(said)


def _unknown(groups: Sequence[Group]) -> Used | None:
    return next((group.used for group in groups if group.name is None), None)


def _servers(used: Used) -> str:
    return "1 server" if used.servers == 1 else f"{used.servers:,} servers"


def _nothing(report: UsageReport) -> str:
    if report.first is None or report.last is None:
        return f"No session in {report.period.name}: the event files that were read hold no session at all."
    return (
        f"No session in {report.period.name}. The event files that were read hold sessions from {_utc(report.first)} "
        f"to {_utc(report.last)}; if servers ran in {report.period.name}, read its event files too."
    )


def _utc(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC")
