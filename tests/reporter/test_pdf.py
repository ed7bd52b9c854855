"""The usage report as PDF, as someone sees it who opens it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import pytest
from msgspec.structs import replace

from reporter import Only, Period, Provenance, UsageReport, Used, write_report
from reporter.pdf import Column, Section, write_pdf
from reporter.periods import zone_named
from tests.reporter.conftest import Desk
from tests.reporter.histories import Event, event
from tests.reporter.pdfs import NOTHING, SOURCE, Word, grey, report, text, used, words

pytestmark = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="pdftotext is not installed: apt-get install poppler-utils"
)


def projects(count: int) -> list[tuple[str | None, Used]]:
    """So many projects, the largest first."""
    return [(f"project-{number:03}", used(86400 + count - number, 2)) for number in range(count)]


def written(folder: Path, what: UsageReport, provenance: Provenance = SOURCE, *more: Section) -> Path:
    """The PDF of a report."""
    path = folder / "usage.pdf"
    write_pdf(path, what, "Test cloud", "Cloud usage", provenance, more=more)
    return path


def pages_of(pdf: Path) -> list[str]:
    """The text of each page."""
    return text(pdf).rstrip("\f").split("\f")


def lives() -> Iterator[Event]:
    """Three servers of three projects, a day each."""
    for number in range(3):
        owner = f"project-{number}", f"user{number}@example.org"
        yield event("2026-10-01 00:00:00", "create.end", f"i-{number}", project=owner[0], user=owner[1])
        yield event("2026-10-02 00:00:00", "delete.end", f"i-{number}", project=owner[0], user=owner[1])


def test_from_events(desk: Desk, tmp_path: Path) -> None:
    """The report has the sums of its sessions, and the digests of the files beside it."""
    sessions, usage, pdf = write_report(desk.report(*lives()), desk.engine, tmp_path / "out", "Test cloud")
    found = text(pdf)
    assert re.search(r"^Total +3 +72\.00 +144\.00 +0\.00 +0\.00$", found, re.MULTILINE)
    for path in (sessions, usage):
        assert re.search(rf"^ *{path.name}\n+ *{sha256(path.read_bytes()).hexdigest()}$", found, re.MULTILINE)


def test_first_page(tmp_path: Path) -> None:
    """It says what it is, who publishes it, for whom, of which cloud and period, and how much was used in all."""
    path, what = tmp_path / "usage.pdf", replace(report(projects(3)), only=Only(institution="Example University"))
    write_pdf(path, what, "Test cloud", "Cloud usage", SOURCE, site="Example Cloud", reader="Ada Lovelace")
    lines = [" ".join(line.split()) for line in pages_of(path)[0].splitlines() if line.strip()]
    assert lines[:10] == [
        "Example Cloud",
        "Cloud usage 2026-10",
        "For Ada Lovelace",
        "Cloud Test cloud",
        "Period 2026-10-01 00:00 up to 2026-11-01 00:00, UTC",
        "Only institution Example University",
        "Servers Active hours Core hours",
        "3 72.00 144.00",
        "Inactive hours Shelved hours Other hours",
        "0.00 0.00 0.00",
    ]


def test_time_zone(tmp_path: Path) -> None:
    """Where days are those of a time zone, the period, the axis, the footer and the explanation say so."""
    period = Period.days("2026-10-19", "2026-11-08", zone_named("Europe/Berlin"))
    first, *_, last = pages_of(written(tmp_path, report(projects(3), period=period)))
    assert "2026-10-19 00:00 up to 2026-11-09 00:00, Europe/Berlin" in first
    assert "day (Europe/Berlin)" in first
    assert "Days are of Europe/Berlin." in last
    assert all("2026-10-19 to 2026-11-08 (Europe/Berlin)" in page for page in (first, last))
    assert "UTC" not in first


def test_many_pages(tmp_path: Path) -> None:
    """A table that goes on repeats its title and heading, and each page says which it is of how many."""
    pages = pages_of(written(tmp_path, report(projects(100))))
    assert len(pages) > 6
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)} " in page
        assert not re.search(r"project-\d{3} +1 ", page) or re.search("^ *(Project|User|Flavor) +Servers", page, re.M)
    assert re.search("^ *By project, continued\n+ *Project +Servers ", pages[1], re.MULTILINE)
    assert "93 other projects" in pages[0]


def test_nothing_stands_alone(tmp_path: Path) -> None:
    """However many rows there are, the totals stand below at least one of them, and no heading ends a page."""
    for count in range(25, 70):
        pdf = written(tmp_path, report(projects(count)))
        for page in pages_of(pdf):
            assert not re.search(r"^ *(Project|User|Flavor) .*\n+ *Total ", page, re.MULTILINE)
            assert not re.search(r"(By \w+|Shelved hours)\n+ *Page ", page)
        assert not [word for page in words(pdf) for word in page if 775 < word.bottom < 795]


def test_outline_and_properties(tmp_path: Path) -> None:
    """A reader's outline leads to each section, and the file says its title, publisher and language."""
    pdf = written(tmp_path, report(projects(3)))
    said = subprocess.run(["pdfinfo", pdf], check=True, capture_output=True, text=True).stdout
    assert re.search("^Title: +Cloud usage 2026-10, Test cloud$", said, re.MULTILINE)
    assert re.search("^Author: +xdmod-cloud$", said, re.MULTILINE)
    assert b"/Lang (en)" in pdf.read_bytes()
    titles = [title.decode() for title in re.findall(rb"/Title \((.+?)\)", pdf.read_bytes())]
    sections = ["Core hours by day and project", "By project", "By user", "By flavor", "How this was made"]
    assert [title for title in titles if title in sections] == sections


def test_how_it_was_made(tmp_path: Path) -> None:
    """The last page has the source, its version, the program, the digests, and all that was asked, in full."""
    query = f"SELECT name\n    FROM sessions WHERE name IN ('{'x' * 300}', 'Жук')\n  AND seconds > 0"
    provenance = replace(SOURCE, query=(query, "SELECT 1"))
    last = pages_of(written(tmp_path, report(projects(3)), provenance))[-1]
    joined = "".join(last.split())
    for what in (SOURCE.source, SOURCE.version, "xdmod-cloud 0.1.0", *SOURCE.digests[0], query, "SELECT 1"):
        assert what.replace("Жук", "[U+0416][U+0443][U+043A]").replace(" ", "").replace("\n", "") in joined


def test_more_sections(tmp_path: Path) -> None:
    """A further table stands after the others, with what is said of it."""
    columns = (Column("Project", number=False), Column("Cost", 90))
    more = Section("Charges", columns, iter([("physics", "1.00 USD")]), ("Total", "1.00 USD"), ("By the rates.",))
    found = text(written(tmp_path, report(projects(3)), SOURCE, more))
    assert re.search(r"By flavor[\s\S]+Charges\s+By the rates\.\s+Project +Cost\s+physics +1\.00 USD", found)


def nasty() -> UsageReport:
    """Names and numbers as long as they can be, in all tables."""
    names = ["W" * 256, "a-name-without-blanks" * 12, "Ж" * 256, "漢" * 255, "&<" * 128, "m" * 64, "i" * 256]
    those = [(name, used(10**13, 200_000, unsized=1)) for name in names]
    return report([*those, *projects(4)], users=those, flavors=those)


def test_nothing_overflows(tmp_path: Path) -> None:
    """However long a name and however large a number: all stays within the margins, and no word covers another."""
    query = tuple("x" * 1000 for _ in range(90))
    for page in words(written(tmp_path, nasty(), replace(SOURCE, source="s" * 3000, query=query))):
        assert all(word.left > 50 and word.right < 545.3 and word.top > 50 and word.bottom < 806 for word in page)
        assert not [pair for pair in combinations(page, 2) if _covers(*pair)]


def _covers(one: Word, other: Word) -> bool:
    """Tell whether words overlap by more than the space that fonts keep around letters."""
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    return across > 0.5 and down > 3


def test_names_are_not_clipped(tmp_path: Path) -> None:
    """A name of 256 letters without a blank is there in full."""
    pdf = written(tmp_path, report([("i" * 256, used(86400)), ("y" * 256, used(3600))]))
    found = "".join(word.text for page in words(pdf) for word in page)
    # In the legend, and in the tables by project, user and flavor.
    assert [found.count(letter * 256) for letter in "iy"] == [4, 4]


@pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="pdftoppm is not installed: apt-get install poppler-utils")
@pytest.mark.parametrize("what", [nasty(), report(projects(60)), report([])], ids=["nasty", "long", "empty"])
def test_margins_are_white(tmp_path: Path, what: UsageReport) -> None:
    """Nothing is drawn in the margins but the footer, which is within those at the sides."""
    pdf = written(tmp_path, what)
    for number in range(1, len(pages_of(pdf)) + 1):
        page = grey(pdf, number, 60)
        side, top, foot = 41, 41, page.height - 53
        assert {
            page.at(x, y) for y in range(page.height) for x in (*range(side), *range(page.width - side, page.width))
        } == {255}
        assert {page.at(x, y) for y in range(top) for x in range(page.width)} == {255}
        drawn = [y for y in range(foot, page.height) if {page.at(x, y) for x in range(page.width)} != {255}]
        assert len(drawn) <= 9
        assert max(drawn) < page.height - 30


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("Zoë Müller", "Zoë Müller"),
        ("Łukasz", "Łukasz"),
        ("<b>R&D</b>", "<b>R&D</b>"),
        ("{{ name }}", "{{ name }}"),
        ("Wałęsa", "Wałesa"),
        ("Zoe\u0308", "Zoë"),
        ("Жук", "[U+0416 0443 043A]"),
        ("a\u200bb", "a[U+200B]b"),
        ("a\n\nb", "a[U+000A 000A]b"),
    ],
)
def test_names(tmp_path: Path, name: str, seen: str) -> None:
    """A name shows as it is, and what the font lacks is replaced where everyone sees it."""
    found = text(written(tmp_path, report([(name, used(86400))])))
    assert f"{seen} " in found
    assert ("An underlined letter has a mark" in found) == (name == "Wałęsa")
    assert ("characters that the font of this document lacks" in found) == ("[U+" in seen)


def test_unknown_is_no_number(tmp_path: Path) -> None:
    """Core hours that nobody knows say so, and a sum that lacks them says that it is at least so much."""
    unsized = used(86400, 0, unsized=86400)
    found = text(written(tmp_path, report([("physics", used(86400, 2)), (None, unsized)])))
    assert re.search(r"^ *unknown +1 +24\.00 +unknown +0\.00", found, re.MULTILINE)
    assert re.search(r"^ *Total +2 +48\.00 +≥ 48\.00 ", found, re.MULTILINE)
    assert re.search(r"^ *Servers +Active hours +Core hours\n+ *2 +48\.00 +≥ 48\.00$", found, re.MULTILINE)
    assert "≥: the size of some servers is not known" in found


def test_a_month_without_sessions(tmp_path: Path) -> None:
    """A month without sessions gives a page that says so, and one that says how it was made."""
    empty = replace(report([]), total=NOTHING)
    first, last = pages_of(written(tmp_path, empty))
    assert "No session in 2026-10." in first
    assert "Page 2 of 2" in last


def test_same_bytes(tmp_path: Path) -> None:
    """The same report gives the same bytes."""
    first, second = (tmp_path / name for name in ("first", "second"))
    for folder in (first, second):
        folder.mkdir()
    assert written(first, nasty()).read_bytes() == written(second, nasty()).read_bytes()
