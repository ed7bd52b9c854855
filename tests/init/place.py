"""A host with an XDMoD that nobody has set up yet, and the file of its site."""

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from operations.init.accounts import DATABASES
from tests.cli.here import call_at
from tests.real.mariadb import MariaDB

__all__ = ["PASSWORDS", "SITE", "Host"]

#: What is in the files of secrets.
PASSWORDS = {"xdmod": "geheim-1", "keeper": "geheim-2", "reader": "geheim-3", "admin": "geheim-4", "dba": "geheim-5"}
SITE: dict[str, Any] = {
    "site": {"address": "https://xdmod.example.org", "email": "xdmod@example.org", "dashboard": True},
    "database": {
        "host": "localhost",
        "password": {"file": "secrets/xdmod"},
        "administrator": {"user": "dba", "password": {"file": "secrets/dba"}},
        "ledger": {"user": "keeper", "password": {"file": "secrets/keeper"}},
        "reader": {"user": "reader", "password": {"file": "secrets/reader"}},
    },
    "organization": {"name": "Example University", "abbreviation": "EXU"},
    "administrator": {
        "user": "admin",
        "password": {"file": "secrets/admin"},
        "first_name": "Ada",
        "last_name": "Min",
        "email": "admin@example.org",
    },
    "hierarchy": {
        "top": {"label": "Institution", "description": "Who is charged"},
        "middle": {"label": "Field"},
        "bottom": {"label": "PI"},
    },
    "resources": [
        {"resource": "kaizen", "name": "Kaizen", "resource_type": "Cloud", "timezone": "America/New_York"},
        {
            "resource": "ocp",
            "name": "OpenShift",
            "resource_type": "HPC",
            "resource_allocation_type": "CPU",
            "shared_jobs": True,
            "pi_column": "account_name",
            "capacity": [
                {
                    "start_date": "2025-01-01",
                    "end_date": "2025-12-31",
                    "cpu_node_count": 3,
                    "cpu_processor_count": 100,
                },
                {"start_date": "2026-01-01", "cpu_node_count": 4, "cpu_processor_count": 128, "percent_allocated": 90},
            ],
        },
    ],
    "xdmod": {"bin": "bin", "configuration": "etc", "share": "share"},
}
_ACCOUNT = 'db_engine = "MySQLDB"\nhost = "localhost"\nport = "3306"\nuser = "xdmod"\npass = ""\n'
SETTINGS = f"""; The portal.
[general]
title = "Open XDMoD"
site_address = "https://localhost/"
contact_page_recipient = ""
tech_support_recipient = ""
version = "11.0.4" ; kept by the upgrade
debug_recipient = ""
maintainer_email_signature = "Yours,
site_address = somebody"
application_secret = ""
[features]
user_dashboard = off
[mailer]
sender_email = ""
[reporting]
chromium_path = ""
[logger]
{_ACCOUNT}email_from = ""
email_to = ""
[database]
{_ACCOUNT}[datawarehouse]
{_ACCOUNT}
[shredder]
{_ACCOUNT}[hpcdb]
{_ACCOUNT}[data_warehouse_export]
hash_salt = ""
"""
TYPES = {
    "HPC": {"realms": ["Jobs", "ResourceSpecifications"]},
    "Cloud": {"realms": ["Cloud", "ResourceSpecifications"]},
    "Disk": {"realms": ["Storage"]},
}


@dataclass
class Host:
    """A folder with XDMoD's programs and configuration in it, beside a server of which `socket` is known."""

    folder: Path
    server: MariaDB

    def __post_init__(self) -> None:
        for name in ("bin", "etc", "share/configuration", "secrets"):
            (self.folder / name).mkdir(parents=True)
        for program in ("php", "acl-config", "xdmod-check-config"):
            script = self.folder / "bin" / program
            script.write_text(
                f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {Path(__file__).with_name("standin.py")} "$0" "$@"\n'
            )
            script.chmod(0o755)
        (self.folder / "share" / "configuration" / "linker.php").write_text("<?php\n")
        for name, password in PASSWORDS.items():
            (self.folder / "secrets" / name).write_text(f"{password}\n")
        self.etc("portal_settings.ini").write_text(SETTINGS)
        self.etc("portal_settings.ini").chmod(0o640)
        self.put("resource_types.json", {"resource_types": TYPES})
        self.put("resource_allocation_types.json", {"resource_allocation_types": {"CPU": {}, "GPU": {}}})
        self.put("organization.json", {"name": "", "abbrev": ""})
        self.put("resources.json", [])
        self.put("resource_specs.json", [])
        self.note({"configuration": str(self.folder / "etc"), "calls": [], "faults": {}})
        self.site()
        self.forget()

    def forget(self) -> None:
        """An empty server, with an account that may make others."""
        databases = ", ".join(f"'{name}'" for name in (*DATABASES, "xdmod_cloud"))
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ({databases})")
            for (name,) in cursor.fetchall():
                cursor.execute(f"DROP DATABASE {name}")
            for user in ("xdmod", "keeper", "reader", "dba"):
                cursor.execute(f"DROP USER IF EXISTS {user}@localhost")
            cursor.execute(f"CREATE USER dba@localhost IDENTIFIED BY '{PASSWORDS['dba']}'")
            cursor.execute("GRANT ALL PRIVILEGES ON *.* TO dba@localhost WITH GRANT OPTION")

    # What is there.

    def etc(self, name: str) -> Path:
        """A file of XDMoD's configuration."""
        return self.folder / "etc" / name

    def put(self, name: str, document: Any) -> None:
        """Write a file of XDMoD's configuration, by hand."""
        self.etc(name).write_text(json.dumps(document, indent=1))

    def json(self, name: str) -> Any:
        """What a file of XDMoD's configuration holds."""
        return json.loads(self.etc(name).read_text())

    def site(self, **changed: Any) -> Path:
        """Write the file of the site, with some of its tables otherwise; None leaves one out."""
        tables = {**SITE, **changed}
        document = {key: value for key, value in tables.items() if value is not None}
        document["database"] = {"socket": str(self.server.socket), **document["database"]}
        file = self.folder / "site.json"
        file.write_text(json.dumps(document, indent=2))
        return file

    def state(self) -> dict[str, str]:
        """All that there is: each file with its time and rights, and each row, account and grant in the server."""
        found = {
            str(
                path.relative_to(self.folder)
            ): f"{path.stat().st_mtime_ns} {path.stat().st_mode:o} {path.read_bytes()!r}"
            for path in sorted((self.folder / "etc").glob("[!.]*"))
        }
        return {**found, **self.rows()}

    def rows(self) -> dict[str, str]:
        """What the server has."""
        found = {}
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA LIKE 'mod%'"
            )
            for schema, table in cursor.fetchall():
                cursor.execute(f"SELECT * FROM `{schema}`.`{table}`")
                found[f"{schema}.{table}"] = repr(sorted(cursor.fetchall(), key=repr))
            cursor.execute("SHOW DATABASES")
            found["databases"] = repr(cursor.fetchall())
            cursor.execute("SELECT User, Host, authentication_string FROM mysql.user ORDER BY User, Host")
            found["accounts"] = repr(cursor.fetchall())
            cursor.execute("SELECT * FROM mysql.db ORDER BY Db, User")
            found["grants"] = repr(cursor.fetchall())
        return found

    def calls(self) -> list[list[str]]:
        """The calls of XDMoD's programs, without the paths that they are given."""
        noted = json.loads(self.noted.read_text())["calls"]
        return [words[2:] if words[0] == "php" else words[:1] for words in noted]

    @property
    def noted(self) -> Path:
        return self.folder / "noted.json"

    def note(self, state: dict[str, Any]) -> None:
        """What the stand-in for XDMoD's programs is to know."""
        self.noted.write_text(json.dumps(state))

    def fault(self, call: str, says: str) -> None:
        """Let a call of XDMoD's programs say something once, and do nothing."""
        state = json.loads(self.noted.read_text())
        self.note({**state, "faults": {f"php {self.folder / 'etc'} {call}": says}})

    # What happens.

    def init(self, *words: str, file: str = "site.json") -> "subprocess.CompletedProcess[str]":
        """Run the command in the site's folder, and do not judge what it returns."""
        known = {"STANDIN_NOTES": str(self.noted), "STANDIN_SOCKET": str(self.server.socket)}
        with patch.dict(os.environ, known):
            return call_at(self.folder, "init", file, *words)

    def fine(self, *words: str, file: str = "site.json") -> str:
        """Run the command; it must succeed. Neither what it prints nor XDMoD's programs' arguments show a secret."""
        done = self.init(*words, file=file)
        assert done.returncode == 0, done.stderr
        for password in PASSWORDS.values():
            assert password not in done.stdout + done.stderr + self.noted.read_text()
        return done.stdout

    def fails(self, code: int, *words: str, file: str = "site.json") -> str:
        """Run the command, which ends in that code; returns what it says of it."""
        done = self.init(*words, file=file)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        assert "unexpected" not in done.stderr
        for password in PASSWORDS.values():
            assert password not in done.stdout + done.stderr
        return done.stderr

    def killed(self, prepare: Callable[[], None]) -> bool:
        """Run the command in a process of its own after `prepare`; returns whether it was killed."""
        child = os.fork()
        if child == 0:
            with suppress(BaseException), chdir(self.folder):
                prepare()
                self.init("--yes")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def hashed(password: str) -> str:
    """A password as the stand-in keeps it."""
    return hashlib.sha256(password.encode()).hexdigest()
