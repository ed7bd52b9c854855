"""One writer per source: a lock that dies with its process."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from sqlalchemy import Engine, text

from ledger.errors import ConfigurationError, SourceUnavailable

__all__ = ["sole_writer"]


@contextmanager
def sole_writer(engine: Engine, name: str) -> Iterator[None]:
    """Hold the lock of that name for as long as the block runs.

    Raises SourceUnavailable at once where another process holds it, ConfigurationError where its file cannot be made.
    """
    busy = SourceUnavailable(
        f"Another xdmod-cloud is writing {name} to this ledger. Wait for it to end, then run again."
    )
    digest = blake2b(name.encode(), digest_size=8).hexdigest()
    if engine.dialect.name == "sqlite":
        with _file_lock(Path(f"{engine.url.database}.{digest}.lock"), busy):
            yield
        return
    with engine.connect() as connection:
        # MariaDB frees the lock when the connection ends, however it ends.
        if connection.scalar(text("SELECT GET_LOCK(:name, 0)"), {"name": f"xdmod-cloud-{digest}"}) != 1:
            raise busy
        yield


@contextmanager
def _file_lock(path: Path, busy: SourceUnavailable) -> Iterator[None]:
    try:
        file = path.open("w")
    except OSError as error:
        raise ConfigurationError(
            f"Cannot make the lock file {path}: {error.strerror}. The ledger's folder must be writable."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        yield
