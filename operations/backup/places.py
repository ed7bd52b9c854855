"""What a site's backup has in it, and where each part comes from and goes back to."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.engine import make_url

from ledger import ConfigurationError
from ledger.database import connect, sqlite_file
from operations.backup.servers import Server, server_of
from operations.backup.stores import FolderStore, Store
from operations.configuration import Configuration
from operations.xdmod.database import url_of

__all__ = [
    "CONFIGURATION",
    "DATABASES",
    "LEDGER",
    "LedgerPlace",
    "databases_server",
    "folders",
    "ledger_place",
    "store_of",
]

LEDGER, DATABASES, CONFIGURATION = "ledger", "databases", "configuration"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class LedgerPlace(NamedTuple):
    """Where the ledger is: a file, or a database of a server."""

    file: Path | None
    url: str
    database: str


def ledger_place(configuration: Configuration) -> LedgerPlace:
    """Where the configured ledger is. Raises ConfigurationError for a URL that is none."""
    engine = connect(configuration.ledger_url)
    if engine.dialect.name == "sqlite":
        return LedgerPlace(sqlite_file(engine), configuration.ledger_url, "")
    database = make_url(configuration.ledger_url).database
    if not database:
        raise ConfigurationError("[ledger] url names no database. Write mysql+pymysql://USER@HOST/DATABASE")
    return LedgerPlace(None, configuration.ledger_url, database)


def folders(configuration: Configuration) -> dict[str, Path]:
    """The folders of a backup by what they are called in it, in the order in which they are copied.

    Files move from the outbox into the archive. Raises ConfigurationError where two have the same name.
    """
    found = {
        "outbox": configuration.outbox,
        "archive": configuration.xdmod.archive,
        "ledger-archive": configuration.ledger_archive,
        CONFIGURATION: configuration.xdmod.configuration,
    }
    for folder in configuration.backup.files:
        name = folder.name
        if name in {*found, LEDGER, DATABASES} or not _PLAIN.fullmatch(name):
            raise ConfigurationError(
                f"[backup] files: {folder} needs another name, of letters and digits, and its own."
            )
        found[name] = folder
    return found


@contextmanager
def databases_server(configuration: Configuration, *, restoring: bool = False) -> Iterator[Server | None]:
    """The server with XDMoD's databases; none where none is configured."""
    settings = configuration.backup
    file = (settings.restore_url_file if restoring else None) or settings.url_file
    url = _said(file) if file else settings.url or url_of(configuration.xdmod)
    if url is None:
        yield None
    else:
        with server_of(url, "[backup] url or [xdmod] url") as server:
            yield server


def store_of(configuration: Configuration, output: str | None) -> Store:
    """The place for backups: what is named, or what is configured. Raises ConfigurationError where neither is."""
    place = output or configuration.backup.output
    if not place:
        raise ConfigurationError("Where are backups to go? Name a folder or s3://BUCKET/PREFIX in [backup] output.")
    if place.startswith("s3://"):
        from operations.backup.s3 import S3Store

        return S3Store(place, configuration.backup.s3_endpoint)
    return FolderStore(Path(place).absolute() if output else configuration.file.parent / place)


def _said(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"[backup]: {file} cannot be read: {error}") from error
