"""A statement as PDF: the totals, the plot of days, the charges, every line, and what was done to the servers."""

from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from itertools import groupby
from pathlib import Path

from reportlab.lib.units import mm

from hierarchy.fundings import UNFUNDED
from ledger.counts import counted
from reporter.charges.tables import charge_sections, charge_totals
from reporter.pdf import Column, Front, Pages, Section, front, made, section, sentences
from reporter.pdf.usage import daily_chart, totals_of, usage_sections
from reporter.periods import zone_named
from reporter.records import UNKNOWN, Portion, Provenance
from reporter.statements.records import Statement
from reporter.statements.tables import statement_notes, title_of
from reporter.tables import hours
from reporter.transactions import Transaction, told
from reporter.words import said
from usage.rates import printed

__all__ = ["write_statement_pdf"]

_SHARES = (
    Column("Institution", number=False),
    Column("Project", number=False),
    Column("Share", 15 * mm),
    Column("Active hours", 24 * mm),
    Column("Core hours", 24 * mm),
)
_SERVERS = (
    Column("Server", number=False),
    Column("Id", 66 * mm, number=False),
    Column("Active hours", 24 * mm),
)
_LINES = (
    Column("Server", number=False),
    Column("Flavor", 23 * mm, number=False),
    Column("State", 14.5 * mm, number=False),
    Column("From", 25 * mm, number=False),
    Column("Up to", 25 * mm, number=False),
    Column("Hours", 14 * mm),
)
_LOG = (
    Column("Time", 37 * mm, number=False),
    Column("User", 28 * mm, number=False),
    Column("Server", 40 * mm, number=False),
    Column("Action", number=False),
)


def write_statement_pdf(path: Path, statement: Statement, provenance: Provenance, *, site: str | None = None) -> None:
    """Write a statement; the same one gives the same bytes. `site` is who publishes it, where that is to be said."""
    report, period = statement.report, statement.report.period
    title, when = title_of(statement), f"{period.name} ({period.zone})"
    heading = f"{title}, {statement.subject}, {statement.resource}"
    with Pages(path, title=heading, footer=f"{when} · {statement.subject}", author=site or "xdmod-cloud") as pages:
        front(pages, Front(title, tuple(_facts(statement)), tuple(_totals(statement)), site))
        sentences(pages, said("sentences", sentences=statement_notes(statement)))
        daily_chart(pages, report)
        for one in _sections(statement):
            section(pages, one)
        made(pages, _made(statement), provenance)


def _facts(statement: Statement) -> Iterator[tuple[str, str]]:
    period, zone = statement.report.period, zone_named(statement.report.period.zone)
    start, end = (time.astimezone(zone).strftime("%Y-%m-%d %H:%M") for time in (period.start, period.end))
    yield "For", statement.subject
    yield "Cloud", statement.resource
    yield "Period", f"{start} up to {end}, {period.zone}"


def _totals(statement: Statement) -> Iterator[tuple[str, str]]:
    yield from totals_of(statement.report.total)
    yield from charge_totals(statement.report.charges)


def _sections(statement: Statement) -> Iterator[Section]:
    report = statement.report
    if report.charges is not None:
        yield from charge_sections(report.charges, noted=False)
    yield from usage_sections(report, ("research project", "project"))
    if report.portions:
        yield Section("Shares of institutions", _SHARES, map(_share, report.portions))
    charged = report.charges is not None
    cost = Column(f"Cost ({report.charges.currency})" if report.charges is not None else "", 21 * mm)
    columns = (*_SERVERS, *((Column("Service units", 23 * mm), cost) if charged else ()))
    yield Section("Servers", columns, (row[: len(columns)] for row in _servers(statement)))
    columns = (*_LINES, *((Column("Units", 18 * mm), cost) if charged else ()))
    words = said("statement-lines", charged=charged)
    yield Section("Servers, line by line", columns, (row[: len(columns)] for row in _lines(statement)), said=words)
    if statement.log is not None:
        yield Section(
            "What was done to the servers", _LOG, _log(statement, statement.log()), said=said("statement-log")
        )


def _share(portion: Portion) -> tuple[str, ...]:
    institution = UNKNOWN if portion.institution is None else portion.institution
    share = portion.share or ""
    return institution, portion.title, share, _grouped(portion.active), _grouped(portion.core)


def _servers(statement: Statement) -> Iterator[tuple[str, ...]]:
    """What each server comes to; its lines stand together. It is named with its project, where there are several."""
    several = sum(bool(branch.own.sessions) for branch in statement.report.tree) > 1
    for instance, of in groupby(statement.lines(), key=lambda line: line.instance):
        active, units, cost, whole = 0, Fraction(), Fraction(), True
        for line in of:
            whole = whole and (line.cost is not None or not line.charged)
            active += line.seconds if line.state == "active" else 0
            units, cost = units + (line.units or 0), cost + (line.cost or 0)
        name = " · ".join(part for part in (line.server or line.note, line.path if several else None) if part)
        yield name, instance or "", _grouped(active), f"{printed(units):,}", f"{'' if whole else '≥ '}{printed(cost):,}"


def _lines(statement: Statement) -> Iterator[tuple[str, ...]]:
    zone, form = zone_named(statement.report.period.zone), _form(statement)
    for line in statement.lines():
        times = ("" if time is None else f"{time.astimezone(zone):{form}}" for time in (line.start, line.end))
        units = "" if line.units is None else f"{printed(line.units):,}"
        cost = line.note if line.cost is None else f"{printed(line.cost):,}"
        flavor = "" if line.instance is None else line.flavor or UNKNOWN
        name = line.server or line.instance or line.note
        yield name, flavor, line.state or "", *times, _grouped(line.seconds), units, cost


def _form(statement: Statement) -> str:
    """How times are written: with the year where there are two, and with the offset where the clocks change."""
    period, zone = statement.report.period, zone_named(statement.report.period.zone)
    start, end = (time.astimezone(zone) for time in (period.start, period.end - timedelta(seconds=1)))
    form = "%m-%d %H:%M:%S" if start.year == end.year else "%Y-%m-%d %H:%M:%S"
    return form if start.utcoffset() == end.utcoffset() else f"{form}%z"


def _log(statement: Statement, log: Iterator[Transaction]) -> Iterator[tuple[str, ...]]:
    zone, form = zone_named(statement.report.period.zone), _form(statement)
    for one in log:
        yield f"{one.at.astimezone(zone):{form}}", one.user or one.user_id or UNKNOWN, one.server, told(one)


def _made(statement: Statement) -> list[str]:
    report = statement.report
    return said(
        "statement-made",
        subject=statement.subject,
        resource=statement.resource,
        period=report.period.name,
        zone=report.period.zone,
        charges=report.charges,
        shared=bool(report.portions),
        unfunded=UNFUNDED,
        sessions=counted(report.total.sessions, "sessions"),
    )


def _grouped(seconds: int) -> str:
    whole, hundredths = hours(seconds).split(".")
    return f"{int(whole):,}.{hundredths}"
