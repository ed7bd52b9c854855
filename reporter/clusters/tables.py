"""A report of a cluster as tables and sentences for a terminal."""

from decimal import Decimal
from fractions import Fraction

from ledger.counts import counted
from reporter.clusters.records import ClusterReport, PodSum
from reporter.records import Cell, Table
from usage.pods import NO_CPU, NO_MEMORY

__all__ = ["cluster_notes", "cluster_tables"]

_HOUR, _GIBIBYTE = 3600, 2**30
_HEADS = ("pods", "pod h", "CPU h", "GiB h", "GPU h")
_ODDITIES = {
    "start-kept": "pods with a start, as Kubernetes told it, far from the first sample, which counts",
    "end-kept": "pods with an end, as Kubernetes told it, far from the last sample, which counts",
    "unmeasured": "pods between two samples, for a time that is not known and in no sum",
}


def cluster_tables(report: ClusterReport) -> tuple[Table, ...]:
    """What namespaces used, what that comes to, and the same by class where there are classes."""
    called = f"{report.period.name} ({report.period.zone})"
    tables = [Table(f"Usage by namespace, {called}", ("namespace", *_HEADS), _sums(report.namespaces))]
    if report.classes:
        tables.append(Table(f"Usage by class, {called}", ("class", *_HEADS), _sums(report.classes)))
    if report.currency:
        heads = ("namespace", "service unit", "SU h", "rate", report.currency)
        rows = tuple(
            (line.name, line.unit, line.hours, "none" if line.price is None else line.price, line.cost)
            for line in report.lines
        )
        total = ("total", "", "", "", report.total or Decimal())
        tables.append(Table(f"Service units, {called}", heads, (*rows, total)))
    return tuple(tables)


def cluster_notes(report: ClusterReport) -> tuple[str, ...]:
    """What a reader has to know beside the numbers, a sentence each."""
    said = []
    if not report.namespaces:
        said.append(f"No pod in {report.period.name}.")
    for what, number in report.findings.items():
        hours = _hours(sum(line.seconds for line in report.lines if line.finding == what))
        said.append(f"{counted(number, 'pods have no price')} ({what}): {hours:,.2f} pod hours cost nothing here.")
    for what, odd, seconds in (
        ("CPU", NO_CPU, sum(one.seconds_without_cpu for one in report.namespaces)),
        ("memory", NO_MEMORY, sum(one.seconds_without_memory for one in report.namespaces)),
    ):
        if pods := report.oddities.get(odd):
            said.append(
                f"{counted(pods, 'pods')} asked for no {what}, in {_hours(seconds):,.2f} pod hours: how much of it was"
                " used is not known, and in no sum."
            )
    if outage := sum(one.outage_seconds for one in report.namespaces):
        said.append(f"{_hours(outage):,.2f} pod hours lie in outages, and are not charged.")
    said += [f"{counted(number, _ODDITIES[what])}." for what, number in report.oddities.items() if what in _ODDITIES]
    if report.known_to < report.period.end:
        known = f"{report.known_to:%Y-%m-%d %H:%M UTC}"
        said.append(f"The cluster was read up to {known}: what ran after that is not in here.")
    return tuple(said)


def _sums(sums: tuple[PodSum, ...]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        (
            one.name,
            one.pods,
            _hours(one.seconds),
            float(Fraction(one.core_seconds) / _HOUR),
            float(Fraction(one.byte_seconds, _GIBIBYTE * _HOUR)),
            _hours(one.gpu_seconds),
        )
        for one in sums
    )


def _hours(seconds: int) -> float:
    return float(Fraction(seconds, _HOUR))
