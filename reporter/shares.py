"""The CSV file of what institutions have of the usage of the projects that they fund."""

from collections.abc import Iterator

from reporter.csvs import cell
from reporter.records import Portion, UsageReport

__all__ = ["share_rows"]


def share_rows(report: UsageReport) -> Iterator[dict[str, str]]:
    """Yield a row for each institution, project and share, in this order."""
    return (_row(portion) for portion in report.portions)


def _row(portion: Portion) -> dict[str, str]:
    row = {
        "institution": portion.institution,
        "project_key": portion.key,
        "project_title": portion.title,
        # What is not stated is not unknown.
        "share": portion.share or "",
        "active_seconds": portion.active,
        "core_seconds": portion.core,
        "inactive_seconds": portion.inactive,
        "shelved_seconds": portion.shelved,
        "other_seconds": portion.other,
        "unsized_active_seconds": portion.unsized,
    }
    return {name: cell(value) for name, value in row.items()}
