"""Names as the PDF's font can show them; what it cannot show is replaced, visibly."""

import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

__all__ = ["BOLD", "REGULAR", "coded", "codes_shown", "marks_lost", "register_fonts", "shown"]

#: Bitstream Vera comes with ReportLab and is embedded, so that a page looks the same everywhere. It has Latin letters.
REGULAR, BOLD = "Vera", "VeraBd"


@cache
def register_fonts() -> None:
    """Make both fonts known to ReportLab."""
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))


def _has(character: str) -> bool:
    register_fonts()
    glyphs = (pdfmetrics.getFont(name).face.charToGlyph for name in (REGULAR, BOLD))
    return character.isprintable() and all(ord(character) in known for known in glyphs)


def shown(text: str) -> str:
    """Return ReportLab markup for a text: `Wał<u>e</u>sa` where only a mark is lost, `[U+0416 0443]` for all else."""
    if text.isascii() and text.isprintable():
        return escape(text)
    return "".join(_markup(text))


def coded(text: str) -> str:
    """Return plain text for Courier, which is in every reader of PDF: what it lacks is there as `[U+0416]`."""
    return "".join(
        character if character.isprintable() and _in_courier(character) else f"[U+{ord(character):04X}]"
        for character in text
    )


def _in_courier(character: str) -> bool:
    try:
        return bool(character.encode("cp1252"))
    except UnicodeEncodeError:
        return False


def marks_lost(texts: Iterable[str]) -> bool:
    """Tell whether a letter of the texts is shown without its mark."""
    return any(_kind(character) == "base" for text in texts for character in _composed(text))


def codes_shown(texts: Iterable[str]) -> bool:
    """Tell whether a character of the texts is shown as its code."""
    return any(_kind(character) == "code" for text in texts for character in _composed(text))


def _markup(text: str) -> Iterator[str]:
    for kind, group in groupby(_composed(text), _kind):
        characters = list(group)
        if kind == "font":
            yield escape("".join(characters))
        elif kind == "base":
            yield f"<u>{''.join(unicodedata.normalize('NFD', character)[0] for character in characters)}</u>"
        else:
            yield f"[U+{' '.join(f'{ord(character):04X}' for character in characters)}]"


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


@cache
def _kind(character: str) -> str:
    if _has(character):
        return "font"
    base, *marks = list(unicodedata.normalize("NFD", character))
    return "base" if marks and _has(base) and all(map(unicodedata.combining, marks)) else "code"
