"""The two CSV files of a report: its sessions and its sums, each row checked against its schema."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO

import jsonschema_rs

import schemas
from ledger import DataError
from reporter.periods import Period
from reporter.records import UNKNOWN, Line, UsageReport
from reporter.sessions import CLIPPED, bounds, queried
from reporter.tables import hours
from usage import Engine

__all__ = ["GUARDED", "cell", "digest_of", "session_rows", "unfit", "usage_rows", "write_csv", "write_rows"]

_SESSIONS = f"""
WITH clipped AS ({CLIPPED})
SELECT
    instance,
    project,
    username AS "user",
    domain,
    state,
    strftime(make_timestamp(start_time_ts * 1000000), '%Y-%m-%dT%H:%M:%SZ') AS start,
    strftime(make_timestamp(end_time_ts * 1000000), '%Y-%m-%dT%H:%M:%SZ') AS "end",
    end_time_ts - start_time_ts AS seconds,
    clipped.seconds AS seconds_in_month,
    core_seconds AS core_seconds_in_month,
    CASE WHEN cores IS NOT NULL THEN instance_type END AS flavor,
    cores,
    CASE WHEN cores IS NOT NULL THEN memory_mb END AS memory_mb,
    CASE WHEN cores IS NOT NULL THEN disk_gb END AS disk_gb,
    host,
    start_event_type_id,
    end_event_type_id
FROM clipped
ORDER BY instance, start_time_ts, start_event_type_id
"""

_ROWS_AT_ONCE = 10_000

#: What makes a spreadsheet take a cell for a formula, in ASCII and full width, and the apostrophe that guards it.
GUARDED = tuple("=+-@\t\r\n＝＋－＠'")


def session_rows(engine: Engine, period: Period) -> Iterator[dict[str, str]]:
    """Yield a row for each session that touches the period, by instance, start and start event."""
    with queried(), engine.connection.cursor() as cursor:
        cursor.execute(_SESSIONS, bounds(period))
        names = [column[0] for column in cursor.description or ()]
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            for row in rows:
                yield {name: cell(value) for name, value in zip(names, row, strict=True)}


def usage_rows(report: UsageReport) -> Iterator[dict[str, str]]:
    """Yield a row for each project, user and flavor, and for each owner that the project had."""
    return (_usage_row(line) for line in report.lines)


def _usage_row(line: Line) -> dict[str, str]:
    used = line.used
    core = None if used.unsized else used.core
    names = {name: getattr(line, name) for name in ("institution", "pi", "project", "user", "flavor")}
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


def write_csv(path: Path, schema: str, rows: Iterable[Mapping[str, str]]) -> int:
    """Write rows with a heading and return how many there are. Raises DataError for one that its schema forbids."""
    with path.open("w", encoding="utf-8", newline="") as file:
        return write_rows(file, schema, rows)


def write_rows(file: TextIO, schema: str, rows: Iterable[Mapping[str, str]]) -> int:
    """Write rows with a heading to a stream, as `write_csv` does."""
    columns, validator, count = list(schemas.load(schema)["properties"]), schemas.validator(schema), 0
    # Of an older Python only this ending makes it quote a carriage return in a name.
    writer = csv.DictWriter(file, columns, lineterminator="\r\n")
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
