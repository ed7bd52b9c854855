"""A cluster's pods, day by day, into what a report of it says and into the rows of its CSV files."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace

from ledger.times import iso_seconds
from reporter.charges.reckoning import Rates
from reporter.clusters.records import ClusterReport, PodSum, ServiceLine, Tenant
from reporter.csvs import cell
from reporter.periods import Period
from usage.pods import PodRow, PodSums, PodUsage, gpu_type
from usage.rates import Bill, Card, Finding, Line, Term, printed

__all__ = ["Cluster", "invoice_rows", "pod_row", "report_of", "sum_rows"]

_HOUR, _GIBIBYTE = 3600, 2**30
#: What decided on the number of units, as the readers of pod reports know it.
_DECIDED = {"gpus": "GPU", "vcpus": "CPU", "memory_mib": "RAM"}


class Cluster(NamedTuple):
    """What a cluster is called by the ledger and by XDMoD, and up to when it was read (UTC)."""

    source: str
    resource: str
    known_to: datetime


def report_of(cluster: Cluster, period: Period, usage: PodUsage, rates: Rates | None) -> ClusterReport:
    """What the usage of a period says, when all of its days were counted."""
    report = ClusterReport(
        cluster.source,
        cluster.resource,
        period,
        cluster.known_to,
        _sums(usage.namespaces),
        _sums(usage.classes),
        dict(sorted(usage.oddities.items())),
    )
    if rates is None or usage.billing is None or usage.class_billing is None:
        return report
    bill = usage.billing.bill()
    return replace(
        report,
        currency=rates.card.currency,
        rates=rates.file.name,
        digest=rates.digest,
        lines=tuple(_lines(bill, rates.card)),
        class_lines=tuple(_lines(usage.class_billing.bill(), rates.card)),
        findings={finding.value: number for finding, number in sorted(usage.findings.items())},
        total=printed(bill.cost),
    )


def pod_row(row: PodRow) -> dict[str, str]:
    """A row of the pod report."""
    demand = row.demand
    by, unit, count = _term_cells(row.term) if row.term else ("", "", "")
    return {
        "Namespace": cell(row.pod.namespace),
        "Pod Start Time": _time(row.start),
        "Pod End Time": _time(row.end),
        "Duration (Hours)": _hours_cell(row.seconds),
        "Pod Name": cell(row.pod.name),
        "CPU Request": _cpu_cell(demand.cpu),
        "GPU Request": str(sum(demand.gpus.values())),
        "GPU Type": cell(gpu_type(demand.gpus, demand.gpu_model) or ""),
        "GPU Resource": cell("+".join(sorted(demand.gpus))),
        "Node": cell(demand.node),
        "Node Model": cell(demand.gpu_model or ""),
        "Memory Request (GiB)": _memory_cell(demand.memory),
        "Determining Resource": by,
        "SU Type": unit,
        "SU Count": count,
    }


@lru_cache(2**14)
def _term_cells(term: Term) -> tuple[str, str, str]:
    """What decided, the unit, and how many of it."""
    return _DECIDED.get(term.by or "", ""), cell(_unit(term.unit, term.finding)), cell(_rounded(term.count))


@lru_cache(2**14)
def _cpu_cell(cores: str | None) -> str:
    return cell(_rounded(Fraction(cores) if cores else None))


@lru_cache(2**14)
def _memory_cell(amount: int | None) -> str:
    return cell(_rounded(Fraction(amount, _GIBIBYTE) if amount else None))


@lru_cache(2**16)
def _hours_cell(seconds: int) -> str:
    return str(printed(Fraction(seconds, _HOUR), 4))


def invoice_rows(
    report: ClusterReport, lines: Iterable[ServiceLine], tenants: Mapping[str, Tenant], generated: datetime
) -> Iterator[dict[str, str]]:
    """The rows of an invoice of namespaces, or of classes in them, which are of the namespace's tenant."""
    for line in lines:
        namespace = line.name.partition(":")[0]
        tenant = tenants.get(namespace, Tenant())
        name = tenant.name if line.name == namespace and tenant.name else line.name
        yield {
            "Invoice Month": cell(report.period.name),
            "Report Start Time": iso_seconds(report.period.start),
            "Report End Time": iso_seconds(report.period.end),
            "Project - Allocation": cell(name),
            "Project - Allocation ID": cell(line.name),
            "Manager (PI)": cell(tenant.pi),
            "Cluster Name": cell(report.source),
            "Invoice Email": "",
            "Invoice Address": "",
            "Institution": cell(tenant.institution),
            "Institution - Specific Code": cell(tenant.code),
            "SU Hours (GBhr or SUhr)": _plain(line.hours),
            "SU Type": cell(line.unit),
            "Rate": _plain(line.price) if line.price is not None else "0",
            "Cost": f"{line.cost:.2f}",
            "Generated At": iso_seconds(generated),
        }


def sum_rows(report: ClusterReport) -> Iterator[dict[str, str]]:
    """A row for each namespace and for each class, with hours to four places and seconds that are exact."""
    for by, sums in (("namespace", report.namespaces), ("class", report.classes)):
        for one in sums:
            yield {
                "by": by,
                "name": cell(one.name),
                "pods": str(one.pods),
                "pod_hours": str(printed(Fraction(one.seconds, _HOUR), 4)),
                "cpu_hours": str(printed(Fraction(one.core_seconds) / _HOUR, 4)),
                "memory_gib_hours": str(printed(Fraction(one.byte_seconds, _GIBIBYTE * _HOUR), 4)),
                "gpu_hours": str(printed(Fraction(one.gpu_seconds, _HOUR), 4)),
                "pod_seconds": str(one.seconds),
                "cpu_seconds": _plain(one.core_seconds),
                "memory_byte_seconds": str(one.byte_seconds),
                "gpu_seconds": str(one.gpu_seconds),
                "seconds_without_cpu": str(one.seconds_without_cpu),
                "seconds_without_memory": str(one.seconds_without_memory),
                "outage_seconds": str(one.outage_seconds),
            }


def _sums(usage: Mapping[str, PodSums]) -> tuple[PodSum, ...]:
    return tuple(
        PodSum(
            name,
            one.pods,
            one.seconds,
            _decimal(one.cpu),
            one.memory,
            one.gpu,
            one.without_cpu,
            one.without_memory,
            one.outage,
        )
        for name, one in sorted(usage.items())
    )


def _lines(bill: Bill, card: Card) -> Iterator[ServiceLine]:
    for line in bill.lines:
        hours = _hours(line, card)
        if hours:
            yield ServiceLine(
                line.project or "",
                _unit(line.unit, line.finding),
                line.price,
                line.finding and line.finding.value,
                line.seconds,
                None if line.units is None else _shown(line.units),
                _shown(hours),
                printed(line.cost or Fraction()),
            )


def _hours(line: Line, card: Card) -> Fraction:
    """The unit hours; of what cannot be counted in units, the hours that it lasted."""
    if line.units is not None:
        return line.units
    hours = Fraction(line.seconds, _HOUR)
    return Fraction(-(-line.seconds // _HOUR)) if card.hours == "ceil_total" else hours


def _unit(unit: str | None, finding: Finding | None) -> str:
    """The unit's name; what cannot be counted is called for what is not known of it."""
    if finding is Finding.UNKNOWN_GPU:
        return "Unknown GPU"
    return "Unknown" if unit is None or finding is Finding.UNKNOWN_SIZE else unit


def _shown(amount: Fraction) -> Decimal:
    """Whole where it is, else with four places."""
    return Decimal(amount.numerator) if amount.denominator == 1 else printed(amount, 4)


def _rounded(amount: Fraction | None) -> str | None:
    return None if amount is None else str(printed(amount, 4))


def _decimal(amount: Fraction) -> Decimal:
    """An exact amount: what pods ask for has a finite number of places."""
    with localcontext(prec=200):
        return Decimal(amount.numerator) / Decimal(amount.denominator)


def _plain(amount: Decimal) -> str:
    """A number without exponent, and without zeros that say nothing."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@lru_cache(2**14)
def _time(second: int) -> str:
    return iso_seconds(datetime.fromtimestamp(second, UTC))
