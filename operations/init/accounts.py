"""Databases, accounts and grants: what is there, what lacks, and the statements that make it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pymysql

from ledger import ConfigurationError, DataError, SourceUnavailable, XdmodCloudError
from operations.init.secrets import MASK, secret_of
from operations.init.site import Account, Database

__all__ = ["DATABASES", "Accounts", "Owner", "Statement", "accounts_of", "connected", "owners", "perform"]

#: XDMoD's databases. Source: its DatabaseSetup, and the schemas that its ETL definitions name; it would make those of
#: the latter itself, if its account might make databases.
DATABASES = (
    *("mod_hpcdb", "mod_logger", "mod_shredder", "moddb", "modw", "modw_aggregates", "modw_cloud", "modw_etl"),
    *("modw_filters", "modw_gateways"),
)
#: What reports read.
_READ = ("mod_hpcdb", "modw", "modw_cloud")
#: What the server says where an account may not come in.
_DENIED = (1045, 1130, 1698)
#: … where it may not do what was asked …
_FORBIDDEN = (1044, 1142, 1143, 1227, 1410)
#: … and where it, or what it works with, is away just now.
_AWAY = (1040, 1053, 1203, 1205, 1213, 1317, 2002, 2003, 2005, 2006, 2013)
_GRANT = re.compile(r"GRANT (.+?) ON (?:(\*)|`([^`]+)`|(\w+))\.\* TO ", re.IGNORECASE)


class Owner(NamedTuple):
    """An account, whence it comes, its secret, and what it may do in which databases; `makes` are those it owns."""

    user: str
    host: str
    password: str
    right: str
    databases: tuple[str, ...]
    makes: bool
    named_by: str

    @property
    def name(self) -> str:
        """As people write it."""
        return f"'{self.user}'@'{self.host}'"


class Statement(NamedTuple):
    """A statement with its values, and how it is shown."""

    sql: str
    values: tuple[str, ...]
    shown: str


class Accounts(NamedTuple):
    """What has to be done, and what should be known."""

    statements: list[Statement]
    warnings: list[str]


class _Rights(NamedTuple):
    """What an account may do: everywhere, and in databases by the patterns that the server has."""

    everywhere: set[str]
    inside: dict[str, set[str]]

    def have(self, right: str, database: str) -> bool:
        given = self.inside.get(_pattern(database), set()) | self.inside.get(database, set())
        return right in given or "ALL PRIVILEGES" in given


def owners(database: Database, folder: Path) -> list[Owner]:
    """The accounts that a site's file asks for. Raises ConfigurationError where a secret cannot be had."""

    def secret(account: Any, key: str) -> str:
        return secret_of(account.password, folder, f"database.{key}password")

    host, reader, ledger = database.from_host, database.reader, database.ledger
    xdmod = secret(database, "")
    found = [Owner(database.user, host, xdmod, "ALL PRIVILEGES", DATABASES, True, "database.password")]
    if ledger:
        password = secret(ledger, "ledger.")
        found.append(
            Owner(ledger.user, host, password, "ALL PRIVILEGES", (ledger.name,), True, "database.ledger.password")
        )
    if reader:
        password = secret(reader, "reader.")
        found.append(Owner(reader.user, host, password, "SELECT", _READ, False, "database.reader.password"))
    return found


def accounts_of(database: Database, folder: Path) -> Accounts:
    """What lacks of databases, accounts and grants.

    Each account is tried first; the administrator's is used only where one lacks something. Raises ConfigurationError
    where that is needed and cannot be used, SourceUnavailable where the server does not answer.
    """
    wanted, warnings = owners(database, folder), list[str]()
    lacking = list[Owner]()
    for owner in wanted:
        state = _own_view(database, owner)
        if state is None or not all(state.have(owner.right, name) for name in owner.databases):
            lacking.append(owner)
        if state and state.everywhere:
            warnings.append(
                f"{owner.name} may do more than it needs: {', '.join(sorted(state.everywhere))} on everything. If"
                f" nobody else relies on it: REVOKE ALL PRIVILEGES ON *.* FROM {owner.name}"
            )
    made = [owner for owner in wanted if owner.makes]
    if not lacking and all(_databases(database, owner) >= set(owner.databases) for owner in made):
        return Accounts([], warnings)
    with _administrator(database, folder) as connection:
        statements = list(_statements(connection, database, wanted))
    return Accounts(statements, warnings)


def perform(database: Database, folder: Path, statements: Iterable[Statement]) -> None:
    """Do what lacks, as the administrator; each statement can be done again."""
    with _administrator(database, folder) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.sql, statement.values)
    for owner in owners(database, folder):
        if _own_view(database, owner) is None:
            raise ConfigurationError(
                f"{owner.name} was made, and the server does not let it in from this host. Correct"
                " database.account_host, or remove an account of that name for this host alone."
            )


@contextmanager
def connected(database: Database, user: str, password: str) -> Iterator["pymysql.Connection[Any]"]:
    """A connection of an account. Raises ConfigurationError where it is refused, SourceUnavailable without a server."""
    place = f"{user} at {database.host}:{database.port}"
    try:
        with closing(_connect(database, user, password)) as connection:
            yield connection
    except pymysql.MySQLError as error:
        raise _explained(place, error) from error


def _connect(database: Database, user: str, password: str) -> "pymysql.Connection[Any]":
    return pymysql.connect(
        host=database.host,
        port=database.port,
        unix_socket=database.socket,
        user=user,
        password=password,
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=20,
    )


def _explained(place: str, error: pymysql.MySQLError) -> XdmodCloudError:
    code, said = (*error.args, "", "")[:2]
    if code in _DENIED:
        return ConfigurationError(f"The database refuses {place}: {said}. Correct its password, or the account.")
    if code in _FORBIDDEN:
        return ConfigurationError(
            f"{place} may not do this: {said}. Name an account in database.administrator that may."
        )
    if code in _AWAY or isinstance(error, pymysql.InterfaceError):
        return SourceUnavailable(f"The database does not answer {place}: {said}. Run again later.")
    return DataError(f"The database refuses what {place} asked: {said}. Report it.")


@contextmanager
def _administrator(database: Database, folder: Path) -> Iterator["pymysql.Connection[Any]"]:
    account: Account | None = database.administrator
    if account is None:
        raise ConfigurationError(
            "Databases or accounts lack, and database.administrator is missing: name an account that may make them."
        )
    password = ""
    if account.password is not None:
        password = secret_of(account.password, folder, "database.administrator.password")
    with connected(database, account.user, password) as connection:
        yield connection


def _own_view(database: Database, owner: Owner) -> _Rights | None:
    """What an account may do, as it says itself; None where it does not come in."""
    try:
        with closing(_connect(database, owner.user, owner.password)) as connection:
            return _rights(row[0] for row in _ask(connection, "SHOW GRANTS"))
    except pymysql.MySQLError as error:
        if error.args and error.args[0] in _DENIED:
            return None
        raise _explained(f"{owner.user} at {database.host}:{database.port}", error) from error


def _databases(database: Database, owner: Owner) -> set[str]:
    with connected(database, owner.user, owner.password) as connection:
        return {row[0] for row in _ask(connection, "SHOW DATABASES")}


def _rights(lines: Iterable[str]) -> _Rights:
    found = _Rights(set(), {})
    for line in lines:
        if match := _GRANT.match(line):
            given = {right.strip().upper() for right in match[1].split(",")} - {"USAGE"}
            if match[2]:
                found.everywhere.update(given)
            else:
                found.inside.setdefault(match[3] or match[4], set()).update(given)
    return found


def _statements(connection: Any, database: Database, wanted: Sequence[Owner]) -> Iterator[Statement]:
    """What lacks, as the administrator sees it."""
    there = {row[0] for row in _ask(connection, "SHOW DATABASES")}
    ledger = database.ledger and database.ledger.name
    for name in (name for owner in wanted if owner.makes for name in owner.databases):
        if name not in there:
            kind = " CHARACTER SET utf8mb4" if name == ledger else ""
            yield _plain(f"CREATE DATABASE IF NOT EXISTS `{name}`{kind}")
    for owner in wanted:
        known = bool(_ask(connection, "SELECT 1 FROM mysql.user WHERE User = %s AND Host = %s", owner.user, owner.host))
        if not known:
            yield _secret("CREATE USER IF NOT EXISTS", owner)
        elif _own_view(database, owner) is None:
            yield _secret("ALTER USER", owner)
        shown = _ask(connection, "SHOW GRANTS FOR %s@%s", owner.user, owner.host) if known else []
        rights = _rights(row[0] for row in shown)
        for name in owner.databases:
            if not rights.have(owner.right, name):
                yield _grant(owner, name)


def _plain(sql: str) -> Statement:
    return Statement(sql, (), sql)


def _secret(verb: str, owner: Owner) -> Statement:
    values = (owner.user, owner.host, owner.password)
    return Statement(f"{verb} %s@%s IDENTIFIED BY %s", values, f"{verb} {owner.name} IDENTIFIED BY '{MASK}'")


def _grant(owner: Owner, database: str) -> Statement:
    sql = f"GRANT {owner.right} ON `{_pattern(database)}`.* TO"
    # The driver fills values in by %; an underscore needs no care there.
    return Statement(f"{sql} %s@%s", (owner.user, owner.host), f"{sql} {owner.name}")


def _pattern(database: str) -> str:
    """A database in a grant, where an underscore stands for any character unless it is escaped."""
    return database.replace("_", r"\_")


def _ask(connection: Any, statement: str, *values: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return list(cursor.fetchall())
