"""What has to be told of backups."""

from pathlib import Path

from msgspec import Struct

__all__ = ["RUNS", "BackupSettings"]

#: As what the ledger knows the runs of backups; no cloud can be called so.
RUNS = "(backup)"


class BackupSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where backups go, and what is in them beside the ledger.

    `output` is a folder or `s3://BUCKET/PREFIX`, read with the server `s3_endpoint` where that is not Amazon's.
    `url`, or the file `url_file`, tells of the server with XDMoD's databases and an account that may read them;
    `restore_url_file` of one that may make them. `key_file` holds the key by which backups are encrypted. `files` are
    further folders that belong to them. At least `keep_last` backups stay, and all of the last `keep_days`.
    """

    output: str | None = None
    url: str | None = None
    url_file: Path | None = None
    restore_url_file: Path | None = None
    key_file: Path | None = None
    files: tuple[Path, ...] = ()
    keep_last: int = 7
    keep_days: int = 0
    s3_endpoint: str | None = None
