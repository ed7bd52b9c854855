"""Files for others to read: each whole or not there, and what the file system says in words that help."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from ledger.errors import ConfigurationError, SourceUnavailable, XdmodCloudError

__all__ = ["flush", "put_whole", "written_safely"]


@contextmanager
def written_safely(place: Path, named_by: str = "[outbox]") -> Iterator[None]:
    """Turn what the file system says into errors that an operator can act on; `named_by` is what names the place."""
    try:
        yield
    except OSError as error:
        raise _explain(place, named_by, error) from error


def _explain(place: Path, named_by: str, error: OSError) -> XdmodCloudError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SourceUnavailable(
            f"There is no room left to write {place} ({error.strerror}). Nothing is lost: make room, then run again."
        )
    return ConfigurationError(f"Cannot write {place}: {error.strerror}. Correct {named_by} or the folder's rights.")


def put_whole(path: Path, chunks: Iterable[bytes], *, keep_rights: bool = False) -> str:
    """Replace a file when its successor is whole; with `keep_rights`, by one of the same owner, group and mode.

    Returns the SHA-256 of the bytes. Raises OSError, and has then changed nothing.
    """
    # XDMoD reads a name that merely contains the one it looks for, `.json` included, however the name begins or ends.
    digest, part = sha256(), path.with_name(f".{path.stem}.part")
    try:
        with part.open("wb") as file:
            for chunk in chunks:
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            if keep_rights and path.exists():
                _give_rights(file.fileno(), path.stat())
        part.replace(path)
        flush(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


def flush(path: Path) -> None:
    """Make sure that a power cut neither empties a file nor undoes a renaming in a folder."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _give_rights(file: int, wanted: os.stat_result) -> None:
    given = os.fstat(file)
    if (given.st_uid, given.st_gid) != (wanted.st_uid, wanted.st_gid):
        os.fchown(file, wanted.st_uid, wanted.st_gid)
    os.fchmod(file, stat.S_IMODE(wanted.st_mode))
