"""A report as PDF: totals, the chart, the tables, and what the numbers were made of."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from hierarchy.fundings import UNFUNDED
from reporter.chart import Series, chart, series_of, swatch_of
from reporter.lettering import BOLD, REGULAR, codes_shown, marks_lost, register_fonts, shown
from reporter.records import UNKNOWN, Group, UsageReport, Used
from reporter.tables import divisions, hours, name_of, notes, research

__all__ = ["write_pdf"]

_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN
#: ReportLab puts this between the margin and the text.
_PADDING = 6
_NUMBERS = (14 * mm, 27 * mm, 29 * mm, 26 * mm, 26 * mm)
_COLUMNS = (_WIDTH - sum(_NUMBERS), *_NUMBERS)
_RULE, _FAINT, _SHADE = HexColor("#333333"), HexColor("#CCCCCC"), HexColor("#F0F0F0")

_TEXT = ParagraphStyle("text", fontName=REGULAR, fontSize=8, leading=10.5, splitLongWords=True)
_HEAD = ParagraphStyle("head", _TEXT, fontName=BOLD)
_SMALL = ParagraphStyle("small", _TEXT, fontSize=7, leading=9.5)
_SECTION = ParagraphStyle("section", _HEAD, fontSize=11, leading=14, spaceBefore=12, spaceAfter=4)
_TITLE = ParagraphStyle("title", _HEAD, fontSize=18, leading=22)
_SUBTITLE = ParagraphStyle("subtitle", _TEXT, fontSize=10.5, leading=14, spaceBefore=2, spaceAfter=10)

#: A number that something is missing from says so.
_AT_LEAST = "≥ "

_HEADS = ("Servers", "Active hours", "Core hours", "Inactive hours", "Shelved hours")


def write_pdf(path: Path, report: UsageReport, resource: str, title: str, digest: str) -> None:
    """Write the report; `digest` is the SHA-256 of the sessions it was made of.

    It is laid out twice, for each page to say how many there are.
    """
    register_fonts()
    heading = f"{title} {report.period.name}"

    def laid_out(pages: int | None) -> int:
        document = SimpleDocTemplate(
            str(path),
            pagesize=A4,
            leftMargin=_MARGIN - _PADDING,
            rightMargin=_MARGIN - _PADDING,
            topMargin=_MARGIN,
            bottomMargin=_MARGIN + 4 * mm,
            title=f"{heading}, {resource}",
            author="xdmod-cloud",
            lang="en",
            invariant=1,
        )

        def footer(canvas: Any, page: Any) -> None:
            canvas.setFont(REGULAR, 7)
            canvas.drawString(_MARGIN, _MARGIN - 4 * mm, report.period.name)
            canvas.drawRightString(A4[0] - _MARGIN, _MARGIN - 4 * mm, f"Page {page.page} of {pages or '?'}")

        document.build(_story(report, resource, title, digest), onFirstPage=footer, onLaterPages=footer)
        return int(document.page)

    laid_out(laid_out(None))


def _story(report: UsageReport, resource: str, title: str, digest: str) -> list[Flowable]:
    start, end = (time.strftime("%Y-%m-%d %H:%M") for time in (report.period.start, report.period.end))
    only = f"only {shown(str(report.only))} · " if report.only else ""
    tree = tuple(Group(name, branch.total) for name, branch in research(report))
    return [
        Paragraph(shown(f"{title} {report.period.name}"), _TITLE),
        Paragraph(f"{shown(resource)} · {only}from {start} up to {end} UTC", _SUBTITLE),
        _totals(report.total),
        *_said(notes(report)),
        *_charted(series_of(report)),
        *(_section("By institution", "Institution", report.institutions, report.total) if report.institutions else ()),
        *(_section("By PI", "PI", report.pis, report.total) if report.pis else ()),
        *_section("By research project", "Research project", tree, report.total),
        *_section("By project", "Project", report.projects, report.total),
        *_section("By user", "User", report.users, report.total),
        *_section("By flavor", "Flavor", report.flavors, report.total),
        KeepTogether([Paragraph("How this was made", _SECTION), *_said(tuple(_made(report, resource, digest)))]),
    ]


def _totals(total: Used) -> Table:
    heads = (*_HEADS, "Other hours")
    cells = (*_quantities(total), _grouped(total.other))
    value = ParagraphStyle("value", _HEAD, fontSize=9.5, leading=13)
    rows = [[Paragraph(head, _SMALL) for head in heads], [Paragraph(cell, value) for cell in cells]]
    table = Table(rows, colWidths=[_WIDTH * share for share in (0.1, 0.19, 0.22, 0.18, 0.18, 0.13)])
    table.setStyle(
        [
            ("BACKGROUND", (0, 0), (-1, -1), _SHADE),
            ("LEFTPADDING", (0, 0), (-1, -1), 5),
            ("RIGHTPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, 0), 0),
        ]
    )
    return table


def _said(sentences: Sequence[str]) -> list[Flowable]:
    return [Spacer(0, 4), *(Paragraph(shown(sentence), _SMALL) for sentence in sentences)]


def _charted(series: Sequence[Series]) -> list[Flowable]:
    if not series:
        return []
    title = Paragraph("Core hours by day and project", _SECTION)
    return [KeepTogether([title, chart(series, _WIDTH, 62 * mm), Spacer(0, 5)]), _legend(series)]


def _legend(series: Sequence[Series]) -> Table:
    """Lay out the layers in two columns to be read line by line, the lowest layer first."""
    half, swatch = _WIDTH / 2, 5 * mm
    cells = [(swatch_of(one), Paragraph(shown(one.label), _SMALL)) for one in series]
    rows = [[*left, *right] for left, right in zip_longest(cells[::2], cells[1::2], fillvalue=("", ""))]
    style = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 1),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
    ]
    return Table(rows, colWidths=[swatch, half - swatch] * 2, style=style)


def _section(title: str, head: str, groups: Sequence[Group], total: Used) -> list[Flowable]:
    if not groups:
        return []
    # Only names can need more than a line; numbers as plain text make a long table several times faster.
    rows: list[list[Any]] = [[head, *_HEADS]]
    rows += [[Paragraph(shown(name_of(group)), _TEXT), *_quantities(group.used)] for group in groups]
    rows.append(["Total", *_quantities(total)])
    table = Table(
        rows,
        colWidths=_COLUMNS,
        repeatRows=1,
        style=[
            ("FONT", (0, 0), (-1, -1), REGULAR, _TEXT.fontSize, _TEXT.leading),
            ("FONT", (0, 0), (-1, 0), BOLD, _TEXT.fontSize, _TEXT.leading),
            ("FONT", (0, -1), (-1, -1), BOLD, _TEXT.fontSize, _TEXT.leading),
            ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ("LINEBELOW", (0, 0), (-1, 0), 0.8, _RULE),
            ("LINEBELOW", (0, 1), (-1, -3), 0.3, _FAINT),
            ("LINEABOVE", (0, -1), (-1, -1), 0.8, _RULE),
        ],
    )
    return [CondPageBreak(40 * mm), Paragraph(title, _SECTION), table]


def _quantities(used: Used) -> tuple[str, ...]:
    """Return the cells under _HEADS."""
    core = _grouped(used.core)
    if used.unsized:
        core = f"{_AT_LEAST}{core}" if used.core else UNKNOWN
    return (f"{used.servers:,}", _grouped(used.active), core, _grouped(used.inactive), _grouped(used.shelved))


def _grouped(seconds: int) -> str:
    whole, hundredths = hours(seconds).split(".")
    return f"{int(whole):,}.{hundredths}"


def _made(report: UsageReport, resource: str, digest: str) -> Iterator[str]:
    month, (*first, last) = report.period.name, divisions(report)
    yield (
        f"Asked: all sessions of the servers of {resource} that touch {month}, each with the seconds it has between "
        f"the start and the end above, summed by {', '.join(first)} and {last}. Sums are exact to the second and "
        "rounded only here, so that rounded lines may differ from their total in the last place. Days are of UTC. The "
        "layers of the chart stand in the order of its legend, the largest project at the bottom."
    )
    yield (
        "Active: running. Core hours: active hours times cores. Inactive: stopped, paused or suspended. Shelved: "
        "shelved. Other: in no state, as while being created or deleted."
    )
    yield "A server that changed its owner or flavor counts in each line it was in, so that servers do not add up."
    if report.institutions:
        yield (
            "Usage counts for the PI whose the project was at the time, and for the institution that this PI was at. "
            "Before that was known it counts for the first that was, and after the end of a project for the last."
        )
    if report.portions:
        yield (
            "Where institutions fund a project by shares, they have its hours by these, as they were at each instant; "
            f"what nobody funds is called {UNFUNDED}. Parts are of whole seconds and add up to the whole."
        )
    if research(report):
        yield "A research project comes with all that lies in it, so that its line has those of its sub-projects, too."
    if report.total.unsized:
        yield f"{_AT_LEAST.strip()}: the size of some servers is not known, and their core hours are not in the number."
    tables = (report.institutions, report.pis, report.projects, report.users, report.flavors)
    names = [name_of(group) for groups in tables for group in groups] + [name for name, _ in research(report)]
    if marks_lost([*names, resource]):
        yield "An underlined letter has a mark that the font of this document lacks; the CSV files have it."
    if codes_shown([*names, resource]):
        yield "[U+…]: characters that the font of this document lacks, by their codes; the CSV files have them."
    yield (
        f"Made by xdmod-cloud {version('xdmod-cloud')} of {report.total.sessions:,} sessions, "
        f"the rows of sessions-{month}.csv."
    )
    yield f"SHA-256 of sessions-{month}.csv: {digest}"
