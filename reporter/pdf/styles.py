"""Sizes, colours and letters of a page, in points."""

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm

from reporter.lettering import BOLD, REGULAR

__all__ = [
    "BOTTOM",
    "FAINT",
    "FOOT",
    "GREY",
    "HEAD",
    "INK",
    "LABEL",
    "LEFT",
    "NUMBER",
    "NUMBER_HEAD",
    "RIGHT",
    "RULE",
    "SECTION",
    "SHADE",
    "SITE",
    "SMALL",
    "TEXT",
    "TITLE",
    "TOP",
    "WIDTH",
]

_MARGIN = 18 * mm
LEFT, RIGHT, TOP, BOTTOM = _MARGIN, A4[0] - _MARGIN, A4[1] - _MARGIN, _MARGIN + 6 * mm
#: All that stands side by side shares this.
WIDTH = RIGHT - LEFT
#: The line that the footer stands on.
FOOT = _MARGIN - 3 * mm

INK, GREY = HexColor("#0F1E41"), HexColor("#5A5A5A")
RULE, FAINT, SHADE = HexColor("#333333"), HexColor("#D0D0D0"), HexColor("#F2F3F6")

TEXT = ParagraphStyle("text", fontName=REGULAR, fontSize=8, leading=10.5, splitLongWords=True)
NUMBER = ParagraphStyle("number", TEXT, alignment=TA_RIGHT)
HEAD = ParagraphStyle("head", TEXT, fontName=BOLD)
NUMBER_HEAD = ParagraphStyle("number head", HEAD, alignment=TA_RIGHT)
SMALL = ParagraphStyle("small", TEXT, fontSize=7.5, leading=10.5)
LABEL = ParagraphStyle("label", SMALL, textColor=GREY)
SECTION = ParagraphStyle("section", HEAD, fontSize=11.5, leading=15, textColor=INK)
TITLE = ParagraphStyle("title", HEAD, fontSize=21, leading=26, textColor=INK)
SITE = ParagraphStyle("site", TEXT, fontSize=10, leading=14, textColor=GREY)
