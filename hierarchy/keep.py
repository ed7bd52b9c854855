"""Keeps what sources told of who owns what: as records, and as new states of the hierarchy, in one transaction."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from collectors.told import Told
from hierarchy.facts import SOURCE, known_facts, news
from hierarchy.history import append, current
from hierarchy.levels import derive
from hierarchy.ownership import check_ownership
from hierarchy.ownership_files import Placed, told_by
from hierarchy.reconcile import changes, estrangements, guard, removals
from hierarchy.settings import Cloud, HierarchySettings
from ledger import Kind, Ledger, Named, RunId, SourceUnavailable, Writer
from ledger.database import reading
from ledger.ownership import ProjectKey
from ledger.times import iso_seconds

__all__ = ["Kept", "keep"]

#: So far may a source's clock be ahead of this machine's.
_AHEAD = timedelta(hours=1)
_MOMENT = timedelta(microseconds=1)
#: What may not vanish in great numbers, beside the items of the levels.
_GUARDED = {Kind.PERSON: "person in Keycloak", Kind.CLOUD_PROJECT: "project in Keystone"}


class Kept(NamedTuple):
    """From which time on (UTC) what was told holds, how much of it was new, and what has to be said of it."""

    at: datetime
    counts: dict[str, int]
    warnings: list[str]


def keep(
    ledger: Ledger,
    writer: Writer,
    run: RunId,
    told: Sequence[Told],
    placed: Sequence[Placed],
    settings: HierarchySettings,
    clouds: Sequence[Cloud],
    in_force: Sequence[str],
    accepted_removals: int | None = None,
) -> Kept:
    """Write what is new in what sources and files told, and finish the run.

    `in_force` are the statuses of allocations that count. Raises DataError where more would become inactive than is
    believed and than `accepted_removals`, and where it cannot be told who is meant; ConfigurationError for files that
    contradict themselves or the sources; SourceUnavailable for a clock that cannot be right. Nothing is written then.
    """
    mark = ledger.watermark(SOURCE)
    at = _time(told[0], mark.at if mark else None)
    everything = [*told, told_by(placed, at)] if settings.ownership else told
    known = known_facts(ledger)
    new = news(known, everything)
    facts = known.overlaid(new.records)
    check_ownership(placed, facts)
    with reading(ledger.engine) as connection:
        before = {item.key: item for item in current(connection)}
    derived = derive(facts, clouds, in_force, before, _called(ledger, clouds))
    changed = changes(before, derived.items)
    losses = {name: (new.gone[kind], new.present[kind]) for kind, name in _GUARDED.items() if kind in new.gone}
    losses |= removals(before, changed) | estrangements(before, derived.items)
    guard(losses, settings, accepted_removals, derived.warnings)

    def also(connection: Connection) -> dict[str, int]:
        append(connection, at, changed, {item.id for item in before.values()})
        return {"changed": len(changed)}

    counts = derived.counts | ({"accepted removals": accepted_removals} if accepted_removals else {})
    rejected = [*(item for one in told for item in one.rejected), *new.rejected]
    counts = writer.finish(run, at, at, new.records, rejected, counts, also=also)
    aside = [f"{item.reason} (set aside; see: xdmod-cloud ledger quarantine)" for item in rejected]
    return Kept(at, counts, [*(said for one in told for said in one.warnings), *derived.warnings, *aside])


def _called(ledger: Ledger, clouds: Sequence[Cloud]) -> dict[ProjectKey, str]:
    """What usage calls the projects of the clouds that were collected: XDMoD keeps the name that it saw first."""
    called = dict[ProjectKey, str]()
    for cloud in clouds:
        mark = ledger.watermark(cloud.name)
        for entry in ledger.entries(cloud.name, Kind.PROJECT, mark.seq) if mark else ():
            if isinstance(entry.record, Named) and entry.record.name:
                called.setdefault(ProjectKey(f"{cloud.name}/{entry.record.id}"), entry.record.name)
    return called


def _time(first: Told, mark: datetime | None) -> datetime:
    """The time (UTC) from which on what was told holds. Raises SourceUnavailable where it cannot be right."""
    at, source = first.at, first.source
    if at > datetime.now(UTC) + _AHEAD:
        raise SourceUnavailable(
            f"The clock of {source} says {iso_seconds(at)}, which this machine has yet to see. Nothing was recorded;"
            " set the clock right that is wrong, then run again."
        )
    if mark and at < mark.replace(microsecond=0):
        raise SourceUnavailable(
            f"The clock of {source} says {iso_seconds(at)}, but it was read at {iso_seconds(mark)} before. Nothing was"
            " recorded; set the clock right, or wait until it has caught up."
        )
    # Clocks say whole seconds; two states of one item need two times.
    return max(at, mark + _MOMENT) if mark else at
