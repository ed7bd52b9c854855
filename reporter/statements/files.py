"""A statement into its files: the lines, the log, charges and shares as CSV, and the PDF."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from reporter.charges.tables import charge_rows
from reporter.csvs import digest_of, write_csv
from reporter.files import write_together
from reporter.periods import zone_named
from reporter.records import Provenance
from reporter.shares import share_rows
from reporter.statements.pdf import write_statement_pdf
from reporter.statements.records import Statement
from reporter.statements.tables import line_rows
from reporter.transactions import log_rows

__all__ = ["write_statement"]

#: The schema and the rows of a CSV file.
_Rows = tuple[str, Callable[[], Iterable[Mapping[str, str]]]]


def write_statement(statement: Statement, directory: Path, provenance: Provenance) -> list[Path]:
    """Write statement-PERIOD.pdf and its CSV files, all or none, and return their paths.

    Of the log, charges and shares there is a file where there are any; else none of before is left. The provenance gets
    the digests of the files.
    """
    when = statement.report.period.file_name
    tables = {f"statement-{name}-{when}.csv": rows for name, rows in _tables(statement).items()}
    written = {name: rows for name, rows in tables.items() if rows is not None}

    def write(*paths: Path) -> None:
        *csvs, pdf = paths
        digests = list(provenance.digests)
        for path, (name, (schema, rows)) in zip(csvs, written.items(), strict=True):
            write_csv(path, schema, rows())
            digests.append((name, digest_of(path)))
        write_statement_pdf(pdf, statement, replace(provenance, digests=tuple(digests)))

    paths = write_together(directory, (*written, f"statement-{when}.pdf"), write)
    for name in tables.keys() - written.keys():
        (directory / name).unlink(missing_ok=True)
    return paths


def _tables(statement: Statement) -> dict[str, _Rows | None]:
    report, zone = statement.report, zone_named(statement.report.period.zone)
    charges, log = report.charges, statement.log
    return {
        "lines": ("statement-lines-csv", lambda: line_rows(statement)),
        "log": None if log is None else ("log-csv", lambda: log_rows(log(), zone)),
        "charges": None if charges is None else ("charges-csv", lambda: charge_rows(charges)),
        "shares": ("shares-report-csv", lambda: share_rows(report)) if report.portions else None,
    }
