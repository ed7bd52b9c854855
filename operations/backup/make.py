"""Make a backup: the ledger, then the files that tell what it knew, then XDMoD's databases, which know no less."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
from msgspec import Struct

from ledger import DataError, Ledger, Mode, XdmodCloudError
from ledger.counts import counted
from ledger.database import VERSIONS
from operations.backup import folders as packing
from operations.backup import manifest as manifests
from operations.backup import sqlite
from operations.backup.dumps import DumpTally
from operations.backup.manifest import MANIFEST, PROOF, Manifest, Part, Proof
from operations.backup.pipes import CHUNK
from operations.backup.places import (
    CONFIGURATION,
    DATABASES,
    LEDGER,
    databases_server,
    folders,
    ledger_place,
    store_of,
)
from operations.backup.retention import expired
from operations.backup.sealing import Key
from operations.backup.servers import Server, server_of
from operations.backup.settings import RUNS
from operations.backup.stores import Draft
from operations.backup.streams import Sealer, whole
from operations.configuration import Configuration
from operations.xdmod.commands import Commands

__all__ = ["Made", "make"]

#: XDMoD's databases; the last ones are there only with older installations or further modules.
#: Source: XDMoD's guide to backups, and the databases of its first site.
_USUAL = ("mod_hpcdb", "mod_logger", "mod_shredder", "moddb", "modw", "modw_aggregates", "modw_cloud", "modw_filters")
_OTHERS = ("modw_etl", "modw_jobefficiency", "modw_ondemand", "modw_supremm", "file_share_db", "hierarchy_db")
_VERSION = re.compile(r'^version\s*=\s*"?([0-9][^"\s]*)', re.MULTILINE)


class Made(Struct, frozen=True):
    """A backup that was made and read back, what should be known of it, and older ones that it replaces."""

    place: str
    manifest: Manifest
    warnings: list[str]
    removed: list[str]


def make(configuration: Configuration, output: str | None = None, key_file: Path | None = None) -> Made:
    """Make a backup of a site, read it back, and delete those that are no longer to be kept.

    Collectors go on meanwhile; what hands files on to XDMoD does not. Raises SourceUnavailable for a full disk, a
    server that is away or another backup under way, ConfigurationError for what only a person can put right. There is
    then no new backup, and the older ones are as they were.
    """
    began, ledger = datetime.now(UTC), Ledger.open(configuration.ledger_url)
    try:
        made = _make(configuration, ledger, output, key_file)
    except Exception as error:
        _note(ledger, began, str(error))
        raise
    _note(ledger, began)
    return made


def _note(ledger: Ledger, began: datetime, error: str | None = None) -> None:
    """Have the ledger know how a backup went, for whoever watches; that it cannot is no reason to fail."""
    with suppress(XdmodCloudError), ledger.writer(RUNS) as writer:
        run = writer.begin(Mode.SWEEP, None)
        if error is None:
            writer.finish(run, began, began, [])
        else:
            writer.fail(run, error)


def _make(configuration: Configuration, ledger: Ledger, output: str | None, key_file: Path | None) -> Made:
    file = key_file or configuration.backup.key_file
    key, store, now = Key(file) if file else None, store_of(configuration, output), datetime.now(UTC)
    sealer, name, warnings = Sealer.of(key), f"xdmod-cloud-{now:%Y%m%dT%H%M%SZ}", list[str]()
    with store.alone(), Commands.alone(configuration.xdmod, configuration.outbox, ledger):
        with store.draft(name) as draft:
            versions = {"xdmod-cloud": version("xdmod-cloud"), "ledger": VERSIONS[-1]}
            parts = tuple(_parts(configuration, draft, sealer, versions, warnings))
            salt = sealer.salt.hex() if sealer.salt else None
            manifest, body = manifests.written(Manifest(1, now, versions, parts, salt), key)
            draft.put(MANIFEST, [body])
        whole(store, name, manifest)
        proof = msgspec.to_builtins(Proof(manifest.seal, datetime.now(UTC), "reading"))
        store.note(name, PROOF, msgspec.json.encode(proof))
        removed = expired(store, configuration.backup, now)
        for old in removed:
            store.remove(old)
    if key is None:
        warnings.append("the backup is not encrypted, and XDMoD's configuration has passwords in it: [backup] key_file")
    return Made(f"{store.place}/{name}", manifest, warnings, removed)


def _parts(
    configuration: Configuration, draft: Draft, sealer: Sealer, versions: dict[str, str], warnings: list[str]
) -> Iterator[Part]:
    yield _ledger(configuration, draft, sealer, versions)
    for name, folder in folders(configuration).items():
        if name == CONFIGURATION:
            versions |= _xdmod_version(folder)
        if folder.is_dir():
            tally = packing.FolderTally()
            part = sealer.put(draft, name, "folder", tally.packed(folder))
            yield msgspec.structs.replace(part, contents={name: tally.content})
        elif name == CONFIGURATION or folder in configuration.backup.files:
            warnings.append(f"there is no {folder}, and nothing of it in the backup")
    with databases_server(configuration) as server:
        if server is None:
            warnings.append(
                "no database of XDMoD is configured, and none is in the backup: [backup] url or [xdmod] url"
            )
            return
        there = server.databases()
        if unseen := [name for name in _USUAL if name not in there]:
            warnings.append(f"not in the backup, as the account does not see them: {', '.join(unseen)}")
        if wanted := [known for known in (*_USUAL, *_OTHERS) if known in there]:
            yield _dumped(server, draft, sealer, DATABASES, wanted, versions)
            if unsafe := server.unsafe(wanted):
                some = ", ".join(unsafe[:5]) + (" …" if len(unsafe) > 5 else "")
                warnings.append(
                    f"{counted(len(unsafe), 'tables know')} no transactions and may be of different moments: {some}"
                )


def _ledger(configuration: Configuration, draft: Draft, sealer: Sealer, versions: dict[str, str]) -> Part:
    place = ledger_place(configuration)
    if place.file is None:
        with server_of(place.url, "[ledger] url") as server:
            return _dumped(server, draft, sealer, LEDGER, [place.database], versions)
    with sqlite.copied(place.file) as copy:
        contents = sqlite.tallied(copy, str(place.file))
        part = sealer.put(draft, LEDGER, "sqlite", _chunks(copy))
    return msgspec.structs.replace(part, contents=contents)


def _dumped(
    server: Server, draft: Draft, sealer: Sealer, name: str, databases: list[str], versions: dict[str, str]
) -> Part:
    tally = DumpTally()
    part = sealer.put(draft, name, "mariadb", tally.through(server.dump(databases)))
    if not tally.complete:
        raise DataError(f"The dump of {', '.join(databases)} has no end. Run again with -v to see what was said.")
    versions[f"server of {name}"] = server.version()
    return msgspec.structs.replace(part, contents=tally.contents, databases=tuple(databases), objects=tally.objects)


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            yield chunk


def _xdmod_version(folder: Path) -> dict[str, str]:
    """What XDMoD's own settings say of its version."""
    try:
        found = _VERSION.search((folder / "portal_settings.ini").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return {}
    return {"xdmod": found[1]} if found else {}
