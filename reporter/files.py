"""Files that appear together and whole, or not at all."""

import errno
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from ledger import ConfigurationError, SourceUnavailable, XdmodCloudError
from ledger.files import flush

__all__ = ["folder_of", "write_together"]


def folder_of(title: str) -> str:
    """Return a name for the folder of what has a title, which every file system takes, and which no other title has."""
    plain = re.sub(r"[^0-9A-Za-z]+", "-", title).strip("-")[:60]
    return f"{plain}-{sha256(title.encode()).hexdigest()[:8]}"


def write_together(directory: Path, names: Sequence[str], write: Callable[..., None]) -> list[Path]:
    """Let `write` fill a temporary path for each name, then give all of them their names.

    Nothing is replaced unless all are whole. Raises SourceUnavailable for a full disk, ConfigurationError where the
    directory cannot be written.
    """
    paths = [directory / name for name in names]
    parts = [path.with_name(f".{path.name}.part") for path in paths]
    with _explained(directory):
        directory.mkdir(parents=True, exist_ok=True)
        try:
            write(*parts)
            for part in parts:
                flush(part)
            for part, path in zip(parts, paths, strict=True):
                part.replace(path)
        finally:
            for part in parts:
                part.unlink(missing_ok=True)
        flush(directory)
    return paths


@contextmanager
def _explained(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _error(directory, error) from error


def _error(directory: Path, error: OSError) -> XdmodCloudError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SourceUnavailable(
            f"There is no room left in {directory} for the report ({error.strerror}). Earlier files are as they were: "
            "make room, then run again."
        )
    return ConfigurationError(
        f"Cannot write the report into {directory}: {error.strerror}. Name another folder, or correct its rights."
    )
