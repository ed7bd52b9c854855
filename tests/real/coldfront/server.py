"""A real ColdFront of the tests' own: from PyPI, on SQLite, at a free port, gone with the session."""

import fcntl
import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

HERE = Path(__file__).parent

#: Where ColdFront and databases to begin with are kept between sessions.
DIRECTORY = Path(
    os.environ.get("XDMOD_CLOUD_COLDFRONT")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "xdmod-cloud", "coldfront")
)
PACKAGES = ("coldfront==1.1.10", "djangorestframework==3.16.1", "gunicorn==23.0.0")


@dataclass
class ColdFront:
    """A running ColdFront, filled by `seed.py`. Its core API is at `url`, the list of sites' allocations at `listed`.

    Accounts are users: `reader` and `staff` see all, `of-projects` and `of-allocations` all of one kind, the PI `ada`
    her own, `nobody` nothing. All who use the fixture share the database: `restore` before it matters.
    """

    url: str
    folder: Path

    @property
    def listed(self) -> str:
        """The base address under which the list of OpenStack and OpenShift sites answers."""
        return f"{self.url}/nerc"

    def token(self, user: str) -> str:
        """The API token of an account."""
        return hashlib.sha1(user.encode()).hexdigest()

    def token_file(self, user: str) -> Path:
        """A file with the API token of an account."""
        file = self.folder / f"token-of-{user}"
        file.write_text(f"{self.token(user)}\n")
        return file

    def restore(self) -> None:
        """Take every change back."""
        shutil.copyfile(_seeded(self.folder), _database(self.folder))

    def change(self, script: str) -> None:
        """Run a few lines of Python in which the models of ColdFront and the words of `world.py` are known."""
        words = "from tests.real.coldfront.world import *\n"
        _run([_program("python"), "-c", f"{words}{script}"], self.folder, _environment(_database(self.folder)))


@pytest.fixture(scope="session")
def coldfront(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ColdFront]:
    """The server, started once for a session of tests; skips where ColdFront is not there and cannot be installed."""
    with started(tmp_path_factory.mktemp("coldfront")) as running:
        yield running


@contextmanager
def started(folder: Path) -> Iterator[ColdFront]:
    """Run a server whose database and log are in that folder; skips as the fixture does."""
    with _locked(DIRECTORY):
        _install()
        shutil.copyfile(_seed(), _seeded(folder))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = ColdFront(f"http://127.0.0.1:{listening.getsockname()[1]}", folder)
        running.restore()
        with _served(folder, listening) as log:
            _await(running.url, log)
            yield running


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install() -> None:
    venv, installed = DIRECTORY / "venv", DIRECTORY / "venv" / "packages"
    wanted = " ".join((*PACKAGES, sys.version))
    if installed.is_file() and installed.read_text() == wanted:
        return
    shutil.rmtree(venv, ignore_errors=True)
    pip = [_program("pip"), "install", "--no-input", "--quiet", "--retries=1", "--timeout=20"]
    try:
        _run([sys.executable, "-m", "venv", str(venv)], DIRECTORY, dict(os.environ))
        _run([*pip, *PACKAGES], DIRECTORY, dict(os.environ))
    except RuntimeError as error:
        pytest.skip(f"A real ColdFront is left out: it cannot be installed from PyPI. {error}")
    installed.write_text(wanted)


def _seed() -> Path:
    """A filled database, made once for what it is made of."""
    made_of = " ".join(PACKAGES).encode() + b"".join((HERE / name).read_bytes() for name in ("world.py", "seed.py"))
    seeded = DIRECTORY / f"{hashlib.sha256(made_of).hexdigest()[:16]}.sqlite"
    if not seeded.exists():
        for old in DIRECTORY.glob("*.sqlite*"):
            old.unlink()
        unfinished = seeded.with_suffix(".sqlite-unfinished")
        environment = _environment(unfinished)
        _run([_program("coldfront"), "initial_setup", "--force_overwrite"], DIRECTORY, environment)
        _run([_program("python"), str(HERE / "seed.py")], DIRECTORY, environment)
        unfinished.rename(seeded)
    return seeded


@contextmanager
def _served(folder: Path, listening: socket.socket) -> Iterator[Path]:
    log, handle = folder / "log", listening.fileno()
    command = [_program("gunicorn"), "--bind", f"fd://{handle}", "--threads=2", "coldfront.config.wsgi"]
    environment = _environment(_database(folder))
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output, pass_fds=[handle]
        ) as process,
    ):
        # Only the server may listen: a request to one that has died must not wait.
        listening.close()
        try:
            yield log
        finally:
            process.terminate()


def _await(url: str, log: Path) -> None:
    try:
        answer = requests.get(f"{url}/api/", timeout=60)
    except requests.RequestException:
        pytest.fail(f"ColdFront did not start:\n{log.read_text(errors='replace')[-2000:]}")
    assert answer.status_code == requests.codes.unauthorized, answer.text


def _environment(database: Path) -> dict[str, str]:
    return os.environ | {
        "DB_URL": f"sqlite:///{database}",
        "SECRET_KEY": secrets.token_urlsafe(),
        "PLUGIN_API": "True",
        "DEBUG": "False",
        "ALLOWED_HOSTS": "127.0.0.1",
        "COLDFRONT_URLS": str(HERE / "site_urls.py"),
        "DJANGO_SETTINGS_MODULE": "coldfront.config.settings",
        "PYTHONPATH": str(HERE.parents[2]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _database(folder: Path) -> Path:
    return folder / "coldfront.sqlite"


def _seeded(folder: Path) -> Path:
    return folder / "seeded.sqlite"


def _program(name: str) -> str:
    return str(DIRECTORY / "venv" / "bin" / name)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "It says nothing.").splitlines()[-1]
        raise RuntimeError(f"{Path(command[0]).name} failed: {last}")
