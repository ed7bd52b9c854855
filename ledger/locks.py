"""One writer per source: a lock that dies with its process."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import IO

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from ledger.database import explained, sqlite_file
from ledger.errors import ConfigurationError, SourceUnavailable

__all__ = ["file_lock", "sole_writer"]


@contextmanager
def sole_writer(engine: Engine, name: str) -> Iterator[None]:
    """Hold the lock of that name for as long as the block runs.

    Raises SourceUnavailable at once where another process holds it, ConfigurationError where its file cannot be made.
    """
    busy = SourceUnavailable(
        f"Another xdmod-cloud is writing {name} to this ledger. Wait for it to end, then run again."
    )
    if engine.dialect.name == "sqlite":
        with file_lock(Path(f"{sqlite_file(engine)}.{_digest(name)}.lock"), busy):
            yield
    else:
        with _server_lock(engine, f"xdmod-cloud-{_digest(f'{engine.url.database}/{name}')}", busy):
            yield


@contextmanager
def file_lock(path: Path, busy: SourceUnavailable) -> Iterator[IO[str]]:
    """Hold the lock of a file, which is made. Raises `busy` where another process holds it.

    A program that is given the open file holds the lock, too, for as long as it runs.
    """
    try:
        file = path.open("w")
    except OSError as error:
        raise ConfigurationError(
            f"Cannot make the lock file {path}: {error.strerror}. Its folder must be writable."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        yield file


@contextmanager
def _server_lock(engine: Engine, name: str, busy: SourceUnavailable) -> Iterator[None]:
    # A server's locks are common to all its databases, and are freed when the connection ends, however it ends.
    with explained(engine):
        connection = engine.connect()
    with connection:
        try:
            with explained(engine):
                if connection.scalar(text("SELECT GET_LOCK(:name, 0)"), {"name": name}) != 1:
                    raise busy
            yield
        finally:
            # Closed alone, the connection would go back to the pool and keep the lock.
            try:
                connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": name})
            except DBAPIError:
                connection.invalidate()


def _digest(name: str) -> str:
    return blake2b(name.encode(), digest_size=8).hexdigest()
