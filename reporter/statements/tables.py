"""A statement as rows: its lines and totals for a terminal, as CSV and as JSON."""

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Any

import msgspec

from reporter.charges.tables import charge_notes, charge_tables
from reporter.csvs import cell
from reporter.periods import zone_named
from reporter.records import UNKNOWN, Cell, Table
from reporter.statements.records import Statement, StatementLine
from reporter.tables import divisions, hours, notes, usage_table
from reporter.transactions import log_rows
from usage.rates import printed

__all__ = ["line_rows", "plain", "statement_json", "statement_notes", "statement_tables", "title_of"]

#: More lines than that are for a file.
_LINES_SHOWN = 100
_COUNT_PLACES = 6
_NO_LOG = "XDMoD knows neither the names of servers nor what was done to them: servers are called by their ids."


def title_of(statement: Statement) -> str:
    """Return what a statement is called."""
    month = len(statement.report.period.name) == len("2026-10")
    return f"{'Monthly statement' if month else 'Statement'} {statement.report.period.name}"


def statement_tables(statement: Statement) -> Iterator[Table]:
    """Yield the tables for a terminal: hours, charges, and the first lines."""
    report, period = statement.report, statement.report.period
    yield from (
        usage_table(report, by) for by in divisions(report) if by in ("institution", "research project", "project")
    )
    if report.charges is not None:
        yield from charge_tables(report.charges, f"{period.name} ({period.zone})")
    yield _lines_table(statement)


def statement_notes(statement: Statement) -> tuple[str, ...]:
    """Return what a reader has to know beside the numbers."""
    report = statement.report
    charges = charge_notes(report.charges) if report.charges is not None else ()
    return (*notes(report), *charges, *(() if statement.log else (_NO_LOG,)))


def _lines_table(statement: Statement) -> Table:
    zone = zone_named(statement.report.period.zone)
    lines = list(islice(statement.lines(), _LINES_SHOWN + 1))
    charged: tuple[str, ...] = ()
    if statement.report.charges is not None:
        charged = ("unit h", f"cost ({statement.report.charges.currency})", "note")
    heads = ("server", "flavor", "state", "from", "to", "hours", *charged)
    more = f", the first {_LINES_SHOWN}" if len(lines) > _LINES_SHOWN else ""
    title = f"Servers, {statement.report.period.name} ({statement.report.period.zone}){more}"
    return Table(title, heads, tuple(_cells(one, zone)[: len(heads)] for one in lines[:_LINES_SHOWN]))


def _cells(line: StatementLine, zone: tzinfo) -> tuple[Cell, ...]:
    return (
        "" if line.instance is None else line.server or line.instance,
        "" if line.instance is None else line.flavor or UNKNOWN,
        line.state or "",
        _local(line.start, zone),
        _local(line.end, zone),
        float(hours(line.seconds)),
        "" if line.units is None else printed(line.units),
        "" if line.cost is None else printed(line.cost),
        line.note,
    )


def _local(time: datetime | None, zone: tzinfo) -> str:
    return "" if time is None else time.astimezone(zone).strftime("%m-%d %H:%M")


def line_rows(statement: Statement) -> Iterator[dict[str, str]]:
    """Yield each line as a row of `statement-lines-csv`; times are in the period's time zone, with their offset."""
    zone, charges = zone_named(statement.report.period.zone), statement.report.charges
    for line in statement.lines():
        row: dict[str, Any] = {
            "project": line.project,
            "path": line.path or "",
            "server": "" if line.instance is None else line.server,
            "instance": line.instance or "",
            "flavor": "" if line.instance is None else line.flavor,
            "state": line.state or "",
            "from": line.start.astimezone(zone).isoformat(timespec="seconds") if line.start else "",
            "to": line.end.astimezone(zone).isoformat(timespec="seconds") if line.end else "",
            "seconds": line.seconds,
            "hours": hours(line.seconds),
            "charged_hours": hours(line.charged),
            "unit": line.unit or "",
            "units": "" if line.count is None else plain(line.count),
            "unit_hours": "" if line.units is None else printed(line.units),
            "price": "" if line.price is None else f"{line.price:f}",
            "currency": charges.currency if charges is not None else "",
            "cost": "" if line.cost is None else printed(line.cost),
            "note": line.note,
        }
        yield {name: cell(value) for name, value in row.items()}


def plain(count: Fraction) -> str:
    """Return a number of service units with as many of six places as it needs: `1.5`."""
    amount = printed(count, _COUNT_PLACES)
    return f"{amount.normalize() if amount else Decimal():f}"


def statement_json(source: str, statement: Statement, files: Iterable[object]) -> Iterator[str]:
    """Yield a statement as one JSON object, part by part: its lines and its log as rows of the CSV files."""
    head = {"source": source, "subject": statement.subject, "report": statement.report, "files": [*map(str, files)]}
    yield _encoded(head)[:-1]
    zone = zone_named(statement.report.period.zone)
    log = () if statement.log is None else log_rows(statement.log(), zone)
    for name, rows in (("lines", line_rows(statement)), ("log", log)):
        yield f',"{name}":['
        for number, row in enumerate(rows):
            yield ("," if number else "") + _encoded(row)
        yield "]"
    yield "}"


def _encoded(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
