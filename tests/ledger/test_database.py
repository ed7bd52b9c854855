"""A ledger is made, brought up to date, and refused where it is none."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

import ledger as ledger_package
from ledger import ConfigurationError, Ledger, Mode, Record, SourceUnavailable
from ledger.database import VERSIONS, connect, upgrade
from ledger.tables import metadata
from tests.ledger.conftest import Backend
from tests.ledger.test_writing import bodies, read, server
from tests.real.mariadb import MariaDB


def executed(url: str, *statements: str) -> None:
    """Say something to the database that the program would not."""
    engine = connect(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_tables_are_as_the_migrations_make_them(ledger: Ledger) -> None:
    """The tables that the program knows and those in a migrated database do not differ."""

    def compared(connection: Connection) -> list[object]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    with ledger.engine.connect() as connection:
        assert compared(connection) == []


def test_the_versions_are_those_of_the_migrations() -> None:
    """The program knows each migration, in its order, without loading what runs them."""
    revisions = ScriptDirectory(str(Path(ledger_package.__file__).parent / "migrations")).walk_revisions()
    assert tuple(reversed([one.revision for one in revisions])) == VERSIONS


def test_a_ledger_of_the_first_version_is_brought_up(ledger: Ledger, url: str) -> None:
    """What it holds stays, and what the older program did not know is there."""
    read(ledger, 1, server())
    before = bodies(ledger)
    later = ("hierarchy_rec", "hierarchy_item", "hierarchy_told")
    executed(url, *(f"DROP TABLE {table}" for table in later), "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(ConfigurationError, match=r"older version 0001\. Bring it up with: xdmod-cloud ledger upgrade"):
        Ledger.open(url)
    assert upgrade(connect(url)) == VERSIONS[-1]
    assert bodies(Ledger.open(url)) == before
    assert inspect(connect(url)).has_table("hierarchy_rec")


def test_upgrading_again_changes_nothing(ledger: Ledger, url: str) -> None:
    """The same version comes back, and the records stay."""
    read(ledger, 1, server())
    before = bodies(ledger)
    assert upgrade(connect(url)) == upgrade(connect(url))
    assert bodies(Ledger.open(url)) == before


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["UPDATE alembic_version SET version_num = '9001'"], "9001, newer than this xdmod-cloud"),
        (["DELETE FROM alembic_version"], "holds tables, but is no ledger"),
        (["DROP TABLE alembic_version"], "holds tables, but is no ledger"),
    ],
)
def test_a_database_of_others_is_left_alone(ledger: Ledger, url: str, statements: list[str], words: str) -> None:
    """It is neither opened nor upgraded."""
    executed(url, *statements)
    for attempt in (Ledger.open, lambda refused: upgrade(connect(refused))):
        with pytest.raises(ConfigurationError, match=words):
            attempt(url)
    assert ledger.sources() == []


def test_an_empty_database_says_how_to_begin(url: str, backend: Backend) -> None:
    """An absent file and a database without tables are no ledgers yet."""
    with pytest.raises(ConfigurationError, match="xdmod-cloud ledger upgrade"):
        Ledger.open(url)
    if backend == "sqlite":
        executed(url, "PRAGMA user_version")
        with pytest.raises(ConfigurationError, match="is empty"):
            Ledger.open(url)


# What only a server of databases can say


def test_an_account_that_may_only_read(mariadb: MariaDB) -> None:
    """It can look, and is told what it lacks when it writes."""
    name = mariadb.database()
    upgrade(connect(mariadb.url(name)))
    read(Ledger.open(mariadb.url(name)), 1, server())
    mariadb.execute("CREATE OR REPLACE USER looker@localhost", f"GRANT SELECT ON {name}.* TO looker@localhost")
    ledger = Ledger.open(mariadb.url(name, "looker"))
    assert len(bodies(ledger)) == 1
    with ledger.writer("sim") as writer, pytest.raises(ConfigurationError, match=r"cannot be written.*right to write"):
        writer.begin(Mode.SWEEP, None)


@pytest.mark.parametrize(
    ("database", "user", "error", "words"),
    [
        ("ledger_9999", "root", ConfigurationError, "no database at .*CREATE DATABASE"),
        ("mysql", "nobody-known", ConfigurationError, "refuses the account"),
        ("mysql", "root", ConfigurationError, "holds tables, but is no ledger"),
    ],
)
def test_a_server_that_says_no(mariadb: MariaDB, database: str, user: str, error: type[Exception], words: str) -> None:
    """What a person must put right is told apart from what passes."""
    mariadb.execute("CREATE OR REPLACE USER looker@localhost")
    with pytest.raises(error, match=words):
        Ledger.open(mariadb.url(database, user))


def test_a_server_that_is_down() -> None:
    """It is tried again later."""
    with pytest.raises(SourceUnavailable, match=r"does not answer.*run again later"):
        Ledger.open("mysql+pymysql://root@localhost/ledger?unix_socket=/nonexistent/socket")


def test_a_connection_that_was_cut_while_idle(mariadb: MariaDB) -> None:
    """The next use takes a new one."""
    name = mariadb.database()
    upgrade(connect(mariadb.url(name)))
    ledger = Ledger.open(mariadb.url(name))
    with mariadb.connect() as own, own.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")
    assert read(ledger, 1, server())["appended"] == 1


def test_a_connection_that_is_cut_while_writing(mariadb: MariaDB) -> None:
    """Nothing of the reading is there, and it can be done again."""
    name = mariadb.database()
    upgrade(connect(mariadb.url(name)))
    ledger = Ledger.open(mariadb.url(name))

    def cut() -> None:
        with mariadb.connect() as own, own.cursor() as cursor:
            cursor.execute("SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_rows_modified > 0")
            for (number,) in cursor.fetchall():
                cursor.execute(f"KILL {number}")

    def records() -> Iterator[Record]:
        yield from (server(number=number) for number in range(700))
        cut()
        yield from (server(number=number) for number in range(700, 1400))

    with ledger.writer("sim") as writer:
        run = writer.begin(Mode.SWEEP, None)
        with pytest.raises(SourceUnavailable, match="run again later"):
            writer.finish(run, server().created, server().created, records())
        writer.fail(run, "cut")
    assert bodies(ledger) == []
    assert ledger.watermark("sim") is None
    assert read(ledger, 1, server())["appended"] == 1


def test_a_lock_whose_connection_was_cut_is_free(mariadb: MariaDB) -> None:
    """What holds it ends in its own time, and the next one may."""
    name = mariadb.database()
    upgrade(connect(mariadb.url(name)))
    ledger = Ledger.open(mariadb.url(name))
    with ledger.writer("sim"), mariadb.connect() as own, own.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")
    assert read(ledger, 1, server())["appended"] == 1
