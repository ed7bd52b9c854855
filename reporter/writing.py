"""A report into its files: sessions, sums and shares as CSV, and the PDF."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from hierarchy.owners import Owner
from reporter.charges.tables import charge_rows, charge_sections, charge_totals
from reporter.csvs import digest_of, division_rows, usage_rows, write_csv
from reporter.engine_sessions import EngineSessions
from reporter.files import write_together
from reporter.pdf import Section, write_pdf
from reporter.records import Provenance, UsageReport
from reporter.session_list import heading
from reporter.shares import share_rows
from reporter.source import Source
from usage import Engine

__all__ = ["write_report"]

_Write = Callable[[Path], object]


def write_report(
    report: UsageReport,
    sessions: Engine | Source,
    directory: Path,
    resource: str,
    *,
    owners: Sequence[Owner] = (),
    title: str = "Cloud usage",
    provenance: Provenance | None = None,
    more: Mapping[str, _Write] | None = None,
    sections: Sequence[Section] = (),
) -> list[Path]:
    """Write sessions-PERIOD.csv, usage-PERIOD.csv and usage-PERIOD.pdf, all or none, and return their paths.

    Where shares are stated for some of the projects, there is shares-PERIOD.csv, too, and where there are charges,
    charges-PERIOD.csv; else none of before is left. What
    is divided by some things only is in usage-by-THESE-PERIOD.csv and .pdf alone. `resource` is what the cloud is
    called. `more` are other CSV files by name, and `sections` what else the PDF has. The same sessions give the same
    bytes. Raises DataError where the sessions are no longer those of the report.
    """
    source = EngineSessions(sessions) if isinstance(sessions, Engine) else sessions
    made_of = provenance or Provenance(resource, _reach(report), tuple(source.statements), ())
    writers = {**_writers(report, source, resource, owners), **(more or {})}
    pdf = _stem(report) + ".pdf"

    def write(*parts: Path) -> None:
        for fill, part in zip(writers.values(), parts, strict=False):
            fill(part)
        digests = tuple((name, digest_of(part)) for name, part in zip(writers, parts, strict=False))
        whole = replace(made_of, digests=(*made_of.digests, *digests))
        charged = charge_sections(report.charges) if report.charges is not None else ()
        write_pdf(
            parts[-1], report, resource, title, whole, more=(*charged, *sections), costs=charge_totals(report.charges)
        )

    paths = write_together(directory, [*writers, pdf], write)
    if not report.by:
        for name in {_shares(report), _charges(report)} - writers.keys():
            (directory / name).unlink(missing_ok=True)
    return paths


def _writers(report: UsageReport, source: Source, resource: str, owners: Sequence[Owner]) -> dict[str, _Write]:
    """What fills each of the CSV files, by name."""
    usage = f"{_stem(report)}.csv"
    if report.by:
        return {usage: lambda path: write_csv(path, "usage-by-csv", division_rows(report))}

    def write_sessions(path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(heading())
            file.writelines(source.lines(resource, report, owners))

    writers: dict[str, _Write] = {
        f"sessions-{report.period.file_name}.csv": write_sessions,
        usage: lambda path: write_csv(path, "usage-csv", usage_rows(report)),
    }
    if report.portions:
        writers[_shares(report)] = lambda path: write_csv(path, "shares-report-csv", share_rows(report))
    charges = report.charges
    if charges is not None:
        writers[_charges(report)] = lambda path: write_csv(path, "charges-csv", charge_rows(charges))
    return writers


def _stem(report: UsageReport) -> str:
    if not report.by:
        return f"usage-{report.period.file_name}"
    divisions = "-".join(by.lower() for by in report.by if by != "research project")
    return f"usage-by-{divisions}-{report.period.file_name}"


def _shares(report: UsageReport) -> str:
    return f"shares-{report.period.file_name}.csv"


def _charges(report: UsageReport) -> str:
    return f"charges-{report.period.file_name}.csv"


def _reach(report: UsageReport) -> str:
    return f"sessions up to {report.last:%Y-%m-%d %H:%M:%S} UTC" if report.last else "no session"
