"""A MariaDB of the tests' own: in a temporary folder, on a socket, gone with the session."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from getpass import getuser
from itertools import count
from pathlib import Path

import pymysql
import pytest

#: Where Debian keeps servers, outside the path of most accounts.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/libexec"])


@dataclass
class MariaDB:
    """A running server. Its account root has no password and comes through the socket only."""

    socket: Path
    _numbers: "count[int]" = field(default_factory=count)

    def connect(self, user: str = "root") -> "pymysql.Connection[pymysql.cursors.Cursor]":
        """A connection of our own, beside those of what is tested."""
        return pymysql.connect(unix_socket=str(self.socket), user=user, autocommit=True)

    def execute(self, *statements: str) -> None:
        """Do something as root."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def url(self, database: str, user: str = "root") -> str:
        """What `[ledger] url` says of a database."""
        return f"mysql+pymysql://{user}@localhost/{database}?unix_socket={self.socket}"

    def database(self) -> str:
        """The name of a new, empty database."""
        name = f"ledger_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return name


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """The server, started once for a session of tests; skips where it is not installed."""
    with served() as running:
        yield running


@contextmanager
def served() -> Iterator[MariaDB]:
    """A server alone, while the context lasts; skips where it is not installed."""
    programs = [shutil.which(program, path=_PATH) for program in ("mariadbd", "mariadb-install-db")]
    if not all(programs):
        pytest.skip("A ledger in MariaDB needs the package mariadb-server: run tests/real/install-packages")
    # The path of a socket has little room, and that of pytest's own folders is long.
    folder = Path(tempfile.mkdtemp(prefix="mariadb-", dir="/tmp"))
    try:
        yield from _served(folder, *map(str, programs))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _served(folder: Path, server: str, install: str) -> Iterator[MariaDB]:
    data, log = f"--datadir={folder / 'data'}", folder / "log"
    whose = ["--no-defaults", f"--user={getuser()}", data]
    with log.open("wb") as output:
        made = [install, *whose, "--skip-test-db", "--auth-root-authentication-method=normal"]
        subprocess.run(made, stdout=output, stderr=output, check=True)
        # What is thrown away after the session need not survive a loss of power.
        careless = ["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--skip-log-bin"]
        # A server that starts removes the temporary tables of any other in its folder for them.
        places = [f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}", f"--tmpdir={folder}"]
        options = [*places, "--skip-networking", *careless]
        with subprocess.Popen([server, *whose, *options], stdout=output, stderr=output) as process:
            running = MariaDB(folder / "socket")
            try:
                _await(running, process, log)
                yield running
            finally:
                process.terminate()


def _await(running: MariaDB, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        try:
            running.connect().close()
        except pymysql.OperationalError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"MariaDB did not start:\n{log.read_text(errors='replace')[-2000:]}")
