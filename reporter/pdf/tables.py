"""Tables of any length: rows are drawn as they come, names wrap, and headings repeat on each page."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import Paragraph

from reporter.lettering import shown
from reporter.pdf.pages import Pages
from reporter.pdf.styles import (
    FAINT,
    HEAD,
    LABEL,
    LEFT,
    NUMBER,
    NUMBER_HEAD,
    RIGHT,
    RULE,
    TEXT,
    TOP,
    WIDTH,
)

__all__ = ["Column", "table"]

#: Between columns, above a row's letters, and below them.
_GUTTER, _ABOVE, _BELOW = 6.0, 2.0, 3.0
#: The line that repeats a section's title above a table that goes on.
_CONTINUED = 13.0

_T = TypeVar("_T")


class Column(NamedTuple):
    """A column: its heading, its width in points, and whether it is of numbers, which stand to the right.

    Columns without a width share evenly what the others leave of `WIDTH`.
    """

    head: str
    width: float | None = None
    number: bool = True


class _Row(NamedTuple):
    """A row laid out: what is one line is text still."""

    cells: tuple[Any, ...]
    height: float


def table(
    pages: Pages, columns: Sequence[Column], rows: Iterable[Sequence[str]], totals: Sequence[str] | None = None
) -> int:
    """Draw the rows as they come, then the totals, and return how many rows there are.

    Cells are plain text. One that is wider than its column wraps, and a row that is longer than a page goes on on the
    next. The totals never stand alone below a heading.
    """
    grid = _Grid(pages, columns)
    last = grid.laid(totals, HEAD, NUMBER_HEAD) if totals is not None else None
    grid.begin(last.height if last else 0)
    count = 0
    for row, ends in _until_last(rows):
        grid.draw(grid.laid(row, TEXT, NUMBER), below=last.height if ends and last else 0)
        count += 1
    if last:
        grid.total(last)
    return count


class _Grid:
    """Where the columns of one table stand on the pages."""

    def __init__(self, pages: Pages, columns: Sequence[Column]) -> None:
        taken = sum(column.width or 0 for column in columns)
        free = sum(column.width is None for column in columns)
        widths = [(WIDTH - taken) / free if column.width is None else column.width for column in columns]
        self._pages = pages
        self._numbers = [column.number for column in columns]
        self._lefts = [LEFT + sum(widths[:place]) for place in range(len(widths))]
        self._widths = [width - _GUTTER for width in widths[:-1]] + widths[-1:]
        self._heads = self.laid([column.head for column in columns], HEAD, NUMBER_HEAD)

    def laid(self, row: Sequence[str], text: ParagraphStyle, number: ParagraphStyle) -> _Row:
        """Lay a row out: only what needs more than a line, or letters that the font lacks, becomes a paragraph."""
        cells: list[Any] = []
        height = text.leading
        for cell, width, is_number in zip(row, self._widths, self._numbers, strict=True):
            style, markup = number if is_number else text, shown(cell)
            if "<" in markup or "&" in markup or stringWidth(markup, style.fontName, style.fontSize) > width:
                paragraph = Paragraph(markup, style)
                height = max(height, paragraph.wrap(width, TOP)[1])
                cells.append(paragraph)
            else:
                cells.append(markup)
        return _Row(tuple(cells), height + _ABOVE + _BELOW)

    def begin(self, below: float) -> None:
        """Draw the heading, where there are two lines left below it."""
        self._pages.need(self._heads.height + below + 2 * (TEXT.leading + _ABOVE + _BELOW))
        self._head()

    def draw(self, row: _Row, below: float) -> None:
        """Draw a row on this page or the next, where so much is left below it."""
        if row.height + below > self._pages.room:
            self._go_on()
        while row.height > self._pages.room:
            first, row = self._divided(row)
            self._put(first, TEXT, NUMBER)
            self._go_on()
        if row.height + below > self._pages.room:
            self._go_on()
        self._put(row, TEXT, NUMBER)
        self._rule(0.3, FAINT)

    def total(self, row: _Row) -> None:
        """Draw the totals below a line."""
        self._rule(0.8, RULE)
        self._put(row, HEAD, NUMBER_HEAD)

    def _go_on(self) -> None:
        pages = self._pages
        pages.turn()
        if pages.section:
            pages.place(Paragraph(f"{shown(pages.section)}, continued", LABEL), after=_CONTINUED - LABEL.leading)
        self._head()

    def _head(self) -> None:
        self._put(self._heads, HEAD, NUMBER_HEAD, low=True)
        self._rule(0.8, RULE)

    def _divided(self, row: _Row) -> tuple[_Row, _Row]:
        """What of a row fits on this page, and the rest of it."""
        room = self._pages.room - _ABOVE - _BELOW
        first, rest = list[Any](), list[Any]()
        for cell, width in zip(row.cells, self._widths, strict=True):
            parts = [cell, ""] if isinstance(cell, str) else [*cell.split(width, room), ""]
            first.append(parts[0])
            rest.append(parts[1])
        left = [0.0 if isinstance(cell, str) else cell.wrap(width, TOP)[1] for cell, width in self._beside(rest)]
        for cell, width in self._beside(first):
            if not isinstance(cell, str):
                cell.wrap(width, TOP)
        return _Row(tuple(first), self._pages.room), _Row(tuple(rest), max(left) + _ABOVE + _BELOW)

    def _beside(self, cells: Sequence[Any]) -> Iterator[tuple[Any, float]]:
        return zip(cells, self._widths, strict=True)

    def _put(self, row: _Row, text: ParagraphStyle, number: ParagraphStyle, *, low: bool = False) -> None:
        """Draw the cells from the top of the row, or down to its lower edge."""
        canvas, top = self._pages.canvas, self._pages.y - _ABOVE
        for cell, left, width, is_number in zip(row.cells, self._lefts, self._widths, self._numbers, strict=True):
            style = number if is_number else text
            height = style.leading if isinstance(cell, str) else cell.height
            upper = top - (row.height - _ABOVE - _BELOW - height if low else 0)
            if not isinstance(cell, str):
                cell.drawOn(canvas, left, upper - height)
            elif cell:
                canvas.setFont(style.fontName, style.fontSize)
                canvas.setFillColor(style.textColor)
                # A paragraph has its first line there, too.
                line = upper - style.fontSize
                if is_number:
                    canvas.drawRightString(left + width, line, cell)
                else:
                    canvas.drawString(left, line, cell)
        self._pages.y -= row.height

    def _rule(self, width: float, color: Any) -> None:
        canvas = self._pages.canvas
        canvas.setLineWidth(width)
        canvas.setStrokeColor(color)
        canvas.line(LEFT, self._pages.y, RIGHT, self._pages.y)


def _until_last(items: Iterable[_T]) -> Iterator[tuple[_T, bool]]:
    """Each with whether it is the last."""
    held = list[_T]()
    for one in items:
        if held:
            yield held.pop(), False
        held.append(one)
    for one in held:
        yield one, True
