"""The usage report as PDF: totals, the plot of days, the tables, and what the numbers were made of."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

from reportlab.lib.units import mm

from hierarchy.fundings import UNFUNDED
from ledger.counts import counted
from reporter.lettering import codes_shown, marks_lost
from reporter.pdf.blocks import Fact, Front, Section, chart, front, made, section, sentences
from reporter.pdf.pages import Pages
from reporter.pdf.tables import Column
from reporter.periods import zone_named
from reporter.records import UNKNOWN, Group, Provenance, UsageReport, Used
from reporter.tables import By, divisions, hours, name_of, notes, research
from reporter.words import said

__all__ = ["daily_chart", "totals_of", "usage_sections", "write_pdf"]

#: A number that something is missing from says so.
_AT_LEAST = "≥ "

_NUMBERS = (
    Column("Servers", 15 * mm),
    Column("Active hours", 26 * mm),
    Column("Core hours", 31 * mm),
    Column("Inactive hours", 28 * mm),
    Column("Shelved hours", 27 * mm),
)


def write_pdf(
    path: Path,
    report: UsageReport,
    resource: str,
    title: str,
    provenance: Provenance,
    *,
    site: str | None = None,
    reader: str | None = None,
    more: Sequence[Section] = (),
    costs: Iterable[Fact] = (),
) -> None:
    """Write the report of what a cloud is called; the same report gives the same bytes.

    `site` is who publishes it, and `reader` whom it is for, where these are to be said. `more` follows the tables, and
    `costs` the totals of the first page.
    """
    heading, when = f"{title} {report.period.name}", f"{report.period.name} ({report.period.zone})"
    with Pages(path, title=f"{heading}, {resource}", footer=when, author=site or "xdmod-cloud") as pages:
        front(pages, Front(heading, _facts(report, resource, reader), (*totals_of(report.total), *costs), site))
        sentences(pages, said("sentences", sentences=notes(report)))
        daily_chart(pages, report)
        for one in (*usage_sections(report), *more):
            section(pages, one)
        made(pages, _made(report, resource), provenance)


def _facts(report: UsageReport, resource: str, reader: str | None) -> Iterator[Fact]:
    start, end = _bounds(report)
    if reader is not None:
        yield "For", reader
    yield "Cloud", resource
    yield "Period", f"{start} up to {end}, {report.period.zone}"
    if report.only:
        yield "Only", str(report.only)


def _bounds(report: UsageReport) -> tuple[str, str]:
    zone = zone_named(report.period.zone)
    start, end = report.period.start.astimezone(zone), report.period.end.astimezone(zone)
    return start.strftime("%Y-%m-%d %H:%M"), end.strftime("%Y-%m-%d %H:%M")


def totals_of(total: Used) -> tuple[Fact, ...]:
    """Return the totals as the first page shows them."""
    servers, active, core, inactive, shelved = _quantities(total)
    return (
        ("Servers", servers),
        ("Active hours", active),
        ("Core hours", core),
        ("Inactive hours", inactive),
        ("Shelved hours", shelved),
        ("Other hours", _grouped(total.other)),
    )


def daily_chart(pages: Pages, report: UsageReport) -> None:
    """Draw the core hours of each day by project."""
    days = [day for day, _, _ in report.period.each_day()]
    daily = defaultdict[str | None, Counter[date]](Counter)
    for one in report.daily:
        daily[one.project][one.day] += one.core
    named = ((name_of(group), [daily[group.name][day] for day in days]) for group in report.projects)
    title = "Core hours by day and project"
    chart(pages, title, days, named, zone=report.period.zone, unit="core hours", others="project")


def usage_sections(report: UsageReport, only: Sequence[By] = ()) -> Iterator[Section]:
    """Yield a table for each division, or only for some, the most used first."""
    groups: dict[By, tuple[str, Sequence[Group]]] = {
        "institution": ("Institution", report.institutions),
        "PI": ("PI", report.pis),
        "research project": ("Research project", [Group(name, branch.total) for name, branch in research(report)]),
        "project": ("Project", report.projects),
        "user": ("User", report.users),
        "flavor": ("Flavor", report.flavors),
    }
    for by in divisions(report):
        head, those = groups[by]
        if those and (not only or by in only):
            rows = ((name_of(group), *_quantities(group.used)) for group in those)
            totals = ("Total", *_quantities(report.total))
            yield Section(f"By {by}", (Column(head, number=False), *_NUMBERS), rows, totals)


def _quantities(used: Used) -> tuple[str, ...]:
    """Return the cells of _NUMBERS."""
    core = _grouped(used.core)
    if used.unsized:
        core = f"{_AT_LEAST}{core}" if used.core else UNKNOWN
    return (f"{used.servers:,}", _grouped(used.active), core, _grouped(used.inactive), _grouped(used.shelved))


def _grouped(seconds: int) -> str:
    whole, hundredths = hours(seconds).split(".")
    return f"{int(whole):,}.{hundredths}"


def _made(report: UsageReport, resource: str) -> list[str]:
    tables = (report.institutions, report.pis, report.projects, report.users, report.flavors)
    names = [name_of(group) for groups in tables for group in groups]
    names += [resource, str(report.only), *(name for name, _ in research(report))]
    start, end = _bounds(report)
    *first, last = divisions(report)
    return said(
        "usage-made",
        resource=resource,
        period=report.period.name,
        start=start,
        end=end,
        zone=report.period.zone,
        divisions=f"{', '.join(first)} and {last}" if first else last,
        charted=bool(report.daily),
        owned=bool(report.institutions),
        shared=bool(report.portions),
        unfunded=UNFUNDED,
        nested=bool(research(report)),
        unsized=bool(report.total.unsized),
        marks=marks_lost(names),
        codes=codes_shown(names),
        sessions=counted(report.total.sessions, "sessions"),
    )
