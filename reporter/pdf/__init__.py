"""PDFs that are made with care: the blocks they are made of, and the usage report."""

from reporter.pdf.blocks import Fact, Front, Section, chart, facts, front, made, section, sentences, tiles
from reporter.pdf.pages import Pages
from reporter.pdf.styles import WIDTH
from reporter.pdf.tables import Column, table
from reporter.pdf.usage import write_pdf

__all__ = [
    "WIDTH",
    "Column",
    "Fact",
    "Front",
    "Pages",
    "Section",
    "chart",
    "facts",
    "front",
    "made",
    "section",
    "sentences",
    "table",
    "tiles",
    "write_pdf",
]
