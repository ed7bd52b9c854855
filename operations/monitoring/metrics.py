"""The status as Prometheus reads it: a file for the textfile collector, or a Pushgateway."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from ledger import ConfigurationError, SourceUnavailable
from ledger.files import put_whole, written_safely
from operations.monitoring.settings import MetricsSettings
from operations.monitoring.status import Status

__all__ = ["METRICS", "exposition", "publish"]

_TIMEOUT_SECONDS = 30


class Metric(NamedTuple):
    """One metric: its type, what it tells, and the names of its labels."""

    kind: Literal["gauge", "counter"]
    help: str
    labels: tuple[str, ...] = ()


_OF_SOURCE, _OF_FILES = ("source",), ("resource", "kind")
#: Every metric that is written. Source of the names: Prometheus's own rules for names and units.
METRICS = {
    "xdmod_cloud_status_timestamp_seconds": Metric("gauge", "When these metrics were taken."),
    "xdmod_cloud_source_info": Metric("gauge", "1 for each source, with its kind.", ("source", "kind")),
    "xdmod_cloud_watermark_timestamp_seconds": Metric("gauge", "Up to when a source is known.", _OF_SOURCE),
    "xdmod_cloud_watermark_age_seconds": Metric("gauge", "How long ago that was.", _OF_SOURCE),
    "xdmod_cloud_last_success_timestamp_seconds": Metric("gauge", "When a source was last read well.", _OF_SOURCE),
    "xdmod_cloud_last_run_duration_seconds": Metric("gauge", "How long that reading took.", _OF_SOURCE),
    "xdmod_cloud_last_run_records": Metric("gauge", "How many records it appended.", _OF_SOURCE),
    "xdmod_cloud_runs_total": Metric("counter", "Readings of a source, of whatever outcome.", _OF_SOURCE),
    "xdmod_cloud_run_failures_total": Metric("counter", "Readings that failed or died.", _OF_SOURCE),
    "xdmod_cloud_run_failures_since_success": Metric("gauge", "Those since the last good one.", _OF_SOURCE),
    "xdmod_cloud_never_read": Metric("gauge", "1 for a configured cloud that was never read.", _OF_SOURCE),
    "xdmod_cloud_rejected_total": Metric("counter", "Answers of a source that were set aside.", _OF_SOURCE),
    "xdmod_cloud_records_total": Metric("counter", "Records that were ever appended to the ledger."),
    "xdmod_cloud_export_backlog_records": Metric(
        "gauge", "Records that were learned and not yet exported.", ("source", "target")
    ),
    "xdmod_cloud_outbox_files": Metric("gauge", "Files that are not yet in XDMoD.", (*_OF_FILES, "state")),
    "xdmod_cloud_outbox_oldest_file_timestamp_seconds": Metric("gauge", "When the oldest was written.", _OF_FILES),
    "xdmod_cloud_backup_timestamp_seconds": Metric("gauge", "When the newest whole backup was begun."),
    "xdmod_cloud_backup_failures_since_success": Metric("gauge", "Backups that failed since then."),
}
#: A metric's name, the values of its labels, and its own.
_Sample = tuple[str, tuple[str, ...], float | None]


def exposition(status: Status) -> str:
    """The status in Prometheus's text format; what is unknown is not there."""
    samples = sorted(_samples(status), key=lambda sample: list(METRICS).index(sample[0]))
    lines, last = list[str](), ""
    for name, labels, value in samples:
        if value is None:
            continue
        metric = METRICS[name]
        if name != last:
            lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}"]
            last = name
        said = ",".join(f'{key}="{_escaped(text)}"' for key, text in zip(metric.labels, labels, strict=True))
        lines.append(f"{name}{{{said}}} {value!r}" if said else f"{name} {value!r}")
    return "\n".join([*lines, ""])


def publish(status: Status, settings: MetricsSettings, textfile: Path | None = None) -> None:
    """Write the metrics to the file named or configured, and to the Pushgateway that is configured.

    Raises ConfigurationError where the file cannot be written, SourceUnavailable for a full disk or a Pushgateway that
    does not take them.
    """
    body = exposition(status).encode()
    if file := textfile or settings.textfile:
        with written_safely(file, "[metrics] textfile"):
            file.parent.mkdir(parents=True, exist_ok=True)
            put_whole(file, [body])
    if settings.pushgateway:
        _push(settings.pushgateway, body)


def _push(url: str, body: bytes) -> None:
    # It takes long to load, and few sites need it.
    import requests

    try:
        # PUT replaces what was there: a source that is no longer configured must not stay for ever.
        answer = requests.put(f"{url.rstrip('/')}/metrics/job/xdmod-cloud", data=body, timeout=_TIMEOUT_SECONDS)
    except requests.RequestException as error:
        raise SourceUnavailable(f"The Pushgateway {url} cannot be reached: {error}. Run again later.") from error
    if answer.status_code >= 500:
        raise SourceUnavailable(f"The Pushgateway {url} answered {answer.status_code}. Run again later.")
    if answer.status_code >= 300:
        raise ConfigurationError(f"The Pushgateway {url} answered {answer.status_code}. Correct [metrics] pushgateway.")


def _samples(status: Status) -> Iterator[_Sample]:
    yield "xdmod_cloud_status_timestamp_seconds", (), status.at.timestamp()
    yield "xdmod_cloud_records_total", (), status.records
    if status.backup:
        yield "xdmod_cloud_backup_timestamp_seconds", (), _seconds(status.backup.watermark)
        yield "xdmod_cloud_backup_failures_since_success", (), status.backup.failures_since
    yield from (("xdmod_cloud_never_read", (name,), 1) for name in status.never)
    for one in status.sources:
        yield "xdmod_cloud_source_info", (one.source, status.kinds[one.source]), 1
        values = {
            "watermark_timestamp_seconds": _seconds(one.watermark),
            "watermark_age_seconds": status.lag(one),
            "last_success_timestamp_seconds": _seconds(one.succeeded),
            "last_run_duration_seconds": one.seconds,
            "last_run_records": one.appended,
            "runs_total": one.runs,
            "run_failures_total": one.failures,
            "run_failures_since_success": one.failures_since,
            "rejected_total": one.rejected,
        }
        yield from ((f"xdmod_cloud_{name}", (one.source,), value) for name, value in values.items())
        for target, count in one.backlog.items():
            yield "xdmod_cloud_export_backlog_records", (one.source, target), count
    yield from _files(status)


def _files(status: Status) -> Iterable[_Sample]:
    for part in status.outbox:
        for state in ("waiting", "shredded"):
            yield "xdmod_cloud_outbox_files", (part.resource, part.kind, state), getattr(part, state)
        oldest = _seconds(part.oldest)
        yield "xdmod_cloud_outbox_oldest_file_timestamp_seconds", (part.resource, part.kind), oldest


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
