"""What `check` looks at on this host: the ledger, folders, XDMoD's commands, its resources and its database."""

import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

import msgspec
from msgspec import Struct

from hierarchy.ownership_files import read_ownership_files
from ledger import ConfigurationError, SourceUnavailable
from ledger.counts import counted
from ledger.database import VERSIONS, check, connect, place, writing
from ledger.files import written_safely
from operations.configuration import Configuration
from operations.xdmod.check import Fine, Look
from operations.xdmod.commands import PROGRAMS, found
from operations.xdmod.database import url_of
from operations.xdmod.pending import Pending
from reporter.xdmod.warehouse import Warehouse, grants
from usage.rates import read_rates

__all__ = ["HOST"]

#: With less room than this on a disk, the next export may not fit.
_ROOM = 100 * 2**20


def ledger(configuration: Configuration) -> Iterator[Look]:
    """The ledger: there, of this version, and to be written."""

    def at() -> Fine:
        engine = connect(configuration.ledger_url)
        check(engine)
        with writing(engine):
            pass
        return Fine(f"{place(engine)}, version {VERSIONS[-1]}")

    yield Look("ledger", at)


def folders(configuration: Configuration) -> Iterator[Look]:
    """The folders that are written to, and room in them."""
    yield Look("outbox", partial(_writable, configuration.outbox))
    if _has_xdmod(configuration):
        yield Look("archive", partial(_writable, configuration.xdmod.archive))


def _writable(folder: Path) -> Fine:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    with written_safely(folder, "[outbox] or [xdmod] archive"):
        if not there.is_dir():
            raise NotADirectoryError(20, "there is a file of that name", str(there))
        with TemporaryFile(dir=there) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(there).free
    if free < _ROOM:
        raise SourceUnavailable(f"{folder} has room for {free / 2**20:,.0f} MB only. Make room.")
    return Fine(f"{folder}, room for {free / 2**30:,.1f} GB")


def commands(configuration: Configuration) -> Iterator[Look]:
    """XDMoD's commands, and the one that they need themselves."""
    if not _has_xdmod(configuration):
        yield Look("XDMoD", lambda: Fine("not on this host, nor in [xdmod]: shred and ingest where it is"))
        return
    for program in PROGRAMS:
        yield Look(program, partial(_command, configuration, program))
    yield Look("jq", _jq)


def _command(configuration: Configuration, program: str) -> Fine:
    return Fine(str(found(configuration.xdmod, program)))


def _jq() -> Fine:
    where = shutil.which("jq")
    if where is None:
        raise ConfigurationError("XDMoD reads event files with jq: install it on this host.")
    return Fine(where)


def resources(configuration: Configuration) -> Iterator[Look]:
    """The resources of all clouds, in XDMoD's own list of them."""
    if not (_has_xdmod(configuration) or configuration.hierarchy.resources):
        return
    for cloud in configuration.clouds:
        yield Look(f"resource {cloud.resource}", partial(_resource, configuration, cloud.resource))


class _Resource(Struct):
    resource: str
    resource_type: str = "?"


def _resource(configuration: Configuration, name: str) -> Fine:
    file = configuration.hierarchy.resources or configuration.xdmod.configuration / "resources.json"
    try:
        known = {one.resource: one for one in msgspec.json.decode(file.read_bytes(), type=list[_Resource])}
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error}. Correct it, [xdmod] configuration, or hierarchy.resources."
        ) from error
    if name not in known:
        raise ConfigurationError(
            f"{file} does not have it (it has: {', '.join(sorted(known)) or 'none'}). Add it with xdmod-setup, or"
            " correct resource in the configuration."
        )
    return Fine(f"{known[name].resource_type} in {file}")


def database(configuration: Configuration) -> Iterator[Look]:
    """XDMoD's database, and every table that is read there."""

    def at() -> Fine:
        url = url_of(configuration.xdmod)
        if url is None:
            return Fine("not configured: sessions are not counted")
        with Warehouse.open(url) as warehouse:
            tables = [line.split()[3] for line in grants("any@any", warehouse.version)]
            for table in tables:
                warehouse.ask(f"SELECT 1 FROM {table} LIMIT 0")
            return Fine(f"XDMoD {warehouse.version}, {counted(len(tables), 'tables')} can be read")

    yield Look("XDMoD's database", at)


def files(configuration: Configuration) -> Iterator[Look]:
    """The site's own files: of owners and shares, and rate cards."""
    owners, cards = configuration.hierarchy.ownership, configuration.rates

    def ownership() -> Fine:
        read_ownership_files(owners)
        return Fine(", ".join(map(str, owners)))

    def rates() -> Fine:
        for card in cards:
            read_rates(card)
        return Fine(", ".join(map(str, cards)))

    if owners:
        yield Look("hierarchy.ownership", ownership)
    if cards:
        yield Look("reports.rates", rates)


def left_over(configuration: Configuration) -> Iterator[Look]:
    """What an earlier run noted to be done."""

    def at() -> Fine:
        todo = Pending(configuration.outbox).todo
        realms = ", ".join(todo.aggregate) or "nothing"
        again = f", everything from {todo.again_from} on once more" if todo.again_from else ""
        return Fine(f"to aggregate: {realms}{again}")

    yield Look("work left to XDMoD", at)


def _has_xdmod(configuration: Configuration) -> bool:
    """Whether XDMoD is meant to be on this host: collectors may run elsewhere."""
    said = configuration.xdmod.bin or configuration.xdmod.url or configuration.xdmod.url_file
    return bool(said) or any(shutil.which(program) for program in PROGRAMS)


HOST = (ledger, folders, files, commands, resources, database, left_over)
