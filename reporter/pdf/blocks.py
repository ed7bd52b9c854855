"""What PDFs are made of besides tables: the front, the plot of days, and how it was made."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from importlib.metadata import version

from msgspec import Struct
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import Paragraph

from reporter.chart import Layer, layers, plot, swatch
from reporter.lettering import BOLD, coded, shown
from reporter.pdf.pages import Pages
from reporter.pdf.styles import HEAD, INK, LABEL, LEFT, SHADE, SITE, SMALL, TITLE, TOP, WIDTH
from reporter.pdf.tables import Column, table
from reporter.records import Provenance

__all__ = ["Fact", "Front", "Section", "chart", "facts", "front", "made", "section", "sentences", "tiles"]

#: What something is called, and what it is; both are plain text.
Fact = tuple[str, str]

_LABELS = 30 * mm
_CODE = ParagraphStyle("code", SMALL, fontName="Courier", fontSize=6.5, leading=8)
#: Courier's letters are 0.6 of its size wide.
_CODE_LETTERS = int((WIDTH - 6) / (_CODE.fontSize * 0.6))
_TILES = 3
_TILE = 33.0
_SMALLEST, _LARGEST = 6.0, 13.0


class Front(Struct, frozen=True):
    """What the first page says: the title, facts as the period and for whom, and the totals, in plain text.

    `site` is the name of who publishes it, if that is to be there.
    """

    title: str
    facts: Iterable[Fact]
    totals: Sequence[Fact] = ()
    site: str | None = None


class Section(Struct, frozen=True):
    """A table with a heading, which the outline leads to, and with paragraphs of markup between the two.

    Rows are read once, as they are drawn; cells are plain text.
    """

    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[str]]
    totals: Sequence[str] | None = None
    said: Sequence[str] = ()


def front(pages: Pages, what: Front) -> None:
    """Draw what stands first, at the top of the first page."""
    canvas = pages.canvas
    canvas.setFillColor(INK)
    canvas.rect(LEFT, pages.y - 3, 24 * mm, 3, stroke=0, fill=1)
    pages.y -= 14
    canvas.bookmarkHorizontal("front", 0, TOP)
    canvas.addOutlineEntry(what.title, "front", 0)
    if what.site:
        pages.place(Paragraph(shown(what.site), SITE), after=2)
    pages.place(Paragraph(shown(what.title), TITLE), after=8)
    facts(pages, what.facts)
    pages.skip(8)
    tiles(pages, what.totals)


def facts(pages: Pages, what: Iterable[Fact]) -> None:
    """Draw what things are called to the left of what they are."""
    for label, value in what:
        named, said = Paragraph(shown(label), LABEL), Paragraph(shown(value), SMALL)
        heights = named.wrap(_LABELS - 6, TOP)[1], said.wrap(WIDTH - _LABELS, TOP)[1]
        # Of a long paragraph two lines at least stay with the label.
        pages.need(max(heights[0], min(heights[1], 2 * SMALL.leading)))
        page, lowest = pages.number, pages.y - heights[0]
        named.drawOn(pages.canvas, LEFT, lowest)
        pages.place(said, left=_LABELS)
        if pages.number == page:
            pages.y = min(pages.y, lowest)
        pages.skip(1.5)


def tiles(pages: Pages, totals: Sequence[Fact]) -> None:
    """Draw numbers large, each below its label, as many beside each other as are easily read."""
    if not totals:
        return
    width = WIDTH / _TILES
    widest = max(stringWidth(value, BOLD, 1) for _, value in totals)
    style = ParagraphStyle("value", TITLE, fontSize=max(_SMALLEST, min(_LARGEST, (width - 16) / widest)), leading=16)
    rows = [totals[place : place + _TILES] for place in range(0, len(totals), _TILES)]
    height = _TILE * len(rows) + 8
    pages.need(height)
    pages.canvas.setFillColor(SHADE)
    pages.canvas.rect(LEFT, pages.y - height, WIDTH, height, stroke=0, fill=1)
    top = pages.y - 6
    for row in rows:
        for place, (label, value) in enumerate(row):
            left = LEFT + place * width + 8
            for text, lettering, down in ((label, LABEL, 12), (value, style, 28)):
                block = Paragraph(shown(text), lettering)
                _, used = block.wrap(width - 10, TOP)
                block.drawOn(pages.canvas, left, top - down - used + lettering.leading)
        top -= _TILE
    pages.y -= height
    pages.skip(8)


def sentences(pages: Pages, said: Iterable[str]) -> None:
    """Draw paragraphs of markup, as `reporter.words.said` gives them."""
    for sentence in said:
        pages.place(Paragraph(sentence, SMALL), after=3)


def chart(
    pages: Pages,
    title: str,
    days: Sequence[date],
    named: Iterable[tuple[str, Sequence[int]]],
    *,
    zone: str,
    unit: str,
    others: str,
) -> None:
    """Draw a section with a column for each day, in layers, and below it the legend, in the order of the layers.

    `named` has a label and its seconds on each day, the largest first; `zone` says whose days they are, and `others`
    what those beyond the seventh are called, as `project`. Nothing is drawn where there is nothing to show.
    """
    of = layers(named, others)
    if not of:
        return
    height = 62 * mm
    pages.begin(title, below=height + 8 + 12 * len(of))
    pages.place(plot(days, of, zone, unit, WIDTH, height), after=6)
    _legend(pages, of, unit)


def _legend(pages: Pages, of: Sequence[Layer], unit: str) -> None:
    """Name the layers from the top of the columns to their bottom."""
    whole = sum(sum(layer.seconds) for layer in of)
    for layer in reversed(of):
        part = sum(layer.seconds)
        said = (
            f"{shown(layer.label)} <font color='#5A5A5A'>· {part / 3600:,.2f} {shown(unit)}, {part / whole:.1%}</font>"
        )
        block = Paragraph(said, SMALL)
        _, height = block.wrap(WIDTH - 18, TOP)
        pages.need(height)
        swatch(layer).drawOn(pages.canvas, LEFT, pages.y - 9)
        pages.place(block, left=18, after=1.5)


def section(pages: Pages, what: Section) -> None:
    """Draw a heading and the table below it."""
    pages.begin(what.title)
    sentences(pages, what.said)
    table(pages, what.columns, what.rows, what.totals)


def made(pages: Pages, said: Iterable[str], provenance: Provenance) -> None:
    """Draw, on a page of its own, how the document was made: sentences of markup, and where its numbers are from."""
    pages.turn()
    pages.begin("How this was made")
    sentences(pages, said)
    pages.skip(5)
    facts(
        pages,
        (
            ("Data", provenance.source),
            ("As of", provenance.version),
            ("Program", f"xdmod-cloud {version('xdmod-cloud')}"),
        ),
    )
    if provenance.digests:
        _titled(pages, "SHA-256 of the files beside this one")
        for name, digest in provenance.digests:
            pages.need(2 * SMALL.leading)
            pages.place(Paragraph(shown(name), SMALL))
            _code(pages, [digest])
            pages.skip(3)
    if provenance.query:
        _titled(pages, "What was asked, statement by statement")
        for statement in provenance.query:
            _code(pages, statement.strip().splitlines())
            pages.skip(6)


def _titled(pages: Pages, title: str) -> None:
    pages.need(50)
    pages.skip(9)
    pages.place(Paragraph(shown(title), HEAD), after=3)


def _code(pages: Pages, lines: Iterable[str]) -> None:
    for line in lines:
        for part in _broken(coded(line.rstrip().expandtabs(4))):
            pages.need(_CODE.leading)
            pages.canvas.setFont(_CODE.fontName, _CODE.fontSize)
            pages.canvas.setFillColor(INK)
            pages.canvas.drawString(LEFT + 6, pages.y - _CODE.fontSize, part)
            pages.y -= _CODE.leading


def _broken(line: str) -> Iterator[str]:
    """A line in parts that fit, broken at blanks where there are any; what follows the first is indented more."""
    indent = " " * min(len(line) - len(line.lstrip()) + 4, _CODE_LETTERS // 2)
    while len(line) > _CODE_LETTERS:
        end = line.rfind(" ", len(line) - len(line.lstrip()) + 1, _CODE_LETTERS + 1)
        end = end if end > 0 else _CODE_LETTERS
        yield line[:end]
        line = indent + line[end:].lstrip(" ")
    yield line
