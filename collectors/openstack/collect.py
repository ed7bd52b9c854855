"""One reading of an OpenStack cloud: which records tell what is new since the last one."""

from collections.abc import Iterable, Mapping, Set
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from collectors.openstack.cloud import Cloud
from collectors.openstack.hypervisors import read_hypervisors
from collectors.openstack.names import KINDS, read_names
from collectors.openstack.servers import Progress, actions_of, check_role, list_servers
from collectors.openstack.settings import OpenStackSource
from ledger import (
    Action,
    ConfigurationError,
    Flavor,
    Hypervisor,
    Kind,
    Ledger,
    Mode,
    Named,
    Record,
    Rejected,
    Server,
    SourceUnavailable,
    Watermark,
)
from ledger.counts import counted
from ledger.records import InstanceId
from ledger.times import EPOCH, iso_seconds

__all__ = ["Collected", "read_cloud"]


#: So far may a cloud's clock be ahead of this machine's. A watermark in the future would stop all readings until then.
_AHEAD = timedelta(hours=1)


class Collected(NamedTuple):
    """What one reading told: the records, in the order to append them, and what could not be made one.

    `at` is the cloud's own time (UTC) when the reading began: everything earlier is in the records or in the ledger.
    """

    at: datetime
    mode: Mode
    records: list[Record]
    rejected: list[Rejected]
    counts: dict[str, int]
    warnings: list[str]


def read_cloud(
    cloud: Cloud, settings: OpenStackSource, ledger: Ledger, progress: Progress, *, sweep: bool, accept_vanished: bool
) -> Collected:
    """Read what is new in a cloud, or everything: if told so by `sweep`, and once in `sweep_hours`.

    Raises SourceUnavailable or ConfigurationError for whatever could not be read: then nothing of it counts.
    """
    name, mark = settings.name, ledger.watermark(settings.name)
    now = _clock(cloud, name, mark)
    everything = sweep or _sweep_is_due(settings, mark, now)
    since = mark.at - timedelta(seconds=settings.overlap_seconds) if mark else EPOCH
    progress("servers", 0, 0)
    listed = _list(cloud, ledger, name, since, everything=everything, accept_vanished=accept_vanished)
    progress("servers", len(listed.seen), len(listed.seen))

    known = ledger.known_servers(name, listed.seen)
    servers = [new for new in listed.seen.values() if new.id not in known or new != known[new.id].server]
    actions = list(actions_of(cloud, listed.seen.values(), known, settings, mark.at if mark else EPOCH, progress))
    called = {kind: {named.id: named for named in ledger.newest(name, Named, kind)} for kind in KINDS}
    names = _names(cloud, called, [*servers, *actions], everything=everything)
    hosts = {host.name: host for host in ledger.newest(name, Hypervisor)}
    hypervisors = read_hypervisors(cloud, hosts) if everything else []
    told = {"listed": len(listed.seen), "servers": len(servers), "actions": len(actions)}
    return Collected(
        at=now,
        mode=Mode.SWEEP if everything else Mode.CHANGES,
        records=[*names, *hypervisors, *_flavors(servers), *servers, *listed.vanished, *actions],
        rejected=listed.rejected,
        counts={**told, "vanished": len(listed.vanished)},
        warnings=[
            *(f"{item.reason} (set aside; see: xdmod-cloud ledger quarantine)" for item in listed.rejected),
            *_forgotten(names, called),
        ],
    )


def _clock(cloud: Cloud, name: str, mark: Watermark | None) -> datetime:
    """The cloud's time (UTC). Raises SourceUnavailable where it cannot be right."""
    now = check_role(cloud)
    if now > datetime.now(UTC) + _AHEAD:
        raise SourceUnavailable(
            f'The clock of cloud "{cloud.name}" says {iso_seconds(now)}, which this machine has yet to see. Nothing was'
            " recorded; set the clock right that is wrong, then run again."
        )
    if mark and now < mark.at:
        raise SourceUnavailable(
            f'The clock of cloud "{cloud.name}" says {iso_seconds(now)}, but {name} has been read up to'
            f" {iso_seconds(mark.at)}. Nothing was recorded; set the clock right, or wait until it has caught up."
        )
    return now


class _Listed(NamedTuple):
    """The servers that Nova lists, by id; those that it ought to list and does not; and what could not be read."""

    seen: dict[InstanceId, Server]
    vanished: list[Server]
    rejected: list[Rejected]


def _list(
    cloud: Cloud, ledger: Ledger, name: str, since: datetime, *, everything: bool, accept_vanished: bool
) -> _Listed:
    """List what changed since a time (UTC), and everything where that is asked for."""
    # Live servers first: one that is deleted meanwhile is then among the changed ones.
    lists = [list_servers(cloud, None)] if everything else []
    lists.append(list_servers(cloud, since))
    seen = {id: server for found in lists for id, server in found.servers.items()}
    unusable = {id for found in lists for id in found.unusable}
    rejected = list(dict.fromkeys(item for found in lists for item in found.rejected))
    missing = _missing(ledger, name, seen.keys() | unusable) if everything else []
    if missing:
        deleted = list_servers(cloud, min(server.updated for server in missing), deleted_only=True)
        seen |= {server.id: deleted.servers[server.id] for server in missing if server.id in deleted.servers}
        missing = [server for server in missing if server.id not in deleted.servers.keys() | deleted.unusable]
    return _Listed(seen, _vanished(name, missing, len(seen), accept_vanished), rejected)


def _sweep_is_due(settings: OpenStackSource, mark: Watermark | None, now: datetime) -> bool:
    return mark is None or mark.swept is None or now - mark.swept >= timedelta(hours=settings.sweep_hours)


def _missing(ledger: Ledger, name: str, listed: Set[InstanceId]) -> list[Server]:
    """The servers that the ledger believes to exist, but Nova lists neither as live nor as changed."""
    return [server for server in ledger.newest(name, Server, open_only=True) if server.id not in listed]


def _vanished(name: str, missing: list[Server], listed: int, accept: bool) -> list[Server]:
    """What to record of servers that even a list of the deleted ones does not have.

    Raises ConfigurationError where they are so many, or all, that the answer is more likely to be wrong.
    """
    credible = max(10, (len(missing) + listed) // 10) if listed else 0
    if len(missing) > credible and not accept:
        gone = counted(len(missing), f"servers of {name} are listed no more")
        raise ConfigurationError(
            f"{gone}, nor as deleted, beside {listed:,} that are."
            " That looks like a wrong answer rather than a cloud. If it is really so, run once with --accept-vanished."
        )
    return [replace(server, vanished=True, task_state=None) for server in missing]


def _names(
    cloud: Cloud, known: Mapping[Kind, dict[str, Named]], news: Iterable[Server | Action], *, everything: bool
) -> list[Named]:
    """The names of all who own or act; read only where one is new, unless everything is."""
    wanted: dict[Kind, set[str]] = {kind: set() for kind in KINDS}
    for item in news:
        wanted[Kind.PROJECT].update(filter(None, [item.project]))
        wanted[Kind.USER].update(filter(None, [item.user]))

    def read(kind: Kind, wanted: Set[str]) -> list[Named]:
        if everything:
            return read_names(cloud, kind, wanted, known[kind])
        news = wanted - known[kind].keys()
        return read_names(cloud, kind, news, {}) if news else []

    owners = [named for kind in (Kind.PROJECT, Kind.USER) for named in read(kind, wanted[kind])]
    return [*owners, *read(Kind.DOMAIN, {named.domain for named in owners if named.domain})]


def _flavors(servers: Iterable[Server]) -> list[Flavor]:
    """The sizes that flavors stand for, the oldest use first: the same order in which they would have been seen."""
    sizes = (server.size for server in sorted(servers, key=lambda server: server.created))
    return list(dict.fromkeys(Flavor(size.name, size.vcpus, size.memory_mb) for size in sizes))


def _forgotten(names: Iterable[Named], known: Mapping[Kind, dict[str, Named]]) -> list[str]:
    """A sentence for each that Keystone has just turned out to have no longer."""
    return [
        f"Keystone no longer has {named.kind} {named.id}; it is reported as {named.name or 'its id: no name was seen'}."
        for named in names
        if named.gone and named != known[named.kind].get(named.id)
    ]
