"""Which backups may go: never one for the sake of another that nobody has found whole."""

from datetime import UTC, datetime, timedelta

import msgspec

from ledger import DataError
from operations.backup.manifest import MANIFEST, PROOF, Manifest, read_proof
from operations.backup.settings import BackupSettings
from operations.backup.stores import Store

__all__ = ["expired", "verified"]


def expired(store: Store, settings: BackupSettings, now: datetime) -> list[str]:
    """The backups to delete: older than `keep_days`, and than the `keep_last` newest ones that were found whole."""
    names = store.names()
    proven = list[str]()
    for name in reversed(names):
        if len(proven) < settings.keep_last and verified(store, name):
            proven.append(name)
    if len(proven) < settings.keep_last:
        return []
    return [name for name in names if name < proven[-1] and now - _made(name) > timedelta(days=settings.keep_days)]


def verified(store: Store, name: str) -> bool:
    """Whether a backup, as its manifest is now, was once found whole."""
    try:
        proof = read_proof(b"".join(store.fetch(name, PROOF)))
        manifest = msgspec.json.decode(b"".join(store.fetch(name, MANIFEST)), type=Manifest)
    except (DataError, msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return proof is not None and proof.seal == manifest.seal


def _made(name: str) -> datetime:
    return datetime.strptime(name.removeprefix("xdmod-cloud-"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
