"""PDFs as tests look at them, and reports made up to be drawn."""

import re
import subprocess
from collections.abc import Iterable, Sequence
from datetime import date
from html import unescape
from operator import add
from pathlib import Path
from typing import NamedTuple

from reporter import Daily, Group, Period, Provenance, UsageReport, Used

__all__ = ["NOTHING", "OCTOBER", "SOURCE", "Word", "grey", "report", "text", "used", "words"]

_WORD = re.compile(r'<word xMin="(.+?)" yMin="(.+?)" xMax="(.+?)" yMax="(.+?)">(.*?)</word>')

OCTOBER = Period.month("2026-10")
SOURCE = Provenance(
    source="the ledger sqlite:///ledger.db, cloud test",
    version="up to record 1234, read 2026-11-01 00:20 UTC",
    query=("SELECT instance, sum(seconds)\nFROM sessions\nGROUP BY instance",),
    digests=(("sessions-2026-10.csv", "0123456789abcdef" * 4),),
)
NOTHING = Used(0, 0, 0, 0, 0, 0, 0, 0)


class Word(NamedTuple):
    """Where a word stands on its page, in points from the upper left."""

    left: float
    top: float
    right: float
    bottom: float
    text: str


def _word(left: str, top: str, right: str, bottom: str, found: str) -> Word:
    return Word(float(left), float(top), float(right), float(bottom), unescape(found))


class Grey(NamedTuple):
    """A page in shades of grey from 0 to 255, row by row from the top."""

    width: int
    height: int
    pixels: bytes

    def at(self, x: int, y: int) -> int:
        """One shade."""
        return self.pixels[y * self.width + x]


def used(active: int, cores: int = 1, **rest: int) -> Used:
    """What one server used that was up for so many seconds."""
    values = {"servers": 1, "sessions": 1, "active": active, "core": active * cores, "inactive": 0, "shelved": 0}
    return Used(**values | {"other": 0, "unsized": 0} | rest)


def report(
    projects: Sequence[tuple[str | None, Used]],
    *,
    users: Sequence[tuple[str | None, Used]] = (),
    flavors: Sequence[tuple[str | None, Used]] = (),
    period: Period = OCTOBER,
) -> UsageReport:
    """A report of projects in this order; each has its core seconds on the third day."""
    days = [day for day, _, _ in period.each_day()]
    groups = [tuple(Group(*one) for one in those) for those in (projects, users or projects, flavors or projects)]
    return UsageReport(
        period=period,
        total=_sum(one for _, one in projects),
        lines=(),
        institutions=(),
        pis=(),
        projects=groups[0],
        users=groups[1],
        flavors=groups[2],
        daily=tuple(Daily(_third(days), name, one.core) for name, one in projects if one.core),
        first=period.start,
        last=period.end,
    )


def _third(days: Sequence[date]) -> date:
    return days[min(2, len(days) - 1)]


def _sum(those: Iterable[Used]) -> Used:
    total = NOTHING
    for one in those:
        total = Used(*map(add, _values(total), _values(one)))
    return total


def _values(one: Used) -> tuple[int, ...]:
    return tuple(getattr(one, name) for name in Used.__struct_fields__)


def text(pdf: Path) -> str:
    """The text of all pages, a form feed after each, as it stands on the page."""
    return subprocess.run(["pdftotext", "-layout", pdf, "-"], check=True, capture_output=True, text=True).stdout


def words(pdf: Path) -> list[list[Word]]:
    """The words of each page."""
    boxes = subprocess.run(["pdftotext", "-bbox", pdf, "-"], check=True, capture_output=True, text=True).stdout
    pages = (_WORD.findall(page) for page in boxes.split("<page ")[1:])
    return [[_word(*found) for found in page] for page in pages]


def grey(pdf: Path, page: int, dpi: int) -> Grey:
    """One page, drawn and turned into shades of grey."""
    asked = ["pdftoppm", "-gray", "-r", str(dpi), "-f", str(page), "-l", str(page), str(pdf)]
    drawn = subprocess.run(asked, check=True, capture_output=True).stdout
    _, width, height, _, *_ = drawn.split(maxsplit=4)
    count = int(width) * int(height)
    return Grey(int(width), int(height), drawn[-count:])
