"""A site for tests: a configuration, a ledger and an outbox in a folder, beside a simulated cloud on a real server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from demo.replay import Replay
from exporters.openstack import Exported, Grid
from ledger import Ledger
from ledger.database import connect, reading, upgrade
from ledger.tables import record
from operations.collect import collect_openstack
from operations.configuration import Configuration, load
from operations.export import export_openstack
from operations.runs import CollectRun
from usage import Engine, Session

COMMAND = Path(sys.executable).with_name("xdmod-cloud")


def _quietly(part: str, done: int, total: int) -> None:
    """Show no progress."""


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass
class Site:
    """The folder of one site, and the server of its cloud where that is simulated."""

    folder: Path
    clouds_yaml: Path
    replay: Replay | None = None

    @classmethod
    def beside(cls, server: Replay, folder: Path, **source: int | str) -> "Site":
        """Set a site up in a folder: configured for the cloud of the server, with an empty ledger."""
        folder.mkdir(parents=True, exist_ok=True)
        site = cls.of(server.clouds_yaml(folder / "clouds.yaml"), folder, **{"cloud": "demo", **source})
        site.replay = server
        return site

    @classmethod
    def of(cls, clouds_yaml: Path, folder: Path, **source: int | str) -> "Site":
        """Set a site up in a folder: configured for a cloud of that file, with an empty ledger."""
        settings = {"name": "sim", "resource": "sim", **source}
        lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in settings.items()]
        (folder / "xdmod-cloud.toml").write_text("\n".join(["[[openstack]]", *lines, ""]))
        site = cls(folder, clouds_yaml)
        upgrade(connect(load(folder / "xdmod-cloud.toml").ledger_url))
        return site

    @property
    def server(self) -> Replay:
        """The server of a simulated cloud."""
        assert self.replay is not None
        return self.replay

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox" / "sim" / "events"

    @property
    def ledger_url(self) -> str:
        return f"sqlite:///{self.folder / 'ledger.sqlite'}"

    @property
    def environment(self) -> dict[str, str]:
        """What the command needs to find this site."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("OS_")},
            "OS_CLIENT_CONFIG_FILE": str(self.clouds_yaml),
            "XDMOD_CLOUD_CONFIG": str(self.folder / "xdmod-cloud.toml"),
        }

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command as a user would; what it returns is not judged."""
        return subprocess.run(
            [COMMAND, *words], env=self.environment, capture_output=True, text=True, check=False, timeout=100
        )

    def run(self, *words: str) -> str:
        """Run the command; it must succeed."""
        done = self.call(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def collect(self, *, sweep: bool = False) -> CollectRun:
        """Read the cloud, in this process."""
        with _environment(self.environment):
            ledger, configuration = self.opened()
            return collect_openstack(ledger, configuration.openstack[0], _quietly, sweep=sweep)

    def export(self, grid: Grid | None = None) -> list[Exported]:
        """Write what is new into the outbox, in this process."""
        ledger, configuration = self.opened()
        return list(export_openstack(ledger, configuration, configuration.openstack[0], None, grid))

    def opened(self) -> tuple[Ledger, Configuration]:
        configuration = load(self.folder / "xdmod-cloud.toml")
        return Ledger.open(configuration.ledger_url, configuration.ledger_archive), configuration

    def round(self, at: datetime, *, sweep: bool = False) -> None:
        """Collect and export at a moment of the cloud's clock."""
        self.server.at = at
        self.collect(sweep=sweep)
        self.export()

    def rounds(self, start: datetime, end: datetime, every: timedelta) -> None:
        """Daily life from one moment to another, both included."""
        while start <= end:
            self.round(start)
            start += every

    def sessions(self, *folders: Path) -> list[Session]:
        """The sessions that XDMoD would build of the event files."""
        with Engine() as engine:
            engine.read(*(folders or [self.outbox]))
            return list(engine.sessions())

    def events(self) -> list[dict[str, Any]]:
        """Every event in the outbox, file by file."""
        files = sorted(self.outbox.glob("*.json"))
        return [event for file in files for event in msgspec.json.decode(file.read_bytes())]

    def content(self) -> dict[str, list[tuple[str, str, str]]]:
        """What the ledger holds of each subject, in its order: identity, when it was seen (UTC), body."""
        ledger, _ = self.opened()
        chosen = select(record).order_by(record.c.seq)
        content: dict[str, list[tuple[str, str, str]]] = {}
        with reading(ledger.engine) as connection:
            for row in connection.execute(chosen).mappings():
                told = content.setdefault(f"{row['kind']} {row['subject']}", [])
                told.append((row["identity"], row["observed"].isoformat(), row["body"]))
        ledger.engine.dispose()
        return content

    def bytes(self) -> dict[str, bytes]:
        """Every file in the outbox as it is."""
        return {file.name: file.read_bytes() for file in sorted(self.outbox.glob("*.json"))}
