"""The blocks of a PDF: long tables, and the plot of days."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from reporter.chart import layers
from reporter.pdf import Column, Front, Pages, chart, front, sentences, table
from reporter.words import said
from tests.reporter.pdfs import Grey, grey, text, words

pytestmark = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="pdftotext is not installed: apt-get install poppler-utils"
)

_LONG = """
import re, sys
from pathlib import Path
from reporter.pdf import Column, Pages, table

columns = (Column("Server", number=False), Column("Project", number=False), Column("Active hours", 80))
rows = ((f"server-{number}", f"Wałęsa {number % 9}", f"{number:,}.00") for number in range(23_000))
with Pages(Path(sys.argv[1]), title="Long", footer="2026-10 (UTC)") as pages:
    pages.begin("By server")
    table(pages, columns, rows, ("Total", "", "1.00"))
# What getrusage says begins with the memory of whoever started this process.
print(pages.number, *re.findall(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text()))
"""


def test_five_hundred_pages(tmp_path: Path) -> None:
    """A table of 500 pages takes less than 300 MB, and the last page says how many there are."""
    path = tmp_path / "long.pdf"
    done = subprocess.run([sys.executable, "-c", _LONG, path], check=True, capture_output=True, text=True)
    pages, kibibytes = map(int, done.stdout.split())
    assert pages > 500
    assert kibibytes < 300 * 1024
    *_, last = text(path).rstrip("\f").split("\f")
    assert f"Page {pages} of {pages} " in last
    assert re.search(r"^ *By server, continued\n+ *Server +Project +Active hours\n", last)


def test_rows_are_drawn_as_they_come(tmp_path: Path) -> None:
    """Rows are not gathered: when one is asked for, those before it are on their pages."""
    seen = list[int]()

    def rows(pages: Pages) -> Iterator[tuple[str]]:
        for number in range(200):
            seen.append(pages.number)
            yield (f"row {number}",)

    with Pages(tmp_path / "table.pdf", title="Table", footer="") as pages:
        assert table(pages, [Column("Row", number=False)], rows(pages)) == 200
    assert seen == sorted(seen)
    assert seen[0] == 1
    assert seen[-1] == pages.number > 3


def test_a_row_longer_than_a_page(tmp_path: Path) -> None:
    """A cell that is longer than a page goes on on the next, and none of it is lost."""
    path = tmp_path / "table.pdf"
    long = [f"word{number}" for number in range(3000)]
    with Pages(path, title="Table", footer="2026-10") as pages:
        rows = iter([("first", "1"), (" ".join(long), "2"), ("last", "3")])
        table(pages, [Column("Name", 150, number=False), Column("Number")], rows, ("Total", "6"))
    found = words(path)
    assert len(found) > 4
    assert [word.text for page in found for word in page if word.text.startswith("word")] == long
    assert all(word.bottom < 790 for page in found for word in page if word.text.startswith("word"))


def test_numbers_stand_to_the_right(tmp_path: Path) -> None:
    """Numbers of a column end at the same place, those that the font shows as they are and the others."""
    path = tmp_path / "table.pdf"
    columns = [Column("Name", number=False), Column("Hours", 80)]
    with Pages(path, title="Table", footer="2026-10") as pages:
        table(pages, columns, [("a", "1.00"), ("b", "12,345.00"), ("c", "<3.00")], ("Total", "≥ 4.00"))
    (page,) = words(path)
    ends = {round(word.right) for word in page if word.text in ("Hours", "1.00", "12,345.00", "<3.00", "4.00")}
    assert len(ends) == 1


def test_names_stay_in_their_column(tmp_path: Path) -> None:
    """A name wraps before it reaches the next column, however long it is."""
    path = tmp_path / "table.pdf"
    with Pages(path, title="Table", footer="") as pages:
        columns = [Column("Name", 100, number=False), Column("Other", 100, number=False), Column("Number")]
        table(pages, columns, ((letter * count, "x", "1") for count in range(1, 60) for letter in "iW&Ł"))
    found = [word for page in words(path) for word in page if word.text[0] in "iW&Ł"]
    assert len(found) > 240
    assert max(word.right for word in found) <= 51.1 + 94


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    """Where rows cannot be read to their end, there is no PDF of half of them."""

    def rows() -> Iterator[tuple[str]]:
        yield ("first",)
        raise RuntimeError

    path = tmp_path / "table.pdf"
    with pytest.raises(RuntimeError), Pages(path, title="Table", footer="") as pages:
        table(pages, [Column("Row", number=False)], rows())
    assert not path.exists()


def test_a_long_footer(tmp_path: Path) -> None:
    """A footer that is longer than its line is shortened, and so says."""
    path = tmp_path / "footer.pdf"
    with Pages(path, title="Footer", footer="Ж" * 300):
        pass
    (page,) = words(path)
    assert "Page 1 of 1" in " ".join(word.text for word in page)
    assert page[-1].text.endswith("…")
    assert len({round(word.top) for word in page}) <= 2


def test_words_are_escaped(tmp_path: Path) -> None:
    """What is filled into sentences is shown as it is, and a value that is missing is an error."""
    path = tmp_path / "words.pdf"
    with Pages(path, title="Words", footer="") as pages:
        sentences(pages, said("sentences", sentences=["<b>&amp;", "{{ x }} {% if %}", "Жук"]))
    assert [line.strip() for line in text(path).splitlines() if line.strip()][:3] == [
        "<b>&amp;",
        "{{ x }} {% if %}",
        "[U+0416 0443 043A]",
    ]
    with pytest.raises(UndefinedError):
        said("usage-made")


def test_large_totals(tmp_path: Path) -> None:
    """Totals are as large as the longest of them allows, and stand in their places."""
    path = tmp_path / "front.pdf"
    totals = [(f"Number {number}", f"≥ {'123,' * number}000.00") for number in range(1, 9)]
    with Pages(path, title="Totals", footer="") as pages:
        front(pages, Front("Totals", [("Period", "2026-10")], totals))
    (page,) = words(path)
    values = [word for word in page if word.text.endswith("000.00")]
    assert len(values) == 8
    assert max(word.right for word in values) < 545.3
    assert len({round(word.top) for word in values}) == 3


def days(count: int) -> list[date]:
    """So many days from the first of October."""
    return [date(2026, 10, 1) + timedelta(days=number) for number in range(count)]


def drawn(folder: Path, count: int, those: int, dpi: int) -> tuple[Path, Grey]:
    """A plot of so many days with as many layers, all of a size, and its page in grey."""
    path = folder / "chart.pdf"
    with Pages(path, title="Chart", footer="") as pages:
        named = [(f"layer {number}", [3600] * count) for number in range(those)]
        chart(pages, "By day", days(count), named, zone="Europe/Berlin", unit="core hours", others="layer")
    return path, grey(path, 1, dpi)


@pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="pdftoppm is not installed: apt-get install poppler-utils")
def test_layers_stay_apart_in_grey(tmp_path: Path) -> None:
    """Printed in grey, each layer is lighter than the one below it, and so are their squares in the legend."""
    dpi = 144
    path, page = drawn(tmp_path, 7, 8, dpi)
    (found,) = words(path)
    middle = next(word for word in found if word.text == "4" and 100 < word.left < 400 and word.top < 240)
    x = round((middle.left + middle.right) / 2 * dpi / 72)
    shades = _fills([page.at(x, y) for y in range(round(60 * dpi / 72), round(middle.top * dpi / 72))])
    squares = _fills([page.at(round(52 * dpi / 72), y) for y in range(round(250 * dpi / 72), round(350 * dpi / 72))])
    assert shades == squares
    assert len(shades) == 8
    assert all(upper - lower >= 15 for upper, lower in pairwise(shades))


def _fills(column: list[int]) -> list[int]:
    """The shades of what is at least four pixels high, from the top."""
    runs = re.finditer(rb"([^\xff])\1{3,}", bytes(column))
    found = list[int]()
    for run in runs:
        shade = run[1][0]
        if not found or found[-1] != shade:
            found.append(shade)
    return found


def test_what_the_plot_says(tmp_path: Path) -> None:
    """The plot says whose days they are, and the legend names the layers from the top with what they have."""
    path, _ = drawn(tmp_path, 31, 10, 20)
    found = text(path)
    assert "day of 2026-10 (Europe/Berlin)" in found
    said_of = re.findall(r"^ *(.+?) · ([\d.]+) core hours, ([\d.]+)%$", found, re.MULTILINE)
    assert said_of == [
        ("3 other layers", "93.00", "30.0"),
        *((f"layer {number}", "31.00", "10.0") for number in range(6, -1, -1)),
    ]


@pytest.mark.parametrize("count", [1, 2, 32, 92, 366, 3653])
def test_any_number_of_days(tmp_path: Path, count: int) -> None:
    """A plot of a day, of weeks, or of years has dates that do not cover each other."""
    path, _ = drawn(tmp_path, count, 3, 20)
    (page,) = words(path)
    dates = sorted(word for word in page if re.fullmatch(r"\d{4}-\d\d-\d\d|\d\d?", word.text) and 280 < word.top < 290)
    assert all(one.right < other.left for one, other in pairwise(dates))


def test_no_layer_for_nothing() -> None:
    """What has no hours is no layer, and does not count as another."""
    assert layers([("a", [0, 0]), ("b", [1, 0])], "project")[0].label == "b"
    assert len(layers([("a", [0, 0])], "project")) == 0


def test_templates_are_installed_with_the_package() -> None:
    """Whoever installs the program gets the templates, too: each is of a kind that the package says it has."""
    root = Path(__file__).parents[2]
    kinds = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["reporter"]
    templates = [path for path in (root / "reporter" / "templates").iterdir() if path.is_file()]
    assert templates
    assert {path for kind in kinds for path in (root / "reporter").glob(kind)} == set(templates)
