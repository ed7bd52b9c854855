"""Charges as rows: for a terminal, for CSV and for the PDF, and what must be said beside them."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from ledger.counts import counted
from reporter.charges.records import ChargePart, Charges
from reporter.csvs import cell
from reporter.pdf import Column, Fact, Section
from reporter.records import UNKNOWN, Cell, Table
from reporter.tables import hours
from reporter.words import said

__all__ = ["charge_notes", "charge_rows", "charge_sections", "charge_tables", "charge_totals", "money"]

_STATES = {
    "active": "running",
    "inactive": "stopped, paused or suspended",
    "shelved": "shelved",
    "other": "in no state",
}
_ROUNDING = {
    "exact": "Hours are not rounded.",
    "ceil_per_instance": "The hours of each server are rounded up to whole ones.",
    "ceil_total": "The hours of all service units of one kind in a project are rounded up to whole ones.",
    "min_1h_per_session": "Each session counts at least an hour.",
}


def charge_tables(charges: Charges, period: str) -> tuple[Table, ...]:
    """Return what projects cost, and what institutions do where they are known, the total last.

    `period` is what it is called, with its time zone.
    """
    by_project = Table(
        f"Charges by project, {period}",
        ("project", "unit", "charged h", "service units", "price", _cost_head(charges), "note"),
        tuple(_project_rows(charges)),
    )
    if not charges.institutions:
        return (by_project,)
    by_institution = Table(
        f"Charges by institution, {period}",
        ("institution", "unit", "service units", _cost_head(charges)),
        tuple(_institution_rows(charges)),
    )
    return by_institution, by_project


def charge_rows(charges: Charges) -> Iterator[dict[str, str]]:
    """Yield a row of `charges-csv` for each part of an institution, by its name."""
    return (_row(part, charges.currency) for part in charges.parts)


def charge_sections(charges: Charges, *, noted: bool = True) -> tuple[Section, ...]:
    """Return the same tables for a PDF; with what must be said, where that does not stand elsewhere."""
    sentences = said("sentences", sentences=charge_notes(charges) if noted else ())
    names = Column("Unit", 95, number=False)
    numbers = (Column("Charged hours", 65), Column("Service units", 65), Column("Price", 50))
    cost = Column(f"Cost ({charges.currency})", 70)
    *lines, total = (_texts(row[:-1]) for row in _project_rows(charges))
    columns: tuple[Column, ...] = (Column("Project", number=False), names, *numbers, cost)
    told = [[*line[:-1], line[-1] or one.finding or ""] for line, one in zip(lines, charges.lines, strict=True)]
    by_project = Section("Charges by project", columns, told, ("Total", *total[1:]), sentences)
    if not charges.institutions:
        return (by_project,)
    *parts, whole = (_texts(row) for row in _institution_rows(charges))
    columns = (Column("Institution", number=False), names, numbers[1], cost)
    return Section("Charges by institution", columns, parts, ("Total", *whole[1:])), by_project


def charge_notes(charges: Charges) -> tuple[str, ...]:
    """Return what a reader has to know beside the amounts, a sentence or two each."""
    states = " or ".join(_STATES[state] for state in _STATES if state in charges.states)
    told = [
        f"Charged by {charges.rates} is the time in which a server is {states}, outages apart. "
        f"{_ROUNDING[charges.rounding]} The total is of unrounded amounts; of parts of projects it is their sum."
    ]
    told += [
        f"{hours(one.seconds)} hours of {counted(one.servers, 'servers')} have no price, and are in no cost:"
        f" {one.finding}."
        for one in charges.findings
    ]
    return tuple(told)


def charge_totals(charges: Charges | None) -> Iterator[Fact]:
    """Yield the unit hours of each unit and the cost, for the first page of a PDF; nothing where nothing is charged."""
    if charges is not None:
        yield from ((name, money(amount)) for name, amount in charges.units)
        yield f"Cost in {charges.currency}", f"{'≥ ' if charges.findings else ''}{money(charges.total)}"


def money(amount: Decimal | None) -> str:
    """Return an amount to be read: `1,234.50`."""
    return UNKNOWN if amount is None else f"{amount:,}"


def _cost_head(charges: Charges) -> str:
    return f"cost ({charges.currency})"


def _project_rows(charges: Charges) -> Iterator[tuple[Cell, ...]]:
    for one in charges.lines:
        yield (
            UNKNOWN if one.project is None else one.project,
            one.unit or "",
            float(hours(one.seconds)),
            _shown(one.units),
            _shown(one.price),
            _shown(one.cost),
            one.finding or "",
        )
    seconds = sum(one.seconds for one in charges.lines)
    yield "total", "", float(hours(seconds)), _one_unit(charges), "", charges.total, ""


def _institution_rows(charges: Charges) -> Iterator[tuple[Cell, ...]]:
    for one in charges.institutions:
        name = UNKNOWN if one.institution is None else one.institution
        yield name, one.unit or "no price", _shown(one.units), _shown(one.cost)
    yield "total", "", _one_unit(charges), charges.total


def _one_unit(charges: Charges) -> Cell:
    """The sum of service units, where they are all of one kind."""
    alone = len({one.unit for one in charges.lines if one.unit is not None}) == 1
    return charges.units[0][1] if alone and charges.units else ""


def _shown(amount: Decimal | None) -> Cell:
    return "" if amount is None else amount


def _texts(row: Sequence[Cell]) -> tuple[str, ...]:
    texts = (
        f"{one:,.2f}" if isinstance(one, float) else f"{one:,}" if isinstance(one, Decimal) else one for one in row
    )
    first, *others = map(str, texts)
    return first, *others


def _row(part: ChargePart, currency: str) -> dict[str, str]:
    row = {
        "institution": part.institution,
        "pi": part.pi,
        "project": part.project,
        # What is not stated is not unknown.
        "share": part.share or "",
        "unit": part.unit or "",
        "price": "" if part.price is None else f"{part.price:f}",
        "currency": currency,
        "seconds": part.seconds,
        "unit_hours": None if part.units is None else str(part.units),
        "cost": None if part.cost is None else str(part.cost),
        "finding": part.finding or "",
    }
    return {name: cell(value) for name, value in row.items()}
