"""The chart of a report: a column for each day, of core hours, stacked by project."""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, timedelta

from msgspec import Struct
from reportlab.graphics.charts.barcharts import VerticalBarChart
from reportlab.graphics.shapes import Drawing, Rect, String
from reportlab.lib.colors import Color, HexColor, white

from reporter.lettering import REGULAR
from reporter.records import Daily, Group, UsageReport
from reporter.tables import name_of

__all__ = ["Series", "chart", "series_of", "swatch_of"]

#: From dark to light in even steps, each another hue: apart in colour, and apart when printed in grey.
_COLORS = ("#0F1E41", "#642164", "#0F6764", "#CE4B30", "#5395D7", "#DAA13F", "#A0D495")
_OTHERS = "#E2E2E2"

_LEFT, _BOTTOM, _TOP = 46, 26, 14
_SIZE = 7
_GREY = HexColor("#555555")


class Series(Struct, frozen=True):
    """One layer of the columns: its label, its colour, and its core seconds on each day."""

    label: str
    color: Color
    core: tuple[int, ...]


def series_of(report: UsageReport) -> list[Series]:
    """Return a layer for each of the seven largest projects, the largest first, and one for all others."""
    days = _days(report)
    used = [group for group in report.projects if group.used.core]
    largest, rest = used[: len(_COLORS)], used[len(_COLORS) :]
    series = [
        Series(name_of(group), HexColor(color), _by_day(report.daily, days, [group]))
        for group, color in zip(largest, _COLORS, strict=False)
    ]
    if rest:
        label = f"{len(rest)} other project{'s' if len(rest) > 1 else ''}"
        series.append(Series(label, HexColor(_OTHERS), _by_day(report.daily, days, rest)))
    return series


def _days(report: UsageReport) -> list[date]:
    first = report.period.start.date()
    return [first + timedelta(days=number) for number in range(monthrange(first.year, first.month)[1])]


def _by_day(daily: Sequence[Daily], days: Sequence[date], groups: Sequence[Group]) -> tuple[int, ...]:
    core, names = dict.fromkeys(days, 0), {group.name for group in groups}
    for one in daily:
        if one.project in names:
            core[one.day] += one.core
    return tuple(core.values())


def chart(series: Sequence[Series], width: float, height: float) -> Drawing:
    """Draw the columns."""
    drawing = Drawing(width, height)
    bars = VerticalBarChart()
    bars.x, bars.y, bars.width, bars.height = _LEFT, _BOTTOM, width - _LEFT, height - _BOTTOM - _TOP
    bars.data = [[seconds / 3600 for seconds in one.core] for one in series]
    bars.categoryAxis.style = "stacked"
    bars.categoryAxis.categoryNames = [str(number) for number in range(1, len(series[0].core) + 1)]
    bars.groupSpacing, bars.barSpacing = 3, 0
    for number, one in enumerate(series):
        bars.bars[number].fillColor = one.color
        bars.bars[number].strokeColor, bars.bars[number].strokeWidth = white, 0.4
    _scale(bars, max(map(sum, zip(*bars.data, strict=True))))
    drawing.add(bars)
    drawing.add(_label("core hours", 0, height - _SIZE, "start"))
    drawing.add(_label("day of the month (UTC)", _LEFT + bars.width / 2, 2, "middle"))
    return drawing


def swatch_of(one: Series) -> Drawing:
    """Draw the square that stands for a layer in the legend."""
    drawing = Drawing(8, 8)
    drawing.add(Rect(0, 0, 7, 7, fillColor=one.color, strokeColor=None))
    return drawing


def _scale(bars: VerticalBarChart, highest: float) -> None:
    axis, step = bars.valueAxis, _step(highest)
    axis.valueMin, axis.valueStep, axis.valueMax = 0, step, step * -(-highest // step)
    axis.labelTextFormat = lambda value: f"{value:,.0f}" if step >= 1 else f"{value:,.4f}".rstrip("0").rstrip(".")
    axis.visibleGrid, axis.gridStrokeColor, axis.gridStrokeWidth = True, HexColor("#D0D0D0"), 0.4
    axis.visibleAxis, axis.visibleTicks = False, False
    bars.categoryAxis.visibleTicks = False
    bars.categoryAxis.strokeColor, bars.categoryAxis.strokeWidth = _GREY, 0.6
    for labels in (axis.labels, bars.categoryAxis.labels):
        labels.fontName, labels.fontSize, labels.fillColor = REGULAR, _SIZE, _GREY


def _step(highest: float) -> float:
    """Return a round step of which three to six reach to the highest value."""
    step = 10.0**-4
    while True:
        for factor in (1, 2, 2.5, 5):
            if step * factor * 5 >= highest:
                return step * factor
        step *= 10


def _label(text: str, x: float, y: float, anchor: str) -> String:
    return String(x, y, text, fontName=REGULAR, fontSize=_SIZE, fillColor=_GREY, textAnchor=anchor)
