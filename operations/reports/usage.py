"""Report: from the embedded ledger to tables, CSV and PDF, through the same events that XDMoD gets."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct
from msgspec.structs import replace

from collectors.openstack import OpenStackSource
from exporters.openstack import horizon_of, write_lives
from hierarchy.known import known_projects
from hierarchy.owners import ALWAYS, Label, Owner, owners
from ledger import DataError, Kind, Ledger, Named
from ledger.exports import Export
from ledger.text import fitted
from reporter import By, Only, Period, Provenance, UsageReport, usage_report, write_report
from reporter.charges.reckoning import Rates, charged
from reporter.csvs import digest_of
from reporter.engine_sessions import EngineSessions
from reporter.files import folder_of
from reporter.records import UNKNOWN
from reporter.restriction import PI, Names
from reporter.source import Source
from usage import Engine

__all__ = ["Reported", "known_names", "ledger_sessions", "origin_of", "owner_labels", "report_usage", "written"]

_EVERYTHING = Only()
#: Characters of a user's name, as events have it.
_USER_WIDTH = 255


@contextmanager
def ledger_sessions(
    ledger: Ledger, settings: OpenStackSource, window: tuple[datetime, datetime], up_to: Export | None = None
) -> Iterator[Engine]:
    """An engine with the sessions, as XDMoD will build them, of all servers that existed in [from, to) (UTC).

    They are those of all that is known, or of what was told up to an export. Raises DataError where there is nothing.
    """
    mark = ledger.watermark(settings.name)
    with TemporaryDirectory(prefix="xdmod-cloud-") as folder, Engine() as engine:
        lives = Path(folder)
        if up_to is not None:
            write_lives(ledger, settings.name, lives, window, up_to.seq_to, up_to.horizon_to)
        elif mark is not None:
            horizon = horizon_of(mark, timedelta(seconds=settings.overlap_seconds))
            write_lives(ledger, settings.name, lives, window, mark.seq, horizon)
        if not any(lives.iterdir()):
            raise DataError(
                f"The ledger knows no server of {settings.name} in {window[0]:%Y-%m-%d} to {window[1]:%Y-%m-%d}."
                " Collect first, or choose another period."
            )
        engine.read(lives)
        yield engine


class Reported(Struct, frozen=True):
    """A report of the cloud `source`, which XDMoD calls `resource`, what it was made of, and the files it is in."""

    source: str
    resource: str
    report: UsageReport
    files: tuple[Path, ...]
    provenance: Provenance


def report_usage(
    ledger: Ledger,
    settings: OpenStackSource,
    period: Period,
    directory: Path,
    only: Only = _EVERYTHING,
    by: Sequence[By] = (),
    rates: Rates | None = None,
) -> Reported:
    """Report a period of one cloud, or `only` a part of it, divided `by` everything or some things.

    With rates it says what that costs, if it is divided by everything.
    Raises DataError where nothing is known, ConfigurationError for what is in `only` but not there.
    """
    window = period.start, period.end
    with ledger_sessions(ledger, settings, window) as engine:
        source = EngineSessions(engine, more=known_names(ledger, settings, only))
        owned = owners(ledger, settings.name, window, owner_labels(ledger, settings.name))
        projects = known_projects(ledger)
        # A report leaves in the engine only what it is of.
        charges = None
        if rates and not by:
            names = source.names() if only else None
            charges = charged(engine, settings.resource, period, owned, projects, rates, only, names=names)
        report = replace(usage_report(source, period, owned, projects, only, by), charges=charges)
        return written(report, source, directory, settings.name, settings.resource, owned, *origin_of(ledger, settings))


def known_names(ledger: Ledger, settings: OpenStackSource, only: Only) -> Names:
    """Return the users, or PIs, that the ledger knows of a cloud in any period, where one is asked for."""
    users, pis = set[str](), set[PI]()
    mark = ledger.watermark(settings.name)
    if only.user is not None and mark is not None:
        named = (entry.record for entry in ledger.entries(settings.name, Kind.USER, mark.seq))
        users = {fitted(one.name, _USER_WIDTH) for one in named if isinstance(one, Named) and one.name}
    if only.pi is not None:
        for one in owners(ledger, settings.name, ALWAYS, owner_labels(ledger, settings.name)):
            institution, pi = (None if name == UNKNOWN else name for name in (one.institution, one.pi))
            pis.add((institution, pi, one.pi_identity))
    return Names(frozenset(), frozenset(users), frozenset(), frozenset(pis))


def origin_of(ledger: Ledger, settings: OpenStackSource) -> tuple[str, str]:
    """Return which ledger it is, without a password, and how far it knows a cloud."""
    mark = ledger.watermark(settings.name)
    version = f"up to record {mark.seq}, read {mark.at:%Y-%m-%d %H:%M:%S} UTC" if mark else "never read"
    where = ledger.engine.url.render_as_string(hide_password=True)
    return f"the ledger {where}, cloud {settings.name}", version


def written(
    report: UsageReport,
    source: Source,
    directory: Path,
    name: str,
    resource: str,
    owned: Sequence[Owner],
    origin: str,
    version: str,
) -> Reported:
    """Write the files of a report of what XDMoD calls `resource`; of a restricted one into a folder of its own."""
    folder = directory / folder_of(str(report.only)) if report.only else directory
    card = () if report.charges is None else ((report.charges.rates, report.charges.digest),)
    made_of = Provenance(origin, version, tuple(source.statements), card)
    files = write_report(report, source, folder, resource, owners=owned, provenance=made_of)
    digests = (*card, *((file.name, digest_of(file)) for file in files if file.suffix == ".csv"))
    return Reported(name, resource, report, tuple(files), replace(made_of, digests=digests))


def owner_labels(ledger: Ledger, source: str) -> dict[str, set[Label]]:
    """Every name that each project of a cloud ever had, in each of its domains' names: events bear them, or the id."""
    mark = ledger.watermark(source)
    labels: dict[str, set[Label]] = defaultdict(set)
    if mark is None:
        return labels
    domains: dict[str | None, set[str]] = defaultdict(set)
    for entry in ledger.entries(source, Kind.DOMAIN, mark.seq):
        if isinstance(entry.record, Named) and entry.record.name:
            domains[entry.record.id].add(entry.record.name)
    for entry in ledger.entries(source, Kind.PROJECT, mark.seq):
        if isinstance(entry.record, Named):
            names: set[str | None] = {*domains.get(entry.record.domain, ())} or {None}
            labels[entry.record.id] |= {
                Label(entry.record.id),
                *(Label(entry.record.name or "", name) for name in names),
            }
    return labels
