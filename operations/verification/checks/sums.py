"""The check of a report's sums: whatever it is divided by adds up to the same, to the second."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter

from operations.verification.checks.books import Books
from operations.verification.checks.records import Checked, Finding, checked, error
from reporter.records import UNKNOWN, Branch, Portion, UsageReport, Used

__all__ = ["sums"]

_TIMES = ("active", "core", "inactive", "shelved", "other", "unsized")
_Times = dict[str, int]


def sums(books: Books) -> Checked:
    """Every division adds up to the total, every project of the tree is itself and what is in it."""
    report = books.report
    divisions: dict[str, Sequence[Used | Portion]] = {
        "institutions, what is unfunded among them": [one.used for one in report.institutions],
        "PIs": [one.used for one in report.pis],
        "projects": [one.used for one in report.projects],
        "users": [one.used for one in report.users],
        "flavors": [one.used for one in report.flavors],
        "lines": [one.used for one in report.lines],
        "research projects by themselves": [one.own for one in report.tree],
        "parts of projects": report.portions,
    }
    there = {name: parts for name, parts in divisions.items() if parts}
    compared = len(there) + len(report.tree)
    found = [*_divided(report, there), *_nested(report.tree), *_parted(report)]
    return checked("parents are their children, divisions add up to the total", compared, "sums", found)


def _divided(report: UsageReport, divisions: Mapping[str, Iterable[Used | Portion]]) -> Iterator[Finding]:
    total = _times([report.total])
    for name, parts in divisions.items():
        yield from _unlike(f"total and {name}", total, _times(parts))


def _nested(tree: Sequence[Branch]) -> Iterator[Finding]:
    """Branches come in the order of the tree: each after the one that it lies in, and after all in those before it."""
    below: list[list[Branch]] = [[] for _ in tree]
    above: list[int] = []
    for number, branch in enumerate(tree):
        del above[len(branch.path) :]
        if above:
            below[above[-1]].append(branch)
        above.append(number)
    for branch, children in zip(tree, below, strict=True):
        scope = " › ".join(branch.path) or "the whole site"
        parts = [branch.own, *(child.total for child in children)]
        yield from _unlike(f"{scope} and all in it", _times([branch.total]), _times(parts))


def _parted(report: UsageReport) -> Iterator[Finding]:
    """What institutions have of a project is what the project used by itself."""
    own = {branch.key: _times([branch.own]) for branch in report.tree}
    parts: dict[str, list[Portion]] = {}
    for portion in report.portions:
        parts.setdefault(portion.key, []).append(portion)
    for key, portions in parts.items():
        if key in own:
            yield from _unlike(f"project {portions[0].title or key or UNKNOWN}", own[key], _times(portions))


def _times(parts: Iterable[Used | Portion]) -> _Times:
    each = list(parts)
    return {name: sum(map(attrgetter(name), each)) for name in _TIMES}


def _unlike(scope: str, whole: _Times, parts: _Times) -> Iterator[Finding]:
    for name in _TIMES:
        if whole[name] != parts[name]:
            gap = parts[name] - whole[name]
            yield error(scope, f"{whole[name]:,} {name} s", f"{parts[name]:,} {name} s in parts", f"{gap:+,} s")
