"""What a backup says of itself: its parts, what is in them, and a seal by which any change shows."""

import hmac
from datetime import datetime
from hashlib import sha256
from typing import Literal

import jsonschema_rs
import msgspec
from msgspec import Struct

import schemas
from ledger import ConfigurationError, DataError
from operations.backup.sealing import Key

__all__ = ["MANIFEST", "PROOF", "Content", "Kind", "Manifest", "Part", "Proof", "read", "read_proof", "written"]

MANIFEST = "manifest.json"
PROOF = "verified.json"
Kind = Literal["mariadb", "sqlite", "folder"]


class Content(Struct, frozen=True):
    """How many rows a table has, or files a folder, and the SHA-256 of all of them."""

    count: int
    sha256: str


class Part(Struct, frozen=True):
    """One file of a backup: `size` bytes whose SHA-256 is `sha256`.

    `contents` has the tables, as DATABASE.TABLE, or the folder of that name. `objects` counts the views, triggers and
    routines of databases.
    """

    name: str
    file: str
    kind: Kind
    compression: Literal["zstd", "gzip"]
    size: int
    sha256: str
    contents: dict[str, Content]
    databases: tuple[str, ...] = ()
    objects: int = 0


class Manifest(Struct, frozen=True):
    """What is in a backup. `made` is UTC, when its making began; `salt` is there where it is encrypted.

    `seal` is the SHA-256 of all the rest; with a key, one that only the key gives.
    """

    format: Literal[1]
    made: datetime
    versions: dict[str, str]
    parts: tuple[Part, ...]
    salt: str | None = None
    seal: str = ""


class Proof(Struct, frozen=True):
    """That the backup with this seal was found whole, when (UTC), and how: read back, or restored beside."""

    seal: str
    at: datetime
    by: Literal["reading", "restoring"]


def written(manifest: Manifest, key: Key | None) -> tuple[Manifest, bytes]:
    """Seal a manifest; returns it, and the file that tells it."""
    sealed = msgspec.structs.replace(manifest, seal=_seal(manifest, key))
    schemas.validator("backup-manifest").validate(msgspec.to_builtins(sealed))
    return sealed, _body(sealed)


def read(body: bytes, key: Key | None, place: str) -> Manifest:
    """Read a manifest and hold it against its seal.

    Raises DataError for one that was altered or cut, ConfigurationError where the key is missing or another one.
    """
    altered = DataError(f"{place} was cut or altered: its manifest is not what was written. Use another backup.")
    try:
        schemas.validator("backup-manifest").validate(msgspec.json.decode(body))
        found = msgspec.json.decode(body, type=Manifest)
    except (msgspec.MsgspecError, jsonschema_rs.ValidationError, UnicodeDecodeError) as error:
        raise altered from error
    if found.salt and key is None:
        raise ConfigurationError(f"{place} is encrypted. Name the file with its key in [backup] key_file, or by --key.")
    if key is not None and not found.salt:
        raise DataError(
            f"{place} is not encrypted, though a key is configured: it is not one of these backups. If it is an older"
            " one that you trust, take the key out of the configuration."
        )
    if body != _body(found):
        raise altered
    if not hmac.compare_digest(_seal(found, key), found.seal):
        if key is not None:
            raise DataError(f"{place} was altered, or made with another key than {key.file}. Nothing was touched.")
        raise altered
    return found


def read_proof(body: bytes) -> Proof | None:
    """Read what is known of a backup's state; none where that is no such file."""
    try:
        schemas.validator("backup-verified").validate(msgspec.json.decode(body))
        return msgspec.json.decode(body, type=Proof)
    except (msgspec.MsgspecError, jsonschema_rs.ValidationError, UnicodeDecodeError):
        return None


def _body(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def _seal(manifest: Manifest, key: Key | None) -> str:
    bare = msgspec.json.encode(msgspec.structs.replace(manifest, seal=""))
    if key is None:
        return sha256(bare).hexdigest()
    return hmac.new(key.derived(bytes.fromhex(manifest.salt or ""), b"seal"), bare, sha256).hexdigest()
