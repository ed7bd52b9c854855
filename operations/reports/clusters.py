"""Report of a cluster: from the ledger, day by day, to sums, service units and CSV files."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collectors.openshift import OpenShiftSource
from hierarchy import clouds_of
from hierarchy.namespaces import held_namespaces
from ledger import ConfigurationError, DataError, Kind, Ledger
from ledger.cluster import Namespace
from reporter import Period
from reporter.charges.reckoning import Rates
from reporter.clusters.records import ClusterReport, Tenant
from reporter.clusters.report import Cluster, invoice_rows, pod_row, report_of, sum_rows
from reporter.csvs import write_csv
from reporter.files import write_together
from usage.pods import Classes, PodRow, PodUsage

__all__ = ["report_cluster"]

_DAY = timedelta(days=1)
#: What readers of invoices expect.
_QUOTE = "|"
_PI = "annotation_cf_pi"


def report_cluster(
    ledger: Ledger, settings: OpenShiftSource, period: Period, directory: Path, rates: Rates | None
) -> tuple[ClusterReport, list[Path]]:
    """Report one cluster; returns what it says and the files written: all of them, or none.

    They are pods-PERIOD.csv and usage-PERIOD.csv, and with a rate card invoice-PERIOD.csv and, where classes are told
    apart, classes-PERIOD.csv. No more than a day's keys of pods are in memory. Raises DataError for a cluster that was
    never read, ConfigurationError for a card that is not for pods.
    """
    mark = ledger.watermark(settings.name)
    if mark is None:
        raise DataError(f"{settings.name} has not been collected yet: xdmod-cloud collect openshift {settings.name}")
    if rates and rates.card.hours == "min_1h_per_session":
        raise ConfigurationError(
            f'{rates.file}: hours = "min_1h_per_session" is for servers, and pods have no sessions. Choose another, or'
            f" name the resources of the card so that {settings.resource} is none of them."
        )
    classes = Classes(settings.class_label, frozenset(settings.class_namespaces)) if settings.class_label else None
    usage = PodUsage(period.seconds, rates.card if rates else None, classes)
    reports = list[ClusterReport]()

    def write(pods: Path, sums: Path, *others: Path) -> None:
        write_csv(pods, "pods-csv", map(pod_row, _rows(ledger, settings.name, period, usage)), _QUOTE)
        report = report_of(Cluster(settings.name, settings.resource, mark.at), period, usage, rates)
        write_csv(sums, "pod-sums-csv", sum_rows(report), _QUOTE)
        tenants, now = _tenants(ledger, settings, period), datetime.now(UTC)
        for path, lines in zip(others, (report.lines, report.class_lines), strict=False):
            write_csv(path, "invoice-csv", invoice_rows(report, lines, tenants, now), _QUOTE)
        reports.append(report)

    names = ["pods", "usage", *(["invoice"] if rates else []), *(["classes"] if rates and classes else [])]
    files = write_together(directory, [f"{name}-{period.file_name}.csv" for name in names], write)
    return reports[0], files


def _rows(ledger: Ledger, source: str, period: Period, usage: PodUsage) -> Iterator[PodRow]:
    """What each pod did on each day (UTC) of a period, counted on the way: of whole days, as they are exported."""
    midnight = period.start.replace(hour=0, minute=0, second=0, microsecond=0)
    while midnight < period.end:
        yield from usage.day(midnight, ledger.pods(source, midnight, midnight + _DAY))
        midnight += _DAY


def _tenants(ledger: Ledger, settings: OpenShiftSource, period: Period) -> dict[str, Tenant]:
    """Who held the namespaces when the period ended; else, who was first known to hold them, or the annotations' PI."""
    mark = ledger.watermark(settings.name)
    tenants = dict[str, Tenant]()
    for entry in ledger.entries(settings.name, Kind.NAMESPACE, mark.seq) if mark else ():
        one = entry.record
        if isinstance(one, Namespace) and (one.since < period.end or one.name not in tenants):
            tenants[one.name] = Tenant(one.name, one.annotations.get(_PI, ""))
    cloud = clouds_of((), (settings,))[0]
    for moment in (datetime.now(UTC), period.end):
        for name, held in held_namespaces(ledger, cloud, moment).items():
            pi = held.pi or (tenants[name].pi if name in tenants else "")
            tenants[name] = Tenant(held.name, pi, held.institution, held.code)
    return tenants
