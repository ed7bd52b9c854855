"""A site with a stand-in for XDMoD beside it: files in the outbox, and what became of them."""

import fcntl
import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from ledger.database import connect, upgrade
from operations.configuration import load
from operations.xdmod.commands import PROGRAMS
from tests.cli.here import call
from tests.site import Site
from tests.xdmod import standin

__all__ = ["CLOUD", "CLUSTER", "DAY", "Place", "event", "job"]

CLOUD, CLUSTER = "kaizen", "ocp"
DAY = "2026-10-05"
CONFIGURATION = f"""
[[openstack]]
name = "stack"
cloud = "demo"
resource = "{CLOUD}"

[[openshift]]
name = "pods"
resource = "{CLUSTER}"
"""


def event(instance: str, minute: int, kind: str = "compute.instance.create.start", **more: Any) -> dict[str, Any]:
    """An event of an instance at a minute of the day, as the exporter writes them."""
    return {
        "generated": f"{DAY}T{minute // 60:02}:{minute % 60:02}:00.000000",
        "instance_id": instance,
        "event_type": kind,
        "instance_type": "m1.small",
        "vcpus": 2,
        "memory_mb": 2048,
        "host": "compute1",
        **more,
    }


def job(number: int, *, state: str = "COMPLETED", day: str = DAY) -> str:
    """A line of a job."""
    times = f"{day}T01:00:00|{day}T01:00:00|{day}T01:00:00|{day}T02:00:00"
    return f"{number}|{number}|ocp|p|q|a|group|1|user|1|{times}|01:00:00|0:0|{state}|1|1|1|1M|cpu=1|cpu=1|1|n1|name"


@dataclass
class Place:
    """The folder of a site; `settings` is text that its configuration ends with."""

    folder: Path
    settings: str = ""
    waited: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "bin").mkdir(exist_ok=True)
        for program in PROGRAMS:
            script = self.folder / "bin" / program
            script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -S {standin.__file__} "$0" "$@"\n')
            script.chmod(0o755)
        (self.folder / "state").mkdir(exist_ok=True)
        self.resources(CLOUD, CLUSTER)
        self.configure()
        with self._db() as db:
            db.executescript(f"PRAGMA synchronous = OFF; {standin.TABLES}")

    def configure(self, clouds: str = CONFIGURATION, **keys: str | float) -> None:
        """Write the configuration; `keys` are of [xdmod]."""
        said = {"bin": "bin", "configuration": "state", **keys}
        lines = [clouds, "[xdmod]", *(f"{key} = {json.dumps(value)}" for key, value in said.items()), self.settings]
        (self.folder / "xdmod-cloud.toml").write_text("\n".join(lines))
        upgrade(connect(load(self.folder / "xdmod-cloud.toml").ledger_url))

    def resources(self, *names: str) -> None:
        """What XDMoD's resources.json has."""
        listed = [{"resource": name, "resource_type": "Cloud"} for name in names]
        (self.folder / "state" / "resources.json").write_text(json.dumps(listed))

    @property
    def site(self) -> Site:
        return _Site(self.folder, self.folder / "clouds.yaml")

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    # What exporters leave in the outbox.

    def events(self, name: str, *records: Any, resource: str = CLOUD) -> Path:
        """An event file of a day; what is in it need not be right."""
        lines = ",\n".join(json.dumps(record) for record in records)
        return self.put(f"{resource}/events/{_day_file(name)}", f"[\n{lines}\n]\n")

    def facts(self, day: str = DAY, **hosts: int) -> Path:
        """A file of hypervisors with so many cores each."""
        listed = [{"hypervisor_hostname": name, "vcpus": cores, "memory_mb": 1024} for name, cores in hosts.items()]
        document = json.dumps({"hypervisors": listed, "ts": f"{day}T00:00:00Z"})
        return self.put(f"{CLOUD}/hypervisors/hypervisor_facts_{day}T00:00:00.json", document)

    def jobs(self, day: str, *lines: str) -> Path:
        """The jobs of a day."""
        return self.put(f"{CLUSTER}/jobs/{day}.log", "".join(f"{line}\n" for line in lines))

    def owners(self, **files: Sequence[str]) -> None:
        """The four CSVs of the hierarchy; those that are not named are empty."""
        for name in ("hierarchy", "group", "names", "pi2project"):
            self.put(f"hierarchy/{name}.csv", "".join(f"{line}\n" for line in files.get(name, ())))

    def put(self, name: str, text: str) -> Path:
        """Any file in the outbox."""
        path = self.outbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    # What happens.

    def fault(self, name: str, times: int = 1) -> None:
        """Let something go wrong in XDMoD so many times."""
        with self._db() as db, db:
            db.execute("INSERT OR REPLACE INTO fault VALUES (?, ?)", (name, times))

    def call(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the command; between two attempts nobody waits, and the result is not judged."""
        with patch("operations.xdmod.commands.sleep", self.waited.append):
            return call(self.site, *words)

    def run(self, *words: str) -> str:
        """Run the command; it must succeed."""
        done = self.call(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fails(self, code: int, *words: str) -> str:
        """Run the command, which ends in that code; returns what it says of it."""
        done = self.call(*words)
        assert done.returncode == code, (done.returncode, done.stderr)
        assert "Traceback" not in done.stderr
        assert "unexpected" not in done.stderr
        return done.stderr

    def json(self, *words: str) -> Any:
        """What a command that succeeds prints for programs."""
        return msgspec.json.decode(self.run(*words, "--json"))

    def killed(self, *words: str, orphans: bool = False, prepare: Callable[[], None] = lambda: None) -> bool:
        """Run the command in a process of its own after `prepare`; returns whether it was killed.

        Waits for what it has left behind to end, too, unless there are to be orphans.
        """
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                os.environ["XDMOD_STANDIN_CALLER"] = str(os.getpid())
                prepare()
                self.call(*words)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not orphans:
            with (self.outbox / ".xdmod.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
        return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL

    def bin_from_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the commands be in PATH, and not in the configuration."""
        monkeypatch.setenv("PATH", f"{self.folder / 'bin'}:{os.environ['PATH']}")
        file = self.folder / "xdmod-cloud.toml"
        file.write_text(file.read_text().replace('bin = "bin"\n', ""))

    def forget_jobs(self) -> None:
        """Take the jobs that XDMoD has read out of it."""
        with self._db() as db, db:
            db.execute("DELETE FROM slurm")

    def foreign_project(self) -> None:
        """Let XDMoD have been told of a project of a resource that it does not have."""
        with self._db() as db, db:
            line = "lab,lab,elsewhere"
            db.execute("INSERT INTO imported VALUES ('cloud-project-to-pi', 'lab', ?)", (line,))

    def ago(self, **past: float) -> None:
        """Let time pass: everything that was done until now, and noted, was done earlier."""
        span = timedelta(**past)
        with self._db() as db, db:
            for rowid, modified in db.execute("SELECT rowid, modified FROM fact").fetchall():
                db.execute("UPDATE fact SET modified = ? WHERE rowid = ?", (_earlier(modified, span), rowid))
        file = self.outbox / ".pending.json"
        noted = json.loads(file.read_text())
        noted["aggregate"] = {realm: _earlier(since, span) for realm, since in noted["aggregate"].items()}
        file.write_text(json.dumps(noted))

    @contextmanager
    def archive_in(self, file_system: Path) -> Iterator[Path]:
        """Let the archive be on a file system, while the context lasts."""
        with TemporaryDirectory(dir=file_system) as folder:
            self.configure(archive=folder)
            yield Path(folder)

    # What became of it.

    def calls(self, program: str = "") -> list[list[str]]:
        """The arguments of all calls of XDMoD's commands, or of one of them."""
        with self._db() as db:
            found = db.execute("SELECT program, words FROM call ORDER BY rowid").fetchall()
        return [json.loads(words) for name, words in found if program in ("", name)]

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """What XDMoD has in a table."""
        with self._db() as db:
            return sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=str)

    def known(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that XDMoD knows in the end: what was read, and what of it is added up."""
        tables = ("raw", "host", "slurm", "passed_on", "usage", "aggregated", "imported")
        found = {table: self.rows(table) for table in tables}
        # Where the importer dies after its work is done, XDMoD makes persons anew; there they are equal.
        found["person"] = sorted(set(self.rows("person")))
        found["slurm"] = [row[1:] for row in found["slurm"]]
        found["fact"] = [row[:3] for row in self.rows("fact")]
        return found

    def files(self) -> dict[str, bytes]:
        """Every file in the outbox and the archive that is not hidden, by its path, with its bytes."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for top in (self.outbox, self.archive)
            for path in sorted(top.rglob("*"))
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(top).parts)
        }

    @contextmanager
    def _db(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.folder / "state" / "xdmod.sqlite", timeout=30)) as db:
            yield db


def _earlier(text: str, span: timedelta) -> str:
    return f"{datetime.fromisoformat(text) - span:%Y-%m-%d %H:%M:%S}"


def _day_file(name: str) -> str:
    return f"{name}T00:00:00_{name}T23:59:59.json"


class _Site(Site):
    @property
    def environment(self) -> dict[str, str]:
        """What the command needs, and what the stand-in keeps its state in."""
        return {**super().environment, "XDMOD_STANDIN": str(self.folder / "state" / "xdmod.sqlite")}
