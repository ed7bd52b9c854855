"""A database server through its own programs: what it has, dumps of it, and their loading."""

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ledger import ConfigurationError, DataError, SourceUnavailable, XdmodCloudError
from operations.backup.pipes import Failed, fed, through

__all__ = ["Server", "server_of"]

_PROGRAMS = {"client": ("mariadb", "mysql"), "dump": ("mariadb-dump", "mysqldump")}
#: Options of the drivers that the programs know, too, by the names that these give them.
_OPTIONS = {"unix_socket": "socket", "ssl_ca": "ssl-ca"}
#: Names and texts as they are, however long.
_TEXT = ("--default-character-set=utf8mb4", "--max-allowed-packet=1G")
#: What the server or the programs say, and who can do something about it. Source: MariaDB's error codes.
_DENIED = re.compile(r"Access denied|command denied|\b(1044|1045|1142|1143|1227|1698|1419)\b|must have privilege")
_AWAY = re.compile(
    r"Can't connect|gone away|Lost connection|Lock wait timeout|Deadlock|definition has changed|No space|is full"
    r"|Unknown server host|\b(1205|1213|1412|2002|2003|2005|2006|2013)\b"
)


class Server:
    """A server and an account on it. Made by `server_of`. `place` names it, without a password."""

    def __init__(self, options: Path, place: str) -> None:
        self._options, self.place = options, place

    def ask(self, question: str) -> list[list[str]]:
        """The rows of an answer, as texts."""
        with self._explained():
            said = fed([*self._words("client"), "--batch", "--skip-column-names", "-e", question], [])
        return [line.split("\t") for line in said.decode(errors="replace").splitlines()]

    def databases(self) -> list[str]:
        """The databases that the account sees."""
        return [row[0] for row in self.ask("SHOW DATABASES")]

    def filled(self, databases: Iterable[str]) -> list[str]:
        """Those of the databases that hold a table or a view."""
        wanted = ", ".join(_quoted(name) for name in databases)
        chosen = f"SELECT DISTINCT TABLE_SCHEMA FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ({wanted})"
        return sorted(row[0] for row in self.ask(chosen))

    def unsafe(self, databases: Iterable[str]) -> list[str]:
        """The tables that no transaction covers: what is written meanwhile may be in a dump, or not."""
        wanted = ", ".join(_quoted(name) for name in databases)
        return sorted(
            f"{schema}.{table}"
            for schema, table in self.ask(
                "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE'"
                f" AND ENGINE <> 'InnoDB' AND TABLE_SCHEMA IN ({wanted})"
            )
        )

    def version(self) -> str:
        """What the server calls itself."""
        return self.ask("SELECT VERSION()")[0][0]

    def dump(self, databases: Sequence[str]) -> Iterator[bytes]:
        """All that databases hold, as statements, at one moment for those tables that know transactions."""
        options = ("--single-transaction", "--quick", "--routines", "--triggers", "--hex-blob", "--no-tablespaces")
        with self._explained():
            yield from through([*self._words("dump"), *options, *_TEXT, "--databases", *databases])

    def load(self, chunks: Iterable[bytes]) -> None:
        """Do what a dump says."""
        with self._explained():
            fed(
                [*self._words("client"), "--batch", *_TEXT],
                chunks,
            )

    def drop(self, databases: Iterable[str]) -> None:
        """Delete databases with all that they hold."""
        if statements := "; ".join(f"DROP DATABASE IF EXISTS `{name}`" for name in databases):
            # Tables of one may refer to those of another.
            self.ask(f"SET FOREIGN_KEY_CHECKS = 0; {statements}")

    def _words(self, role: str) -> list[str]:
        for program in _PROGRAMS[role]:
            if path := shutil.which(program):
                return [path, f"--defaults-extra-file={self._options}"]
        raise ConfigurationError(
            f"There is no {' or '.join(_PROGRAMS[role])} in PATH. Install the MariaDB client (mariadb-client)."
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except Failed as error:
            raise self._error(str(error)) from error

    def _error(self, said: str) -> XdmodCloudError:
        if _DENIED.search(said):
            return ConfigurationError(f"{self.place} refuses the account: {said}. Grant what docs/backup.md lists.")
        if _AWAY.search(said):
            return SourceUnavailable(f"{self.place} could not be used just now: {said}. Run again later.")
        return DataError(f"{self.place} refuses what was to be done: {said}.")


@contextmanager
def server_of(url: str, named_by: str) -> Iterator[Server]:
    """The server of a URL as SQLAlchemy has it; `named_by` is the key that holds it.

    The account goes into a file for this run that nobody else may read. Raises ConfigurationError for no such URL.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("mysql", "mariadb"):
            raise ConfigurationError(f"{named_by} names no MariaDB or MySQL. Write mysql+pymysql://USER@HOST")
    except (ArgumentError, ValueError) as error:
        # What could not be read is not repeated: it may hold a password.
        raise ConfigurationError(f"{named_by} cannot be used. Write mysql+pymysql://USER@HOST") from error
    place = parsed.set(query={}).render_as_string(hide_password=True)
    with TemporaryDirectory(prefix="xdmod-cloud-") as folder:
        options = Path(folder) / "client.cnf"
        options.touch(mode=0o600)
        options.write_text(_options(parsed), encoding="utf-8")
        yield Server(options, place)


def _options(url: URL) -> str:
    lines = list[str]()
    if file := url.query.get("read_default_file"):
        lines.append(f"!include {Path(str(file)).expanduser().absolute()}")
    lines.append("[client]")
    values: dict[str, object] = {"user": url.username, "password": url.password, "host": url.host, "port": url.port}
    values |= {option: url.query.get(key) for key, option in _OPTIONS.items()}
    lines += [f"{name}={_value(str(value))}" for name, value in values.items() if value]
    return "\n".join(lines) + "\n"


def _value(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quoted(name: str) -> str:
    return "'" + name.replace("\\", "\\\\").replace("'", "''") + "'"
