"""The plot of a report: a column for each day, in layers that stay apart when printed in grey."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import accumulate, pairwise, repeat
from operator import add

from msgspec import Struct
from reportlab.graphics.shapes import Drawing, Group, Line, Rect, String
from reportlab.lib.colors import Color, HexColor, white
from reportlab.pdfbase.pdfmetrics import stringWidth

from reporter.lettering import REGULAR

__all__ = ["Layer", "layers", "plot", "swatch"]


class _Fill(Struct, frozen=True):
    """A colour, and the colour of the stripes across it, if it has any."""

    color: Color
    stripes: Color | None = None


#: From dark to light in even steps, each another hue, every second one striped: apart in colour, and apart in grey.
_FILLS = (
    _Fill(HexColor("#0F1E41")),
    _Fill(HexColor("#642164"), HexColor("#DCC4DC")),
    _Fill(HexColor("#0F6764")),
    _Fill(HexColor("#CE4B30"), HexColor("#FBE3DC")),
    _Fill(HexColor("#5395D7")),
    _Fill(HexColor("#DAA13F"), HexColor("#6B4A10")),
    _Fill(HexColor("#A0D495")),
)
_OTHERS = _Fill(HexColor("#E6E6E6"))

_LEFT, _BOTTOM, _TOP = 46, 26, 14
_SIZE = 7
_STRIPE = 3.0
#: Columns narrower than this are drawn without gaps and stripes.
_NARROW = 4.0
_BROADEST = 32.0
_GREY, _GRID = HexColor("#5A5A5A"), HexColor("#D0D0D0")


class Layer(Struct, frozen=True):
    """One layer of the columns: its label, how it is filled, and its seconds on each day."""

    label: str
    fill: _Fill
    seconds: tuple[int, ...]


def layers(named: Iterable[tuple[str, Sequence[int]]], others: str) -> list[Layer]:
    """Return a layer for each of the first seven that have any seconds, and one for all others, `3 other projects`."""
    found, rest, count, last = list[Layer](), list[int](), 0, ""
    for label, seconds in named:
        if not any(seconds):
            continue
        if len(found) < len(_FILLS):
            found.append(Layer(label, _FILLS[len(found)], tuple(seconds)))
        else:
            rest = list(map(add, rest or repeat(0), seconds))
            count += 1
            last = label
    if count:
        found.append(Layer(last if count == 1 else f"{count:,} other {others}s", _OTHERS, tuple(rest)))
    return found


def plot(days: Sequence[date], of: Sequence[Layer], zone: str, unit: str, width: float, height: float) -> Drawing:
    """Draw a column of hours for each day, the first layer at the bottom; `zone` says whose days they are."""
    drawing = Drawing(width, height)
    step, limit = _scale(max(map(sum, zip(*(layer.seconds for layer in of), strict=True))) / 3600)
    marks = [(number * step, _printed(number * step, step)) for number in range(round(limit / step) + 1)]
    start = max(_LEFT, *(stringWidth(text, REGULAR, _SIZE) + 5 for _, text in marks))
    inner, upper = width - start, (height - _BOTTOM - _TOP) / limit
    for value, text in marks:
        y = _BOTTOM + upper * value
        drawing.add(Line(start, y, width, y, strokeColor=_GRID if value else _GREY, strokeWidth=0.5))
        drawing.add(_label(text, start - 5, y - 2.5, "end"))
    pitch = inner / len(days)
    broad = min(_BROADEST, pitch * 0.76) if pitch >= _NARROW else pitch
    for number in range(len(days)):
        left = start + (number + 0.5) * pitch - broad / 2
        sums = accumulate((layer.seconds[number] for layer in of), initial=0)
        tops = [_BOTTOM + upper * seconds / 3600 for seconds in sums]
        for layer, (low, high) in zip(of, pairwise(tops), strict=True):
            if high > low:
                drawing.add(_filled(layer.fill, left, low, broad, high - low))
    for number, text in _dates(days, pitch):
        drawing.add(_label(text, start + (number + 0.5) * pitch, _BOTTOM - 10, "middle"))
    drawing.add(_label(unit, 0, height - _SIZE, "start"))
    drawing.add(_label(_axis(days, zone), start + inner / 2, 2, "middle"))
    return drawing


def swatch(layer: Layer) -> Drawing:
    """Draw the rectangle that stands for a layer in the legend."""
    drawing = Drawing(12, 8)
    drawing.add(_filled(layer.fill, 0, 0, 12, 8))
    return drawing


def _filled(fill: _Fill, left: float, low: float, width: float, height: float) -> Group:
    """A part of a column, parted from its neighbours by a white line where it is high enough to have one."""
    group = Group(Rect(left, low, width, height, fillColor=fill.color, strokeColor=None))
    if fill.stripes is not None and width >= _NARROW:
        y = low + _STRIPE * 0.6
        while y < low + height - 0.6:
            group.add(Line(left, y, left + width, y, strokeColor=fill.stripes, strokeWidth=0.6))
            y += _STRIPE
    if height > 1:
        group.add(Line(left, low + height, left + width, low + height, strokeColor=white, strokeWidth=0.4))
    return group


def _scale(highest: float) -> tuple[float, float]:
    """Return a round step of which three to six reach to the highest value, and where they reach to."""
    step = 10.0**-4
    while True:
        for factor in (1, 2, 2.5, 5):
            if step * factor * 5 >= highest:
                return step * factor, step * factor * max(1, -(-highest // (step * factor)))
        step *= 10


def _printed(value: float, step: float) -> str:
    return f"{value:,.0f}" if step >= 1 and step % 1 == 0 else f"{value:,.4f}".rstrip("0").rstrip(".")


def _dates(days: Sequence[date], pitch: float) -> list[tuple[int, str]]:
    """The days that have their dates below them, as many as there is room for."""
    short = _within_a_month(days)
    room = _SIZE * (1.6 if short else 6.5)
    every = -(-room // pitch)
    texts = (str(day.day) if short else day.isoformat() for day in days)
    return [
        (number, text)
        for number, text in enumerate(texts)
        if number % every == 0 and (len(days) - number - 0.5) * pitch >= room * 0.45
    ]


def _axis(days: Sequence[date], zone: str) -> str:
    if _within_a_month(days):
        return f"day of {days[0]:%Y-%m} ({zone})"
    return f"day ({zone})"


def _within_a_month(days: Sequence[date]) -> bool:
    return (days[0].year, days[0].month) == (days[-1].year, days[-1].month)


def _label(text: str, x: float, y: float, anchor: str) -> String:
    return String(x, y, text, fontName=REGULAR, fontSize=_SIZE, fillColor=_GREY, textAnchor=anchor)
