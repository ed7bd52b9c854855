"""A report into its files: sessions, sums and shares as CSV, and the PDF."""

from pathlib import Path

from ledger import DataError
from reporter.csvs import digest_of, session_rows, usage_rows, write_csv
from reporter.files import write_together
from reporter.pdf import write_pdf
from reporter.records import UsageReport
from reporter.shares import share_rows
from usage import Engine

__all__ = ["write_report"]


def write_report(
    report: UsageReport, engine: Engine, directory: Path, resource: str, *, title: str = "Cloud usage"
) -> list[Path]:
    """Write sessions-MONTH.csv, usage-MONTH.csv and usage-MONTH.pdf, all or none, and return their paths.

    Where shares are stated for some of the projects, there is shares-MONTH.csv, too; else none of before is left.
    `resource` is what the cloud is called. The same sessions give the same bytes.
    """
    month = report.period.name

    def write(sessions: Path, usage: Path, *others: Path) -> None:
        count = write_csv(sessions, "report-sessions-csv", session_rows(engine, report.period))
        if count != report.total.sessions:
            raise DataError(
                f"The report of {month} is of {report.total.sessions:,} sessions, but the engine now has {count:,}. "
                "It read other files since; make the report again."
            )
        write_csv(usage, "usage-csv", usage_rows(report))
        for path in others[:-1]:
            write_csv(path, "shares-report-csv", share_rows(report))
        write_pdf(others[-1], report, resource, title, digest_of(sessions))

    shares = f"shares-{month}.csv"
    also = (shares,) if report.portions else ()
    paths = write_together(
        directory, (f"sessions-{month}.csv", f"usage-{month}.csv", *also, f"usage-{month}.pdf"), write
    )
    if not also:
        (directory / shares).unlink(missing_ok=True)
    return paths
