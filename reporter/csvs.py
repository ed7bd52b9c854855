"""The sums of a report as CSV files, each row checked against its schema."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO

import jsonschema_rs

import schemas
from ledger import DataError
from reporter.records import UNKNOWN, Line, UsageReport, Used
from reporter.tables import divisions, groups_of, hours, research

__all__ = ["GUARDED", "cell", "digest_of", "division_rows", "unfit", "usage_rows", "write_csv", "write_rows"]

#: What makes a spreadsheet take a cell for a formula, in ASCII and full width, and the apostrophe that guards it.
GUARDED = tuple("=+-@\t\r\n＝＋－＠'")


def usage_rows(report: UsageReport) -> Iterator[dict[str, str]]:
    """Yield a row for each project, user and flavor, and for each owner that the project had."""
    return (_usage_row(line) for line in report.lines)


def division_rows(report: UsageReport) -> Iterator[dict[str, str]]:
    """Yield a row for each group of each division; of a research project with all in it, and for what is its own."""
    for by in divisions(report):
        if by == "research project":
            for name, branch in research(report):
                yield _row({"by": by, "name": name}, branch.total)
                yield _row({"by": f"{by} itself", "name": name}, branch.own)
        else:
            for group in groups_of(report, by):
                yield _row({"by": by, "name": group.name}, group.used)
    yield _row({"by": "total", "name": "total"}, report.total)


def _usage_row(line: Line) -> dict[str, str]:
    return _row({name: getattr(line, name) for name in ("institution", "pi", "project", "user", "flavor")}, line.used)


def _row(names: Mapping[str, str | None], used: Used) -> dict[str, str]:
    """The core hours are unknown where nothing has a known size; what only a part has is in the sum."""
    core = None if used.unsized and not used.core else used.core
    row: dict[str, Any] = {**names, "servers": used.servers}
    quantities = {
        "active": used.active,
        "core": core,
        "inactive": used.inactive,
        "shelved": used.shelved,
        "other": used.other,
    }
    row |= {f"{name}_hours": None if value is None else hours(value) for name, value in quantities.items()}
    row |= {f"{name}_seconds": value for name, value in quantities.items()}
    return {name: cell(value) for name, value in row.items()}


def cell(value: str | int | None) -> str:
    """Return a value as the text of a cell that no spreadsheet takes for a formula; None is `unknown`."""
    if value is None:
        return UNKNOWN
    text = str(value)
    return f"'{text}" if text.startswith(GUARDED) else text


def write_csv(path: Path, schema: str, rows: Iterable[Mapping[str, str]], quote: str = '"') -> int:
    """Write rows with a heading and return how many there are. Raises DataError for one that its schema forbids."""
    with path.open("w", encoding="utf-8", newline="") as file:
        return write_rows(file, schema, rows, quote)


def write_rows(file: TextIO, schema: str, rows: Iterable[Mapping[str, str]], quote: str = '"') -> int:
    """Write rows with a heading to a stream, as `write_csv` does."""
    columns, validator, count = list(schemas.load(schema)["properties"]), schemas.validator(schema), 0
    # Of an older Python only this ending makes it quote a carriage return in a name.
    writer = csv.DictWriter(file, columns, lineterminator="\r\n", quotechar=quote)
    writer.writeheader()
    for row in rows:
        try:
            validator.validate(row)
        except jsonschema_rs.ValidationError as error:
            raise unfit(row, schema, error.message) from error
        writer.writerow(row)
        count += 1
    return count


def unfit(row: Mapping[str, str], schema: str, fault: str) -> DataError:
    """Return the error that says which row its schema forbids, and why."""
    place = ", ".join(f"{name} “{value}”" for name, value in list(row.items())[:3])
    return DataError(
        f"The row of {place} is not as {schema}.schema.json has it: {fault}. Nothing was written; correct the events "
        "of this row, or leave their file out."
    )


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
