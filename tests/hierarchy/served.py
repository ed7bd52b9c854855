"""A site that reads a ColdFront and a Keycloak over HTTP, and is worked with through the command."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from sqlalchemy import select
from urllib3.util import Retry

from ledger import Ledger
from ledger.database import reading
from ledger.tables import hierarchy_item, hierarchy_rec, record
from tests.cli.here import call
from tests.hierarchy.estate import new_ledger
from tests.real.keycloak import FIELD, INSTITUTION, Keycloak
from tests.real.listing import Listing
from tests.site import Site

__all__ = ["CLOUDS", "SKY", "Served", "served"]

SKY = "0000000000000000000000000000000c"


@dataclass
class Served:
    """A folder with a configuration and a ledger, and the servers of its two sources."""

    site: Site
    listing: Listing
    keycloak: Keycloak

    @property
    def folder(self) -> Path:
        return self.site.folder

    def write(self, *, cloud: str = "", before: str = "", **tables: dict[str, Any]) -> None:
        """Write the configuration; a table replaces or adds keys, `cloud` and `before` are text of the file."""
        (self.folder / "keycloak.secret").write_text(f"{self.keycloak.secret}\n")
        said: dict[str, dict[str, Any]] = {
            "coldfront": {"url": self.listing.url},
            "keycloak": {
                "url": self.keycloak.url,
                "realm": self.keycloak.realm,
                "client": self.keycloak.client,
                "secret_file": "keycloak.secret",
            },
            "hierarchy": {},
        }
        text = [before, cloud or CLOUDS]
        for name in {**said, **tables}:
            table = said.get(name, {}) | tables.get(name, {})
            text += [f"[{name}]", *(f"{key} = {msgspec.json.encode(value).decode()}" for key, value in table.items())]
        (self.folder / "xdmod-cloud.toml").write_text("\n".join([*text, ""]))

    def at(self, moment: datetime) -> None:
        """Set the clocks of both servers."""
        self.listing.at = self.keycloak.at = moment

    def person(self, name: str, institution: str | None, field: str | None, **more: Any) -> None:
        """Add a person to Keycloak, or replace the one of that name."""
        known = {INSTITUTION: institution, FIELD: field}
        user = {
            "id": f"id-of-{name}",
            "username": name,
            "email": f"{name}@example.org",
            "attributes": {key: [value] for key, value in known.items() if value is not None},
            **more,
        }
        self.keycloak.users = [one for one in self.keycloak.users if one["username"] != name] + [user]

    def call(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the command; nobody waits between two attempts, and the result is not judged."""
        with patch.object(Retry, "sleep", lambda *_: None):
            return call(self.site, *words)

    def run(self, *words: str) -> str:
        """Run the command; it must succeed without a word of warning."""
        done = self.call(*words)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    def json(self, *words: str) -> Any:
        """What a command prints for programs."""
        return msgspec.json.decode(self.run(*words, "--json"))

    def collect(self, moment: datetime, *words: str) -> Any:
        """Read the sources at a moment of their clocks."""
        self.at(moment)
        return self.json("collect", "hierarchy", *words)

    def fails(self, code: int, *words: str) -> str:
        """Run the command, which ends in that code with one line on stderr; returns what the line says."""
        done = self.call(*words)
        lines = done.stderr.splitlines()
        assert (done.returncode, len(lines)) == (code, 1), done.stderr
        assert self.keycloak.secret not in done.stdout + done.stderr
        return lines[0].removeprefix("xdmod-cloud: ")

    def csvs(self, *words: str) -> dict[str, str]:
        """Write the four files, and read them."""
        done = self.json("hierarchy", "export", *words)
        folder = Path(done["folder"])
        return {file["name"]: (folder / file["name"]).read_text() for file in done["files"]}

    def kept(self) -> list[tuple[Any, ...]]:
        """All that the ledger holds of who owns what: its records, its history, and the current states."""
        ledger, _ = self.site.opened()
        tables = (record, hierarchy_rec, hierarchy_item)
        with reading(ledger.engine) as connection:
            return [
                tuple(row)
                for table in tables
                for row in connection.execute(select(table).order_by(*table.primary_key.columns))
            ]

    def history(self) -> list[tuple[Any, ...]]:
        """Every row of the history: id, time, type, name, status, shown name, parent."""
        ledger, _ = self.site.opened()
        chosen = select(hierarchy_rec).order_by(hierarchy_rec.c.create_ts, hierarchy_rec.c.id)
        with reading(ledger.engine) as connection:
            return [tuple(row) for row in connection.execute(chosen)]

    def shown(self) -> dict[str, str]:
        """What the current items that are active are called, by level and name."""
        ledger, _ = self.site.opened()
        chosen = select(hierarchy_item).where(hierarchy_item.c.status == "Active")
        with reading(ledger.engine) as connection:
            return {f"{row.type} {row.name}": row.display_name for row in connection.execute(chosen)}

    def runs(self) -> Any:
        """The runs of the hierarchy, oldest first."""
        return [run for run in self.json("ledger", "runs") if run["source"] == "hierarchy"]

    def opened(self) -> Ledger:
        return self.site.opened()[0]


CLOUDS = """
[[openstack]]
name = "stack"
cloud = "demo"
resource = "openstack"
coldfront_resource = "NERC"
[[openshift]]
name = "ocp-prod"
resource = "openshift"
coldfront_resource = "NERC-OCP"
"""


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """The site of the worked example before its first reading."""
    with Keycloak() as keycloak, Listing(keycloak) as listing:
        folder.mkdir(parents=True, exist_ok=True)
        site = Served(Site(folder, folder / "clouds.yaml"), listing, keycloak)
        site.person("pi-a", "University A", "engineering", firstName="Pi", lastName="A")
        site.person("pi-b", "University B", "physical_sciences", firstName="Pi", lastName="B")
        listing.project(1, "Genomics", "pi-a@example.org")
        listing.project(2, "Sky survey", "pi-b@example.org")
        listing.allocation(1, 1, "NERC-OCP", "genomics-4f2a1b")
        listing.allocation(2, 2, "NERC", SKY, "sky-f000c2")
        site.write()
        new_ledger(folder)
        yield site
