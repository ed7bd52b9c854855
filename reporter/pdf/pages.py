"""Pages, filled from top to bottom and let go of when full."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

from reporter.lettering import REGULAR, register_fonts, shown
from reporter.pdf.styles import BOTTOM, FOOT, GREY, LEFT, SECTION, TEXT, TOP, WIDTH

__all__ = ["Pages"]

_FOOTER = ParagraphStyle("footer", TEXT, fontSize=7, leading=9, textColor=GREY, alignment=TA_RIGHT)
#: The number of pages is known when all are written: each page has a place for it, filled in at the end.
_COUNT = "count"


class Pages:
    """A PDF being written; leaving it writes the file, unless by an error.

    `title`, `footer` and `author` are plain text. Positions are in points from the lower left; `y` is where the next
    block begins.
    """

    def __init__(self, path: Path, *, title: str, footer: str, author: str = "xdmod-cloud") -> None:
        register_fonts()
        self.canvas: Any = Canvas(str(path), pagesize=A4, pageCompression=1, invariant=1, lang="en")
        self.canvas.setTitle(title)
        self.canvas.setSubject(footer)
        self.canvas.setAuthor(author)
        self.canvas.setCreator(f"xdmod-cloud {version('xdmod-cloud')}")
        self.canvas.showOutline()
        self.y = TOP
        self.number = 1
        self.section = ""
        self._sections = 0
        self._footer = footer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._foot()
            self.canvas.showPage()
            self._write_count()
            self.canvas.save()

    @property
    def room(self) -> float:
        """How much is left of the page, from `y` down."""
        return float(self.y - BOTTOM)

    @property
    def fresh(self) -> bool:
        """Whether nothing stands on the page yet."""
        return bool(self.y == TOP)

    def turn(self) -> None:
        """Go on to the next page."""
        self._foot()
        self.canvas.showPage()
        self.number += 1
        self.y = TOP

    def need(self, height: float) -> None:
        """Go on to the next page where less than that is left of this one."""
        if self.room < height and not self.fresh:
            self.turn()

    def skip(self, height: float) -> None:
        """Leave some room, but none at the top of a page."""
        if not self.fresh:
            self.y -= height

    def begin(self, title: str, below: float = 110) -> None:
        """Begin a section, which the outline leads to, where there is room for its heading and so much below it."""
        heading = Paragraph(shown(title), SECTION)
        _, height = heading.wrap(WIDTH, TOP)
        self.need(14 + height + below)
        self.skip(14)
        self.section = title
        self._sections += 1
        key = f"section-{self._sections}"
        self.canvas.bookmarkHorizontal(key, 0, self.y)
        self.canvas.addOutlineEntry(title, key, 0)
        self.place(heading, after=4)

    def place(self, block: Any, *, left: float = 0, after: float = 0) -> None:
        """Put a ReportLab flowable here, so far from the left margin; a paragraph may go on on the next page."""
        for part in self._parts(block, WIDTH - left):
            _, height = part.wrapOn(self.canvas, WIDTH - left, TOP)
            self.need(height)
            part.drawOn(self.canvas, LEFT + left, self.y - height)
            self.y -= height
        self.skip(after)

    def _parts(self, block: Any, width: float) -> Iterator[Any]:
        """What fits on this page, then on each further one; what cannot be divided is one part."""
        while block.wrapOn(self.canvas, width, TOP)[1] > self.room:
            first, *rest = block.split(width, self.room) or [block]
            if not rest:
                break
            yield first
            (block,) = rest
        yield block

    def _foot(self) -> None:
        count = f"Page {self.number} of "
        self._line(self._footer).drawOn(self.canvas, LEFT + WIDTH / 3, FOOT - 2)
        self.canvas.saveState()
        self.canvas.setFont(REGULAR, _FOOTER.fontSize)
        self.canvas.setFillColor(GREY)
        self.canvas.drawString(LEFT, FOOT, count)
        self.canvas.translate(LEFT + stringWidth(count, REGULAR, _FOOTER.fontSize), FOOT)
        self.canvas.doForm(_COUNT)
        self.canvas.restoreState()

    @staticmethod
    def _line(text: str) -> Any:
        """As much of a text as one line of the footer holds; it is on the first page in full."""
        whole = text
        while True:
            line = Paragraph(shown(text if text == whole else f"{text}…"), _FOOTER)
            if line.wrap(WIDTH * 2 / 3, TOP)[1] <= _FOOTER.leading:
                return line
            text = text[: -max(1, len(text) // 8)]

    def _write_count(self) -> None:
        self.canvas.beginForm(_COUNT, lowery=-_FOOTER.fontSize)
        self.canvas.setFont(REGULAR, _FOOTER.fontSize)
        self.canvas.setFillColor(GREY)
        self.canvas.drawString(0, 0, str(self.number))
        self.canvas.endForm()
