"""The consistency of reports: each check compares what must be the same, and names what is not."""

from operations.verification.checks.books import Books, Limits, opened
from operations.verification.checks.files import exported_files
from operations.verification.checks.ownership import bound, shares
from operations.verification.checks.records import Check, Checked, Finding
from operations.verification.checks.runs import fresh, not_stale
from operations.verification.checks.servers import open_intervals, partners, two_accounts
from operations.verification.checks.sessions import divided, overlapping, sized
from operations.verification.checks.sums import sums

__all__ = ["CHECKS", "Books", "Check", "Checked", "Finding", "Limits", "opened"]

#: The checks by the numbers under which operators know them.
CHECKS: dict[str, Check] = {
    "C1": overlapping,
    "C2": divided,
    "C3": sums,
    "C4": open_intervals,
    "C5": partners,
    "C6": fresh,
    "C7": shares,
    "C8": exported_files,
    "C9": two_accounts,
    "C10": sized,
    "C11": bound,
    "C12": not_stale,
}
