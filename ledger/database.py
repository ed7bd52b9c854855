"""The database under the ledger: how it is opened, checked and migrated."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, column, create_engine, event, inspect, select, table
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError

from ledger.errors import ConfigurationError, DataError, SourceUnavailable, XdmodCloudError

__all__ = ["check", "connect", "explained", "place", "reading", "sqlite_file", "upgrade", "writing"]

_UPGRADE = "xdmod-cloud ledger upgrade"
#: The versions of the ledger, the oldest first, as its migrations number them.
VERSIONS = ("0001", "0002", "0003", "0004")
_VERSION_TABLE = "alembic_version"
_VERSION: Select[Any] = select(column("version_num")).select_from(table(_VERSION_TABLE))
_TURN = _VERSION.with_for_update()


class _NeedsUpgrade(ConfigurationError):
    """A ledger that `upgrade` makes or brings up to date."""


def connect(url: str) -> Engine:
    """Return the engine of a ledger; nothing is opened yet.

    Raises ConfigurationError for a URL that is neither SQLite's nor MariaDB's.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "mysql", "mariadb"):
            raise ConfigurationError(
                f"[ledger] url names {parsed.get_backend_name()}; the ledger lives in sqlite:///FILE or mysql+pymysql://…"
            )
        if parsed.get_backend_name() == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise ConfigurationError("[ledger] url names no file. Write sqlite:///FILE.")
            return _sqlite(parsed)
        return create_engine(parsed, pool_pre_ping=True, pool_recycle=3600, hide_parameters=True)
    except (ArgumentError, ImportError, NoSuchModuleError, ValueError) as error:
        # What could not be read is not repeated: it may hold a password.
        raise ConfigurationError(
            f"[ledger] url cannot be used ({type(error).__name__}). Write sqlite:///FILE or"
            " mysql+pymysql://USER:PASSWORD@HOST/DATABASE, with %40 for an @ and %2F for a / in the password."
        ) from error


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 60}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        # The driver's own transactions start too late to hold a lock from the first read on.
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout = 60000")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the ledger."""
    with explained(engine), engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that will write: all of it happens, or nothing. Only one is open at a time."""
    with explained(engine), engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name != "sqlite":
            # Two that append at once would end in a deadlock. This row is always there, and nothing else locks it.
            connection.execute(_TURN)
        yield connection


def check(engine: Engine) -> None:
    """Refuse a ledger that is absent, corrupt, older or newer than this program; never change it.

    Raises ConfigurationError, with what to do, or SourceUnavailable where the database does not answer.
    """
    at = place(engine)
    if engine.dialect.name == "sqlite" and not sqlite_file(engine).exists():
        raise _NeedsUpgrade(f"There is no ledger at {at}. Make it with: {_UPGRADE}")
    with reading(engine) as connection:
        tables = inspect(connection).get_table_names()
        revision = connection.scalar(_VERSION) if _VERSION_TABLE in tables else None
    if revision is None:
        if tables:
            raise ConfigurationError(
                f"The database at {at} holds tables, but is no ledger. Name another in [ledger] url."
            )
        raise _NeedsUpgrade(f"The ledger at {at} is empty. Make its tables with: {_UPGRADE}")
    if revision not in VERSIONS:
        raise ConfigurationError(
            f"The ledger at {at} is of version {revision}, newer than this xdmod-cloud (which knows up to"
            f" {VERSIONS[-1]}). Nothing was touched; install the newer xdmod-cloud."
        )
    if revision != VERSIONS[-1]:
        raise _NeedsUpgrade(f"The ledger at {at} is of the older version {revision}. Bring it up with: {_UPGRADE}")


def upgrade(engine: Engine) -> str:
    """Make the ledger's tables, or bring them to this program's version; return that version.

    Raises ConfigurationError for a database that is corrupt, newer or somebody else's.
    """
    if engine.dialect.name == "sqlite":
        folder = sqlite_file(engine).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"Cannot make the ledger's folder {folder}: {error.strerror}. Correct [ledger] url or its rights."
            ) from error
    with suppress(_NeedsUpgrade):
        check(engine)
    with explained(engine):
        if engine.dialect.name == "sqlite":
            with engine.connect() as connection:
                connection.exec_driver_sql("COMMIT")
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        with engine.begin() as connection:
            _migrate(connection)
    return VERSIONS[-1]


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Turn what the database says of itself into errors that an operator can act on."""
    try:
        yield
    except OperationalError as error:
        raise _explain(engine, error) from error
    except DBAPIError as error:
        if engine.dialect.name == "sqlite" and isinstance(error.orig, sqlite3.DatabaseError) and _is_corrupt(error):
            raise _corrupt(engine, str(error.orig)) from error
        if error.connection_invalidated or (isinstance(error, InterfaceError) and engine.dialect.name != "sqlite"):
            raise _explain(engine, error) from error
        said = " ".join(str(error.orig).split())
        raise DataError(
            f"The ledger at {place(engine)} refuses what was to be done: {said}. Nothing was recorded;"
            " run again with -v to see where, and report it."
        ) from error


def _explain(engine: Engine, error: DBAPIError) -> XdmodCloudError:
    said, at = str(error.orig), place(engine)
    if _is_corrupt(error):
        return _corrupt(engine, said)
    if "readonly" in said or "read-only" in said or "command denied" in said:
        return ConfigurationError(
            f"The ledger at {at} cannot be written: {said}. Give this account the right to write it."
        )
    if "Access denied" in said:
        return ConfigurationError(f"The ledger at {at} refuses the account: {said}. Correct [ledger] url.")
    if "Unknown database" in said:
        return ConfigurationError(
            f"There is no database at {at}. Make it with CREATE DATABASE, or correct [ledger] url."
        )
    if "disk is full" in said or "No space left" in said:
        return SourceUnavailable(
            f"There is no room left for the ledger at {at}. Nothing was recorded; make room, then run again later."
        )
    if "unable to open" in said:
        return ConfigurationError(f"The ledger at {at} cannot be opened: {said}. Check the folder and its rights.")
    return SourceUnavailable(f"The ledger at {at} does not answer: {said}. Nothing was recorded; run again later.")


def _is_corrupt(error: DBAPIError) -> bool:
    return any(sign in str(error.orig) for sign in ("malformed", "not a database", "disk image"))


def _corrupt(engine: Engine, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The ledger at {place(engine)} is damaged: {why}. Nothing was touched; restore it from a backup."
    )


def place(engine: Engine) -> str:
    """Where a ledger is, without its password."""
    return str(
        engine.url.database if engine.dialect.name == "sqlite" else engine.url.render_as_string(hide_password=True)
    )


def sqlite_file(engine: Engine) -> Path:
    """The file of a ledger in SQLite, whether its URL names it plainly or as `file:`."""
    return Path(str(engine.url.database).removeprefix("file:").partition("?")[0])


def _migrate(connection: Connection) -> None:
    # Alembic takes long to load, and only here is it needed.
    from alembic import command
    from alembic.config import Config

    config = Config()
    with as_file(files("ledger") / "migrations") as folder:
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, VERSIONS[-1])
