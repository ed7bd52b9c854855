"""How the site does: each source's last good run, its lag, what waits to be handed on, the last backup."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from hierarchy.facts import SOURCE
from ledger import Ledger
from ledger.overview import SourceOverview, overview, records_ever
from operations.backup.settings import RUNS
from operations.configuration import Configuration
from operations.xdmod.folders import Places, files_of, of_kind
from operations.xdmod.kinds import KINDS

__all__ = ["OutboxStatus", "Status", "status"]


class OutboxStatus(Struct, frozen=True):
    """The files of one kind of one resource: those that XDMoD has not read, and those it has read and not ingested.

    `oldest` (UTC) is when the first of them was written; `next_file` is what XDMoD reads next.
    """

    resource: str
    kind: str
    waiting: int
    shredded: int
    oldest: datetime | None
    next_file: str | None


class Status(Struct, frozen=True):
    """How the site does at a time (UTC). `never` names the configured clouds that were never read.

    `former` are sources that the ledger knows and the configuration no longer names: nobody reads them any more.
    `backup` tells of backups as of a source: its watermark is when the newest one was begun that was found whole.
    `kinds` says of what kind each source is, openstack, openshift or hierarchy: they are read at other periods.
    """

    at: datetime
    sources: list[SourceOverview]
    former: list[SourceOverview]
    never: list[str]
    outbox: list[OutboxStatus]
    records: int
    backup: SourceOverview | None
    kinds: dict[str, str]

    def lag(self, one: SourceOverview) -> float | None:
        """Seconds since the watermark of a source."""
        return (self.at - one.watermark).total_seconds() if one.watermark else None


def status(ledger: Ledger, configuration: Configuration) -> Status:
    """Look at the ledger and at the folders; nobody else is asked.

    Raises SourceUnavailable where the ledger does not answer, ConfigurationError where a folder cannot be read.
    """
    known = {one.source: one for one in overview(ledger)}
    backup, kinds = known.pop(RUNS, None), _kinds(configuration)
    return Status(
        datetime.now(UTC),
        [one for one in known.values() if one.source in kinds],
        [one for one in known.values() if one.source not in kinds],
        [cloud.name for cloud in configuration.clouds if cloud.name not in known],
        list(_outbox(configuration)),
        records_ever(ledger),
        backup,
        kinds,
    )


def _kinds(configuration: Configuration) -> dict[str, str]:
    """Of what kind each source is that the configuration names; a cluster without url is read with another one."""
    owners = configuration.coldfront or configuration.keycloak or configuration.hierarchy.keystone
    return {cloud.name: cloud.kind.value for cloud in configuration.clouds} | ({SOURCE: "hierarchy"} if owners else {})


def _outbox(configuration: Configuration) -> Iterator[OutboxStatus]:
    for resource in dict.fromkeys(cloud.resource for cloud in configuration.clouds):
        for kind in KINDS:
            places = Places.of(configuration.outbox, configuration.xdmod.archive, resource, kind)
            # What was begun comes before what waits.
            waiting = [*of_kind(places.shredding, kind), *of_kind(places.claimed, kind), *of_kind(places.waiting, kind)]
            shredded = files_of(places.shredded)
            if waiting or shredded or places.waiting.is_dir():
                first = waiting[0].name if waiting else None
                oldest = _oldest([*waiting, *shredded])
                yield OutboxStatus(resource, kind.folder, len(waiting), len(shredded), oldest, first)


def _oldest(files: list[Path]) -> datetime | None:
    times = list[float]()
    for file in files:
        try:
            times.append(file.stat().st_mtime)
        except FileNotFoundError:
            continue  # it has just been moved on
    return datetime.fromtimestamp(min(times), UTC) if times else None
