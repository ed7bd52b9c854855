"""The way of a part's bytes into a backup and out of it: compressed, encrypted, counted."""

import secrets
from collections.abc import Iterable, Iterator
from hashlib import sha256

from msgspec import Struct

from ledger import DataError
from ledger.counts import counted
from operations.backup.manifest import Kind, Manifest, Part
from operations.backup.pipes import compressed, compression, decompressed
from operations.backup.sealing import Key, decrypted, encrypted
from operations.backup.stores import Draft, Store

__all__ = ["Sealer", "opened", "whole"]


class Sealer(Struct, frozen=True):
    """How the parts of one backup are written."""

    key: Key | None
    salt: bytes | None

    @classmethod
    def of(cls, key: Key | None) -> "Sealer":
        """With a key, each backup has a salt of its own."""
        return cls(key, secrets.token_bytes(32) if key else None)

    def put(self, draft: Draft, name: str, kind: Kind, chunks: Iterable[bytes]) -> Part:
        """Write a part. What is in it is to be told by the caller, who knows when it has gone by."""
        how = compression()
        suffix = {"mariadb": ".sql", "sqlite": ".sqlite", "folder": ".tar"}[kind]
        file = f"{name}{suffix}.{'zst' if how == 'zstd' else 'gz'}"
        stream: Iterable[bytes] = compressed(chunks, how)
        if self.key and self.salt:
            file += ".enc"
            stream = encrypted(stream, self.key.derived(self.salt, file.encode()))
        stored = draft.put(file, stream)
        return Part(name, file, kind, how, stored.size, stored.sha256, {})


def whole(store: Store, name: str, manifest: Manifest) -> None:
    """Read all of a backup. Raises DataError where a part is not what was written."""
    for part in manifest.parts:
        size, digest = 0, sha256()
        for chunk in store.fetch(name, part.file):
            size += len(chunk)
            digest.update(chunk)
        if (size, digest.hexdigest()) != (part.size, part.sha256):
            what = "was altered" if size == part.size else f"has {counted(size, 'bytes')} and not {part.size:,}"
            raise DataError(f"{store.place}/{name}/{part.file} {what}. Nothing was touched; use another backup.")


def opened(store: Store, name: str, manifest: Manifest, part: Part, key: Key | None) -> Iterator[bytes]:
    """What is in a part, as it was."""
    place, chunks = f"{store.place}/{name}/{part.file}", store.fetch(name, part.file)
    if key and manifest.salt:
        chunks = decrypted(chunks, key.derived(bytes.fromhex(manifest.salt), part.file.encode()), place)
    return decompressed(chunks, part.compression, place)
