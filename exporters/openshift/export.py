"""Whole days of a cluster that were not told yet, or that are to be told again, as files of jobs that XDMoD shreds."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import msgspec

import schemas
from exporters.openshift.form import JobForm
from exporters.openshift.late import Late, late
from exporters.openshift.line import asks_for_cpu, encoded, gpu_types, job_of
from exporters.openshift.lives import DAY, Part, by_day, by_life
from exporters.openshift.people import People
from exporters.quarantine import Unfit, fault, set_aside
from hierarchy.held import Held
from ledger import ConfigurationError, Kind, Ledger
from ledger.cluster import Namespace
from ledger.exports import Export, ExportId, Exports, WrittenFile
from ledger.files import put_whole, written_safely
from ledger.jobs import Form, Jobs
from ledger.locks import sole_writer
from ledger.pods import Life
from ledger.store import Seq

__all__ = ["TARGET", "ExportedJobs", "JobFiles", "export_days", "export_jobs"]

TARGET = "openshift-jobs"
_AT_ONCE = 1000

#: Who held the namespaces at a moment (UTC).
Holders = Callable[[datetime], Mapping[str, Held]]


class JobFiles(NamedTuple):
    """Where the jobs of a cluster go: `outbox` is what XDMoD reads, `quarantine` what it must not."""

    outbox: Path
    quarantine: Path


class ExportedJobs(NamedTuple):
    """What an export wrote, or would write: files with their numbers of jobs, and what was set aside, where.

    `counts` says of how many pods and jobs, and what is odd about them. `late` is what was told before and is known
    better now.
    """

    files: list[WrittenFile]
    counts: dict[str, int]
    late: Late
    unfit: list[Unfit]
    quarantine: Path | None

    @property
    def jobs(self) -> int:
        """How many jobs the files hold."""
        return sum(file.records for file in self.files)


def export_jobs(
    ledger: Ledger, source: str, form: JobForm, places: JobFiles, holders: Holders, *, dry_run: bool = False
) -> list[ExportedJobs]:
    """Write the whole days that were not told yet; first finish an export that its process did not.

    A day is whole when the cluster was read past its end (UTC). Raises ConfigurationError where the form is not that in
    which the cluster was told before, SourceUnavailable for a full disk or another export under way.
    """
    with sole_writer(ledger.engine, f"the jobs of {source}"):
        exports, settled = Exports(ledger, source, TARGET), _checked(ledger, source, form)
        done, begun = [], exports.begun()
        if begun:
            done.append(_write_news(ledger, source, form, places, holders, exports, begun, dry_run=dry_run))
        due = _due(ledger, source, begun if begun and dry_run else exports.last())
        if due:
            if not dry_run:
                settled.settle(Form(form.cpu, form.per))
                due = exports.begin(due.seq_to, due.horizon_to)
            done.append(_write_news(ledger, source, form, places, holders, exports, due, dry_run=dry_run))
        return done


def export_days(
    ledger: Ledger,
    source: str,
    form: JobForm,
    places: JobFiles,
    holders: Holders,
    window: tuple[datetime, datetime],
    *,
    dry_run: bool = False,
) -> ExportedJobs:
    """Write the days that begin in [from, to) (UTC) again, as they were told: the same bytes. Others are left out."""
    with sole_writer(ledger.engine, f"the jobs of {source}"):
        first = _checked(ledger, source, form).first_day()
        exports, scribes, done = Exports(ledger, source, TARGET), dict[ExportId, _Scribe](), list[WrittenFile]()
        last = exports.last()
        for day in _days(max(window[0], first), min(window[1], last.horizon_to)) if first and last else ():
            told_by = exports.covering(day)
            if told_by is not None:
                scribe = scribes.get(told_by.id) or _Scribe(ledger, source, form, holders, told_by, dry_run=dry_run)
                scribes[told_by.id] = scribe
                done += scribe.written(places, day)
        unfit = [one for scribe in scribes.values() for one in scribe.unfit]
        counts = sum((scribe.counts for scribe in scribes.values()), Counter[str]())
        label = f"jobs-{window[0]:%Y-%m-%d}_{window[1]:%Y-%m-%d}.json"
        return ExportedJobs(
            done, dict(counts), Late(), unfit, set_aside(places.quarantine / label, unfit, dry_run=dry_run)
        )


def _checked(ledger: Ledger, source: str, form: JobForm) -> Jobs:
    """The jobs of a cluster, if they were told in this form or not at all."""
    jobs = Jobs(ledger, source)
    told, asked = jobs.form(), Form(form.cpu, form.per)
    if told and told != asked:
        raise ConfigurationError(
            f'{source} was told to XDMoD with cpu = "{told.cpu}" and per = "{told.per}", and is to be told with'
            f' "{asked.cpu}" and "{asked.per}" now: XDMoD would add up what cannot be added. Put the old values back,'
            " or read the cluster under another name, for another resource."
        )
    return jobs


def _due(ledger: Ledger, source: str, last: Export | None) -> Export | None:
    """What would be exported next: none before a day is whole that was not told."""
    mark = ledger.watermark(source)
    if mark is None:
        return None
    horizon = _midnight(mark.at)
    since = last.horizon_to if last else Jobs(ledger, source).first_day()
    if since is None or horizon <= since:
        return None
    return Export(ExportId(0), last.seq_to if last else Seq(0), mark.seq, last and last.horizon_to, horizon)


def _write_news(
    ledger: Ledger,
    source: str,
    form: JobForm,
    places: JobFiles,
    holders: Holders,
    exports: Exports,
    due: Export,
    *,
    dry_run: bool,
) -> ExportedJobs:
    scribe = _Scribe(ledger, source, form, holders, due, dry_run=dry_run)
    since = due.horizon_from or Jobs(ledger, source).first_day() or due.horizon_to
    files = [file for day in _days(since, due.horizon_to) for file in scribe.written(places, day)]
    known_better = late(ledger, source, exports, due, since)
    quarantine = set_aside(places.quarantine / f"jobs-export-{due.id}.json", scribe.unfit, dry_run=dry_run)
    if not dry_run:
        exports.finish(due, files)
    return ExportedJobs(files, dict(scribe.counts), known_better, scribe.unfit, quarantine)


class _Scribe:
    """Tells days of a cluster by what was known when an export was decided, and counts what is odd about them."""

    def __init__(
        self, ledger: Ledger, source: str, form: JobForm, holders: Holders, due: Export, *, dry_run: bool
    ) -> None:
        self._ledger, self._source, self._form, self._due, self._dry_run = ledger, source, form, due, dry_run
        namespaces = (entry.record for entry in ledger.entries(source, Kind.NAMESPACE, due.seq_to))
        held = holders(due.started or datetime.now(UTC))
        self._people = People(form, (one for one in namespaces if isinstance(one, Namespace)), held)
        self._jobs, self._schema = Jobs(ledger, source), schemas.validator("openshift-job")
        self.counts, self.unfit = Counter[str](), list[Unfit]()

    def written(self, places: JobFiles, day: datetime) -> Iterator[WrittenFile]:
        """Write the file of a day, if there is anything to tell."""
        lines = self._lines(day)
        first = next(lines, None)
        if first is None:
            return
        path, records = places.outbox / f"{day:%Y-%m-%d}.log", 0

        def counted() -> Iterator[bytes]:
            nonlocal records
            for line in chain([first], lines):
                records += 1
                yield line

        if self._dry_run:
            yield WrittenFile(path.name, sum(1 for _ in counted()), "")
            return
        with written_safely(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            digest = put_whole(path, counted())
        yield WrittenFile(path.name, records, digest)

    def _lines(self, day: datetime) -> Iterator[bytes]:
        parts = self._parts(day)
        while some := list(islice(parts, _AT_ONCE)):
            told = [(part.life.key, part.interval.start) for part in some]
            for id, part in zip(self._jobs.numbered(told, keep=not self._dry_run), some, strict=True):
                at, namespace = part.interval.start, part.life.pod.namespace
                person = self._people.of(namespace, at)
                job = job_of(id, part.life, part.interval, person, self._form, first=part.first, last=part.last)
                record = msgspec.structs.asdict(job)
                reason = fault(self._schema, record)
                if reason is None:
                    yield encoded(job)
                else:
                    self.unfit.append(Unfit(reason, record))

    def _parts(self, day: datetime) -> Iterator[Part]:
        for life, parts in self._lives(day):
            self._count(life, parts)
            yield from parts

    def _lives(self, day: datetime) -> Iterable[tuple[Life, list[Part]]]:
        if self._form.per == "life":
            return by_life(self._ledger, self._source, day, self._due.seq_to)
        lives = self._ledger.pods(self._source, day, day + DAY, self._due.seq_to)
        return ((life, list(by_day(life, day))) for life in lives)

    def _count(self, life: Life, parts: list[Part]) -> None:
        demands = [part.interval.demand for part in parts]
        self.counts["jobs"] += len(parts)
        self.counts["jobs without CPU request"] += sum(not asks_for_cpu(one) for one in demands)
        self.counts["jobs without memory request"] += sum(not one.memory for one in demands)
        self.counts["jobs with GPUs of unknown model"] += sum(
            sum(gpu_types(one, {}).values()) < sum(one.gpus.values()) for one in demands
        )
        for oddity in life.oddities:
            self.counts[f"pods with {oddity.value} on a day"] += 1


def _days(since: datetime, until: datetime) -> Iterator[datetime]:
    """The midnights in [since, until)."""
    day = _midnight(since)
    if day < since:
        day += DAY
    while day < until:
        yield day
        day += DAY


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
