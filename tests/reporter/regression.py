"""What XDMoD's own regression suite expects of the cloud statistics, as it was written down, and the same of ours."""

import csv
from pathlib import Path

from reporter.statistic import Question, Source, answer, question

__all__ = ["EVENTS", "TABLES", "asked", "expected", "shown"]

#: The event files that the expectations are of, below XDMoD's data.
EVENTS = ("reference/openstack", "reference/openstack_error_sessions")

FIRST, LAST = "2018-04-18", "2018-04-30"

#: Each table of the suite that is at hand: dimension, statistic, whether it is a series, unit.
TABLES = [
    (dimension, statistic, series, unit)
    for dimension in ("none", "configuration", "project")
    for statistic in ("cloud_core_time", "cloud_num_sessions_started", "cloud_wall_time")
    for series in (False, True)
    for unit in ("day", "month", "quarter", "year")
]

Shown = list[tuple[str | None, str, float]]


def expected(xdmod_data: Path, dimension: str, statistic: str, series: bool, unit: str) -> Shown:
    """The table of a file, cell by cell in its order, a series' columns in theirs.

    A table ends with the line before the last; above it stand the title, and the days that it is of.
    """
    name = f"{'timeseries' if series else 'aggregate'}-{unit.capitalize()}-reference.csv"
    lines = (xdmod_data / "regression" / dimension / statistic / name).read_text(encoding="utf-8").splitlines()
    assert lines[lines.index("start,end") + 1] == f"{FIRST},{LAST}"
    (_, *heads), *rows = csv.reader(lines[lines.index("---------") + 1 : -1])
    if not series:
        return [(None, _said(dimension, label), float(value)) for label, value in rows]
    labels = [head[1:].partition("] ")[0] for head in heads]
    return [
        (period, _said(dimension, label), float(value))
        for period, *values in rows
        for label, value in zip(labels, values, strict=True)
    ]


def shown(source: Source, dimension: str, statistic: str, series: bool, unit: str) -> Shown:
    """Our answer to the same question, to the four decimals of the suite."""
    rows = answer(source, asked(statistic, dimension, unit, series=series))
    return [(row.period, _said(dimension, row.dimension), round(row.value, 4)) for row in rows]


def asked(statistic: str, dimension: str, unit: str, *, series: bool) -> Question:
    """The question, of the days that the suite asks of."""
    return question(statistic, dimension, unit, FIRST, LAST, series=series)


def _said(dimension: str, label: str) -> str:
    """A label; the name of the one who runs the suite's XDMoD is not in its data."""
    return "" if dimension == "none" else label
