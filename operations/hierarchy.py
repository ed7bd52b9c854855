"""Hierarchy: read who owns what, keep its history, and tell XDMoD of it."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from collectors.coldfront import ColdFrontSource, read_coldfront
from collectors.keycloak import Login, read_keycloak
from collectors.openstack import OpenStackSource
from collectors.told import Told
from hierarchy import SOURCE, CloudKind
from hierarchy.export import ExportedHierarchy, export_as_of, export_now
from hierarchy.keep import keep
from hierarchy.ownership_files import read_ownership_files
from ledger import ConfigurationError, Ledger, Mode
from operations.configuration import Configuration
from operations.runs import CollectRun, failure_recorded

__all__ = ["collect_hierarchy", "export_hierarchy"]

Progress = Callable[[str, int, int], None]


def collect_hierarchy(
    ledger: Ledger, configuration: Configuration, progress: Progress, *, accept_removals: int | None = None
) -> CollectRun:
    """Read all sources of who owns what, and write what changed; nothing of it where one of them fails.

    `accept_removals` items of a level may become inactive, however many are believed otherwise. Raises what the
    reading and the keeping raise; the run is then recorded as failed.
    """
    with ledger.writer(SOURCE) as writer:
        mark = ledger.watermark(SOURCE)
        run = writer.begin(Mode.SWEEP, mark.at if mark else None)
        with failure_recorded(writer, run):
            settings = configuration.hierarchy
            placed = read_ownership_files(settings.ownership)
            told = list(_read(configuration, progress))
            in_force = (configuration.coldfront or ColdFrontSource("")).in_force
            kept = keep(ledger, writer, run, told, placed, settings, configuration.clouds, in_force, accept_removals)
    return CollectRun(SOURCE, Mode.SWEEP, kept.at, kept.counts, kept.warnings)


def _read(configuration: Configuration, progress: Progress) -> Iterator[Told]:
    """Read one source after the other: ColdFront first, whose clock counts."""
    login = Login(configuration.keycloak) if configuration.keycloak else None
    if configuration.coldfront:
        yield read_coldfront(configuration.coldfront, login, progress)
    if configuration.keycloak and login:
        yield read_keycloak(configuration.keycloak, login, progress)
    keystones = [source for source in configuration.openstack if source.name in configuration.hierarchy.keystone]
    yield from map(_read_keystone, keystones)
    if not (configuration.coldfront or configuration.keycloak or keystones):
        raise ConfigurationError(
            f"{configuration.file} names nothing that tells who owns what. Add a table [coldfront], and mostly"
            " [keycloak]."
        )


def _read_keystone(source: OpenStackSource) -> Told:
    # Only here is openstacksdk needed, and it takes long to load.
    from collectors.openstack.cloud import Cloud
    from collectors.openstack.ownership import read_ownership

    return read_ownership(Cloud.connect(source), source)


def export_hierarchy(
    ledger: Ledger,
    configuration: Configuration,
    folder: Path | None = None,
    *,
    as_of: datetime | None = None,
    changed_only: bool = False,
) -> ExportedHierarchy:
    """Write the four CSVs into a folder: in the outbox unless another is named, of a past moment (UTC) one of its own.

    Raises what `export_now` and `export_as_of` raise, and ConfigurationError for a cloud that XDMoD does not know.
    """
    _check_resources(configuration)
    if as_of is None:
        outbox = configuration.outbox / "hierarchy"
        elsewhere = None if folder == outbox else folder
        return export_now(ledger, configuration.clouds, outbox, changed_only=changed_only, elsewhere=elsewhere)
    folder = folder or configuration.outbox / f"hierarchy-{as_of:%Y-%m-%d}"
    return export_as_of(ledger, configuration.clouds, folder, as_of)


def _check_resources(configuration: Configuration) -> None:
    """An unknown resource in pi2project.csv kills XDMoD's next ingest."""
    file = configuration.hierarchy.resources
    if file is None:
        return
    try:
        known = {one.resource for one in msgspec.json.decode(file.read_bytes(), type=list[_Resource])}
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"{file} of hierarchy.resources cannot be read: {error}") from error
    for cloud in configuration.clouds:
        if cloud.kind is CloudKind.OPENSTACK and cloud.resource not in known:
            raise ConfigurationError(
                f'{file} has no resource "{cloud.resource}" (it has: {", ".join(sorted(known)) or "none"}). Nothing was'
                f' written; add it with xdmod-setup, or correct resource of [[openstack]] "{cloud.name}".'
            )


class _Resource(Struct):
    resource: str
