"""A MariaDB of the benchmarks' own, with the defaults of its makers: each commit is on the disk, 128 MB of buffers."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path
from tempfile import TemporaryDirectory

import pymysql

__all__ = ["mariadb"]

#: Where Debian keeps servers, outside the path of most accounts.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/libexec"])


@contextmanager
def mariadb() -> Iterator[str | None]:
    """The URL of an empty database, on a server that is gone afterwards; none where MariaDB is not installed."""
    server, install = (shutil.which(program, path=_PATH) for program in ("mariadbd", "mariadb-install-db"))
    if server is None or install is None:
        yield None
        return
    # The path of a socket has little room.
    with TemporaryDirectory(prefix="mariadb-", dir="/tmp") as folder:
        whose = ["--no-defaults", f"--user={getuser()}", f"--datadir={folder}/data"]
        made = [install, *whose, "--skip-test-db", "--auth-root-authentication-method=normal"]
        subprocess.run(made, capture_output=True, check=True)
        socket, log = Path(folder, "socket"), Path(folder, "log")
        # A server that starts removes the temporary tables of any other in its folder for them.
        options = [f"--socket={socket}", f"--pid-file={folder}/pid", f"--tmpdir={folder}", "--skip-networking"]
        with log.open("wb") as output, subprocess.Popen([server, *whose, *options], stderr=output) as process:
            try:
                _make_database(process, socket, log)
                yield f"mysql+pymysql://root@localhost/ledger?unix_socket={socket}"
            finally:
                process.terminate()


def _make_database(process: "subprocess.Popen[bytes]", socket: Path, log: Path) -> None:
    while process.poll() is None:
        try:
            connection = pymysql.connect(unix_socket=str(socket), user="root")
        except pymysql.OperationalError:
            time.sleep(0.1)
        else:
            with connection, connection.cursor() as cursor:
                cursor.execute("CREATE DATABASE ledger")
            return
    raise RuntimeError(f"MariaDB did not start:\n{log.read_text(errors='replace')[-2000:]}")
