"""`xdmod-cloud init`: everything that XDMoD needs is made once, and nothing else is touched."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pymysql
import pytest

from operations.init.accounts import DATABASES
from tests.init.place import PASSWORDS, Host, hashed

WHOLE_WAY = [
    ["pipeline", "xdb-bootstrap"],
    ["pipeline", "jobs-xdw-bootstrap"],
    ["pipeline", "xdw-bootstrap-storage"],
    ["pipeline", "shredder-bootstrap"],
    ["pipeline", "staging-bootstrap"],
    ["pipeline", "hpcdb-bootstrap"],
    ["pipeline", "acls-xdmod-management"],
    ["pipeline", "logger-bootstrap"],
    ["periods"],
    ["acl-config"],
    ["pipeline", "ingest-organizations"],
    ["pipeline", "ingest-resource-types"],
    ["pipeline", "ingest-resources"],
    ["acl-config"],
]


def asked(host: Host, user: str, *statements: str) -> Any:
    """What an account is answered."""
    with (
        pymysql.connect(unix_socket=str(host.server.socket), user=user, password=PASSWORDS[user]) as connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall()


def test_a_new_site(host: Host) -> None:
    """XDMoD's steps run once, in their order, with the account that was made for it; its own check is passed on."""
    done = host.init("--yes")
    assert done.returncode == 0, done.stderr
    *steps, administrator, check = host.calls()
    assert steps == WHOLE_WAY
    assert (administrator[:3], check) == (
        ["administrator", "file", str(host.folder / "secrets/admin")],
        ["xdmod-check-config"],
    )
    assert "NOT OK Chromium configured" in done.stderr
    rows = host.rows()
    assert "'Kaizen'" in rows["modw.resourcefact"]
    assert hashed(PASSWORDS["admin"]) in rows["moddb.Users"]
    assert rows["modw.organization"] == "[(1, 'Example University', 'EXU')]"


def test_a_second_run_changes_nothing(host: Host) -> None:
    """Neither a file nor a row is touched, none of XDMoD's programs is run, and nobody needs an administrator."""
    host.fine("--yes")
    before, calls = host.state(), host.calls()
    for name in ("dba", "admin"):
        (host.folder / "secrets" / name).unlink()
    assert host.fine() == "Everything is as it should be; nothing was changed.\n"
    assert (host.state(), host.calls()) == (before, calls)
    assert json.loads(host.fine("--json")) == {"changes": [], "dry_run": False}


def test_the_files(host: Host) -> None:
    """What the site says lands where XDMoD looks for it; comments, foreign keys and rights stay."""
    foreign = {"resource": "other", "name": "Other", "resource_type": "Disk", "mine": 1}
    specs = [{"resource": "other", "start_date": "2020-01-01", "cpu_node_count": 1, "cpu_processor_count": 1}]
    host.put("resources.json", [foreign, {"resource": "ocp", "name": "Old", "mine": [2]}])
    host.put("resource_specs.json", [{"resource": "ocp", "start_date": "2019-01-01"}, *specs])
    host.fine("--yes")
    assert host.json("resources.json") == [
        foreign,
        {
            "resource": "ocp",
            "name": "OpenShift",
            "mine": [2],
            "resource_type": "HPC",
            "resource_allocation_type": "CPU",
            "shared_jobs": True,
            "pi_column": "account_name",
        },
        {"resource": "kaizen", "name": "Kaizen", "resource_type": "Cloud", "timezone": "America/New_York"},
    ]
    assert [one["cpu_ppn"] for one in host.json("resource_specs.json")[:2]] == [33, 32]
    assert host.json("resource_specs.json")[1]["percent_allocated"] == 90
    assert host.json("resource_specs.json")[2:] == specs
    assert host.json("organization.json") == {"name": "Example University", "abbrev": "EXU"}
    assert host.json("hierarchy.json")["top_level_info"] == "Who is charged"
    text = host.etc("portal_settings.ini").read_text()
    assert host.etc("portal_settings.ini").stat().st_mode & 0o777 == 0o640
    assert 'version = "11.0.4" ; kept by the upgrade\n' in text
    assert '"Yours,\nsite_address = somebody"\n' in text
    assert 'site_address = "https://xdmod.example.org/"\n' in text
    assert text.count('"xdmod@example.org"') == 6
    assert text.count(f'pass = "{PASSWORDS["xdmod"]}"') == 5
    assert 'user_dashboard = "on"\n' in text


def test_accounts_may_do_what_they_need_and_no_more(host: Host) -> None:
    """XDMoD's account owns its databases and nothing else; that of reports reads; nobody may do anything everywhere."""
    host.fine("--yes")
    for name in DATABASES:
        asked(host, "xdmod", f"CREATE TABLE {name}.t (id INT)", f"CREATE VIEW {name}.v AS SELECT id FROM {name}.t")
        asked(host, "xdmod", f"CREATE TRIGGER {name}.g BEFORE INSERT ON {name}.t FOR EACH ROW SET NEW.id = 1")
        asked(host, "xdmod", f"DROP VIEW {name}.v", f"DROP TABLE {name}.t")
    asked(host, "keeper", "CREATE TABLE xdmod_cloud.t (id INT)", "DROP TABLE xdmod_cloud.t")
    assert asked(host, "reader", "SELECT code FROM modw.resourcefact ORDER BY code") == (("kaizen",), ("ocp",))
    host.server.execute("CREATE DATABASE IF NOT EXISTS modwXcloud", "CREATE TABLE IF NOT EXISTS modwXcloud.t (id INT)")
    for user, statement in (
        ("xdmod", "CREATE DATABASE somebodys"),
        ("xdmod", "SELECT User FROM mysql.user"),
        ("xdmod", "CREATE USER another"),
        ("xdmod", "SELECT * FROM modwXcloud.t"),
        ("xdmod", "SHOW TABLES FROM xdmod_cloud"),
        ("keeper", "SELECT * FROM modw.resourcefact"),
        ("reader", "DELETE FROM modw.resourcefact"),
        ("reader", "SELECT * FROM moddb.Users"),
    ):
        with pytest.raises(pymysql.MySQLError, match="denied"):
            asked(host, user, statement)


def test_a_dry_run_shows_and_does_nothing(host: Host) -> None:
    """Each file, account and step is named; the state is what it was."""
    before = host.state()
    said = host.fine("--dry-run")
    for words in (
        "CREATE DATABASE IF NOT EXISTS `modw_cloud`;",
        "CREATE USER IF NOT EXISTS 'xdmod'@'localhost' IDENTIFIED BY '********';",
        'site_address = "https://xdmod.example.org/"',
        '+pass = "********"',
        '"pi_column": "account_name"',
        "XDMoD: resources:",
    ):
        assert words in said
    assert (host.state(), host.calls()) == (before, [])


def test_nobody_says_yes(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can be asked, nothing happens."""
    before = host.rows()
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        done = host.init()
    assert done.returncode == 130
    assert (host.rows(), host.calls(), host.json("resources.json")) == (before, [], [])
