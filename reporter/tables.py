"""A report as rows: what is rounded, what is called unknown, and what must be said beside the numbers."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from hierarchy.projects import DEFAULT
from ledger.counts import counted
from reporter.records import UNKNOWN, Branch, By, Cell, Group, Table, UsageReport, Used

__all__ = ["By", "divisions", "groups_of", "hours", "notes", "research", "usage_table"]


def divisions(report: UsageReport) -> tuple[By, ...]:
    """Return what a report is divided by: by owners and in the tree only where these are known."""
    there: dict[By, bool] = {
        "institution": bool(report.institutions),
        "PI": bool(report.pis),
        "research project": bool(research(report)),
        "project": True,
        "user": True,
        "flavor": True,
    }
    return tuple(by for by, known in there.items() if known and (not report.by or by in report.by))


def hours(seconds: int) -> str:
    """Return hours with two places, half a hundredth rounded up: `12.50`."""
    whole, hundredths = divmod((seconds + 18) // 36, 100)
    return f"{whole}.{hundredths:02}"


def usage_table(report: UsageReport, by: By = "project") -> Table:
    """Return the rows for a terminal, the total last.

    Where the size of some servers is not known, a last column has the active hours that are in no core hours.
    """
    title = f"Usage by {by}, {report.period.name} ({report.period.zone})" + (
        f", only {report.only}" if report.only else ""
    )
    if by == "research project":
        return _tree_table(title, report)
    groups = groups_of(report, by)
    heads: tuple[str, ...] = (by, "servers", "active h", "core h", "inactive h", "shelved h", "other h")
    width = len(heads)
    if report.total.unsized:
        heads = (*heads, "active h of unknown size")
        width += 1
    rows = (*(_cells(name_of(group), group.used) for group in groups), _cells("total", report.total))
    return Table(title, heads, tuple(row[:width] for row in rows))


def groups_of(report: UsageReport, by: By) -> tuple[Group, ...]:
    """Return the groups of any division but the tree of projects."""
    groups: dict[By, tuple[Group, ...]] = {
        "institution": report.institutions,
        "PI": report.pis,
        "project": report.projects,
        "user": report.users,
        "flavor": report.flavors,
    }
    return groups[by]


def _tree_table(title: str, report: UsageReport) -> Table:
    """Each project with what it used itself and with what lies in it; these rows do not add up to the total."""
    heads: tuple[str, ...] = ("research project", "servers", "own active h", "own core h", "active h", "core h")
    heads += ("active h of unknown size",) if report.total.unsized else ()
    rows = [(name, branch.own, branch.total) for name, branch in research(report)]
    rows += [("total", branch.own, branch.total) for branch in report.tree if not branch.path]

    def cells(name: str, own: Used, total: Used) -> tuple[Cell, ...]:
        quantities = (own.active, own.core, total.active, total.core, total.unsized)
        return name, total.servers, *(float(hours(seconds)) for seconds in quantities)

    return Table(title, heads, tuple(cells(*row)[: len(heads)] for row in rows))


def research(report: UsageReport) -> tuple[tuple[str, Branch], ...]:
    """Return the projects of the tree by their paths, `Biology › Genomics`; none where all belongs to none.

    Two of one path have their keys beside it.
    """
    below = [branch for branch in report.tree if branch.path]
    if all(branch.key == DEFAULT for branch in below):
        return ()
    paths = Counter(branch.path for branch in below)
    return tuple(
        (" › ".join(branch.path) + (f" ({branch.key})" if paths[branch.path] > 1 else ""), branch) for branch in below
    )


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
    if {"institution", "PI"} & {*report.by} and not report.institutions and not report.pis:
        said.append("No institution and no PI is known to own any of it. First: xdmod-cloud collect hierarchy")
    if report.portions:
        said.append(
            "Institutions that fund a project together have its hours by their shares, as these were at the time."
        )
    if report.only.institution is not None:
        said.append(f"All hours are the part of {report.only.institution} alone; servers are those it has a part in.")
    for groups, what, consequence in (
        (report.institutions, "institution", f"they are counted under the institution “{UNKNOWN}”"),
        (report.projects, "project", f"they are counted under the project “{UNKNOWN}”"),
        (report.users, "user", f"they are counted under the user “{UNKNOWN}”"),
        (report.flavors, "size", f"they are counted under the flavor “{UNKNOWN}”, and their core hours are in no sum"),
    ):
        used = _unknown(groups)
        if used:
            active = f"{float(hours(used.active)):,.2f}"
            said.append(
                f"{counted(used.servers, 'servers')} of unknown {what}, with {active} active hours: {consequence}."
            )
    if report.last is not None and report.last < report.period.end:
        said.append(f"The latest session read ends at {_utc(report.last)}: what ran after that is not in here.")
    return tuple(said)


def _unknown(groups: Sequence[Group]) -> Used | None:
    return next((group.used for group in groups if group.name is None), None)


def _nothing(report: UsageReport) -> str:
    if report.only:
        return f"No session of {report.only} in {report.period.name}."
    if report.first is None or report.last is None:
        return f"No session in {report.period.name}: what was read holds no session at all."
    return (
        f"No session in {report.period.name}. What was read holds sessions from {_utc(report.first)} "
        f"to {_utc(report.last)}; if servers ran in {report.period.name}, read what was recorded then, too."
    )


def _utc(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC")
