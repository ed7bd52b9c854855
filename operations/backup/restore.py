"""Bring a backup back, or prove that it can be: restored beside, it must hold what its manifest says."""

import secrets
from collections.abc import Collection
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from msgspec import Struct

from ledger import ConfigurationError, SourceUnavailable
from ledger.files import written_safely
from ledger.locks import file_lock
from operations.backup import manifest as manifests
from operations.backup.manifest import MANIFEST, PROOF, Content, Manifest, Part, Proof
from operations.backup.places import LEDGER, databases_server, folders, ledger_place, store_of
from operations.backup.sealing import Key
from operations.backup.servers import Server, server_of
from operations.backup.stores import FolderStore, Store
from operations.backup.streams import opened, whole
from operations.backup.targets import FolderTarget, ServerTarget, Source, SqliteTarget, Target
from operations.configuration import Configuration

__all__ = ["Restored", "restore"]

#: The lock of whoever hands files on to XDMoD.
LOCK = ".xdmod.lock"
#: Databases that are made to prove a backup, and dropped afterwards.
SCRATCH = "xdmod_cloud_check_"


class Restored(Struct, frozen=True):
    """What was restored, or with `checked` only beside: of each part the tables, or the folder, that were compared."""

    place: str
    made: datetime
    checked: bool
    parts: dict[str, dict[str, Content]]


def restore(
    configuration: Configuration,
    what: str | None,
    *,
    key_file: Path | None = None,
    only: Collection[str] = (),
    check: bool = False,
    replace: bool = False,
) -> Restored:
    """Restore a backup, the newest unless one is named, where the configuration says; with `check`, beside only.

    Nothing is touched before all of the backup was read and found whole, and every place found empty, or `replace`
    said. Raises DataError for a backup that is cut or altered, or does not hold what it says, ConfigurationError for
    places that are not empty, for a missing key, or rights.
    """
    file = key_file or configuration.backup.key_file
    key = Key(file) if file else None
    store, name = _found(configuration, what)
    place = f"{store.place}/{name}"
    manifest = manifests.read(b"".join(store.fetch(name, MANIFEST)), key, place)
    parts = _chosen(manifest, only)
    whole(store, name, manifest)
    with ExitStack() as stack:
        if check:
            scratch = Path(stack.enter_context(TemporaryDirectory(prefix="xdmod-cloud-")))
            targets = [_beside(configuration, part, scratch, stack) for part in parts]
        else:
            targets = [_target(configuration, part, stack) for part in parts]
            stack.enter_context(_undisturbed(configuration.outbox))
            if not replace:
                _refuse(targets)
        for part, target in zip(parts, targets, strict=True):
            chunks = partial(opened, store, name, manifest, part, key)
            target.take(Source(part, chunks, f"{place}/{part.file}"))
    if check and not only:
        proof = msgspec.to_builtins(Proof(manifest.seal, datetime.now(UTC), "restoring"))
        # What was proven is proven, even where its folder may not be written.
        with suppress(ConfigurationError, SourceUnavailable):
            store.note(name, PROOF, msgspec.json.encode(proof))
    return Restored(place, manifest.made, check, {part.name: part.contents for part in parts})


def _found(configuration: Configuration, what: str | None) -> tuple[Store, str]:
    """The place and the name of a backup: of a folder, a manifest in it, or the newest one of a place."""
    if what and what.startswith("s3://"):
        above, _, last = what.rstrip("/").rpartition("/")
        named = store_of(configuration, above) if above not in ("s3:/", "s3:") else None
        if named and last in named.names():
            return named, last
    elif what:
        path = Path(what).absolute()
        path = path.parent if path.is_file() else path
        if (path / MANIFEST).is_file():
            return FolderStore(path.parent), path.name
    store = store_of(configuration, what)
    if names := store.names():
        return store, names[-1]
    raise ConfigurationError(f"There is no backup in {store.place}. Name another place.")


def _chosen(manifest: Manifest, only: Collection[str]) -> list[Part]:
    known = [part.name for part in manifest.parts]
    for name in only:
        if name not in known:
            raise ConfigurationError(f'The backup has no part "{name}" (it has: {", ".join(known)}).')
    return [part for part in manifest.parts if not only or part.name in only]


def _undisturbed(outbox: Path) -> AbstractContextManager[object]:
    """Keep what hands files on to XDMoD away from an outbox."""
    with written_safely(outbox):
        outbox.mkdir(parents=True, exist_ok=True)
    busy = SourceUnavailable(f"Another xdmod-cloud is at work on {outbox}. Stop it, or wait for it to end.")
    return file_lock(outbox / LOCK, busy)


def _refuse(targets: list[Target]) -> None:
    if full := [there for target in targets if (there := target.holds())]:
        raise ConfigurationError(
            f"There is something already: {'; '.join(full)}. Nothing was touched. Restore into an empty place, or give"
            " --replace, and all that is lost."
        )


def _target(configuration: Configuration, part: Part, stack: ExitStack) -> Target:
    """Where the configuration says that a part is."""
    if part.kind == "folder":
        return FolderTarget(_folder(configuration, part))
    if part.name != LEDGER:
        return ServerTarget(_xdmods(configuration, stack), {name: name for name in part.databases}, scratch=False)
    place = ledger_place(configuration)
    if (place.file is not None) != (part.kind == "sqlite"):
        raise ConfigurationError(
            f"The ledger was saved from {'a file' if part.kind == 'sqlite' else 'MariaDB'}, and [ledger] url names the"
            " other. Name a place of the same kind."
        )
    if place.file is not None:
        return SqliteTarget(place.file)
    server = stack.enter_context(server_of(place.url, "[ledger] url"))
    return ServerTarget(server, {part.databases[0]: place.database}, scratch=False)


def _beside(configuration: Configuration, part: Part, scratch: Path, stack: ExitStack) -> Target:
    """A place for a part that is there for the proof only."""
    if part.kind == "folder":
        return FolderTarget(scratch / "folders" / part.name)
    if part.kind == "sqlite":
        return SqliteTarget(scratch / "ledger.sqlite")
    names = {name: f"{SCRATCH}{secrets.token_hex(4)}_{number}" for number, name in enumerate(part.databases)}
    if part.name == LEDGER and ledger_place(configuration).file is None:
        server = stack.enter_context(server_of(configuration.ledger_url, "[ledger] url"))
    else:
        server = _xdmods(configuration, stack)
    return ServerTarget(server, names, scratch=True)


def _xdmods(configuration: Configuration, stack: ExitStack) -> Server:
    server = stack.enter_context(databases_server(configuration, restoring=True))
    if server is None:
        raise ConfigurationError("Where are XDMoD's databases to go? Name their server in [backup] restore_url_file.")
    return server


def _folder(configuration: Configuration, part: Part) -> Path:
    known = folders(configuration)
    if part.name not in known:
        raise ConfigurationError(f"Where is the folder {part.name} to go? Name it in [backup] files, or use --only.")
    return known[part.name]
