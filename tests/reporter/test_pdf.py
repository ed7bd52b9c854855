"""The PDF, as someone sees it who opens it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest

from reporter import write_report
from tests.reporter.conftest import Desk
from tests.reporter.histories import Event, event

pytestmark = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="pdftotext is not installed: apt-get install poppler-utils"
)

_WORD = re.compile(r'<word xMin="(.+?)" yMin="(.+?)" xMax="(.+?)" yMax="(.+?)">')


class Word(NamedTuple):
    """Where a word stands on its page, in points from the upper left."""

    left: float
    top: float
    right: float
    bottom: float


def lives(count: int, **rest: object) -> Iterator[Event]:
    """So many servers of as many projects and users, each for longer than the one before."""
    for number in range(count):
        owner = {"project": f"project-{number:03}", "user": f"user{number:03}@example.org"} | rest
        yield event("2026-10-01 00:00:00", "create.end", f"i-{number}", **owner)  # type: ignore[arg-type]
        yield event(f"2026-10-02 00:00:{number % 60:02}", "delete.end", f"i-{number}", **owner)  # type: ignore[arg-type]


def pdf_of(desk: Desk, folder: Path, *events: Event) -> Path:
    """The PDF of the events' October."""
    return write_report(desk.report(*events), desk.engine, folder / "out", "Test cloud")[-1]


def text_of(pdf: Path) -> str:
    """The text of all pages, a form feed after each, as it stands on the page."""
    return subprocess.run(["pdftotext", "-layout", pdf, "-"], check=True, capture_output=True, text=True).stdout


def pages_of(pdf: Path) -> list[list[Word]]:
    """The words of each page."""
    boxes = subprocess.run(["pdftotext", "-bbox", pdf, "-"], check=True, capture_output=True, text=True).stdout
    return [[Word(*map(float, found)) for found in _WORD.findall(page)] for page in boxes.split("<page ")[1:]]


def test_what_it_says(desk: Desk, tmp_path: Path) -> None:
    """The first page names the report, the cloud and the period, and has the totals and the tables."""
    pdf = pdf_of(desk, tmp_path, *lives(3))
    text = text_of(pdf)
    assert "Cloud usage 2026-10" in text
    assert "Test cloud · from 2026-10-01 00:00 up to 2026-11-01 00:00 UTC" in text
    assert re.search(r"^Total +3 +72\.00 +144\.00 +0\.00 +0\.00$", text, re.MULTILINE)
    for head in ("By project", "By user", "By flavor", "How this was made", "Page 1 of 2"):
        assert head in text
    assert sha256((tmp_path / "out" / "sessions-2026-10.csv").read_bytes()).hexdigest() in text


def test_many_pages(desk: Desk, tmp_path: Path) -> None:
    """A table that goes on repeats its heading, and each page says which it is of how many."""
    pages = text_of(pdf_of(desk, tmp_path, *lives(100))).rstrip("\f").split("\f")
    assert len(pages) > 4
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page
        assert not re.search(r"project-\d{3} +1 ", page) or re.search("^Project +Servers", page, re.MULTILINE)
    assert "93 other projects" in pages[0]


def test_nothing_overflows(desk: Desk, tmp_path: Path) -> None:
    """However long a name and however large a number: all stays within the margins, and no word covers another."""
    long = {"project": "a-name-without-blanks" * 12, "user": "W" * 255, "flavor": "m" * 64}
    large = lives(9, flavor="huge", cores=200_000)
    codes = lives(1, project="Ж" * 256, user="漢" * 255)
    unsized = lives(1, project="project-000", flavor="unknown", cores=0)
    history = [*large, *_renamed("long", lives(1, **long)), *_renamed("codes", codes), *_renamed("unsized", unsized)]
    for page in pages_of(pdf_of(desk, tmp_path, *history)):
        assert all(word.left > 50 and word.right < 545.3 and word.top > 50 and word.bottom < 806 for word in page)
        assert not [pair for pair in combinations(page, 2) if _covers(*pair)]


def _renamed(prefix: str, events: Iterator[Event]) -> Iterator[Event]:
    return (one | {"instance_id": f"{prefix}-{one['instance_id']}"} for one in events)


def _covers(one: Word, other: Word) -> bool:
    """Tell whether words overlap by more than the space that fonts keep around letters."""
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    return across > 0.5 and down > 3


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("Zoë Müller", "Zoë Müller"),
        ("Łukasz", "Łukasz"),
        ("<b>R&D</b>", "<b>R&D</b>"),
        ("Wałęsa", "Wałesa"),
        ("Zoe\u0308", "Zoë"),
        ("Жук", "[U+0416 0443 043A]"),
        ("a\u200bb", "a[U+200B]b"),
    ],
)
def test_names(desk: Desk, tmp_path: Path, name: str, seen: str) -> None:
    """A name shows as it is, and what the font lacks is replaced where everyone sees it."""
    text = text_of(pdf_of(desk, tmp_path, *lives(1, user=name)))
    assert f"{seen} " in text
    assert ("An underlined letter has a mark" in text) == (name == "Wałęsa")
    assert ("characters that the font of this document lacks" in text) == ("[U+" in seen)


def test_unknown_is_no_number(desk: Desk, tmp_path: Path) -> None:
    """Core hours that nobody knows say so, and a sum that lacks them says that it is at least so much."""
    unsized = _renamed("unsized", lives(1, flavor="unknown", cores=0))
    text = text_of(pdf_of(desk, tmp_path, *lives(1), *unsized))
    assert re.search(r"^unknown +1 +24\.00 +unknown +0\.00", text, re.MULTILINE)
    assert re.search(r"^Total +2 +48\.00 +≥ 48\.00 ", text, re.MULTILINE)
    assert "≥: the size of some servers is not known" in text


def test_a_month_without_sessions(desk: Desk, tmp_path: Path) -> None:
    """A month without sessions gives a page that says so."""
    life = (event("2026-09-20 10:00:00", "create.end"), event("2026-09-21 10:00:00", "delete.end"))
    text = text_of(pdf_of(desk, tmp_path, *life))
    assert "No session in 2026-10." in text
    assert "Page 1 of 1" in text
