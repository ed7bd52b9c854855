"""`xdmod-cloud init` on a site that is there already, or half there: what lacks is made, and the end is the same."""

import fcntl
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from tests.init.place import PASSWORDS, SITE, Host, hashed

#: What changes the disk, begins a program, or asks the server: before each of these the process is killed once.
STEPS = frozenset({"os.rename", "subprocess.Popen", "socket.connect"})


def killer(number: int) -> Callable[[], None]:
    """What makes a process kill itself before its step of that number."""

    def prepare() -> None:
        seen = 0

        def look(name: str, _: tuple[Any, ...]) -> None:
            nonlocal seen
            if name in STEPS:
                seen += 1
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(look)

    return prepare


def outcome(host: Host) -> dict[str, Any]:
    """What there is in the end, apart from secrets that are made at random."""
    files = {
        name: host.json(name)
        for name in ("resources.json", "resource_specs.json", "organization.json", "hierarchy.json")
    }
    settings = host.etc("portal_settings.ini").read_text().splitlines()
    return {
        **host.rows(),
        **files,
        "settings": [line for line in settings if not line.startswith(("application_secret", "hash_salt"))],
        "left": sorted(path.name for path in host.etc("").iterdir() if path.name.endswith(".part")),
    }


def test_killed_at_any_step_and_run_again(host: Host) -> None:
    """Each run is killed a step later than the one before, until one comes to its end: as if nothing had been."""
    host.fine("--yes")
    undisturbed = outcome(host)
    host = Host(host.folder.parent / "killed", host.server)
    number = 1
    while host.killed(killer(number)):
        number += 1
        assert number < 100
    assert number > 12
    host.fine("--yes")
    assert outcome(host) == undisturbed
    assert host.fine().startswith("Everything is as it should be")


def test_a_resource_that_moves(host: Host) -> None:
    """Only the file changes that tells of it, and only the steps run that take it over."""
    host.fine("--yes")
    before, calls = host.state(), len(host.calls())
    host.site(resources=[{**SITE["resources"][0], "timezone": "Europe/Berlin"}, SITE["resources"][1]])
    said = host.fine("--dry-run")
    assert [line for line in said.splitlines() if line.startswith(("  -", "  +")) and "(" not in line] == [
        '  -        "timezone": "America/New_York"',
        '  +        "timezone": "Europe/Berlin"',
    ]
    host.fine("--yes")
    after = host.state()
    assert {key for key in after if after[key] != before[key]} == {"etc/resources.json", "modw.resourcefact"}
    assert host.calls()[calls:] == [["pipeline", "ingest-resources"], ["acl-config"], ["xdmod-check-config"]]


def test_a_step_that_fails(host: Host) -> None:
    """What XDMoD says is told, and the next run goes on there."""
    host.fault("pipeline ingest-organizations", "[error] pipeline: no such table")
    assert "no such table" in host.fails(1, "--yes")
    done = len(host.calls())
    host.fine("--yes")
    assert host.calls()[done] == ["pipeline", "ingest-organizations"]


def test_a_step_that_only_says_that_it_is_done(host: Host) -> None:
    """Its end is looked at, not its exit code."""
    host.fault("pipeline ingest-resources", "quietly nothing")
    assert "resources are not there all the same" in host.fails(1, "--yes")
    host.fine("--yes")


def test_the_first_account_stays_as_it_is(host: Host) -> None:
    """Its password may have been changed in the portal; another name is another account."""
    host.fine("--yes")
    (host.folder / "secrets" / "admin").write_text("another\n")
    assert host.fine().startswith("Everything is as it should be")
    host.site(administrator={**SITE["administrator"], "user": "second", "email": "second@example.org"})
    host.fine("--yes")
    users = host.rows()["moddb.Users"]
    assert hashed(PASSWORDS["admin"]) in users
    assert hashed("another") in users


def test_a_password_that_xdmod_would_not_store(host: Host) -> None:
    """XDMoD takes one of more than 20 bytes for a hash, and nobody could log in."""
    (host.folder / "secrets" / "admin").write_text("x" * 21)
    before = host.rows()
    assert "administrator.password: it is longer than 20 bytes" in host.fails(2, "--yes")
    assert host.rows() == before


def test_a_password_that_is_changed(host: Host) -> None:
    """The server and the settings take the new one; neither is shown."""
    host.fine("--yes")
    (host.folder / "secrets" / "xdmod").write_text("new-geheim\n")
    said = host.fine("--dry-run")
    assert "ALTER USER 'xdmod'@'localhost' IDENTIFIED BY '********';" in said
    assert "geheim" not in said
    host.fine("--yes")
    assert host.etc("portal_settings.ini").read_text().count('"new-geheim"') == 5
    assert host.fine().startswith("Everything is as it should be")


def test_secrets_of_xdmod_are_made_once(host: Host) -> None:
    """Links that users have been mailed, and data sets that were made anonymous, stay good."""
    host.fine("--yes")
    text = host.etc("portal_settings.ini").read_text()
    (salt,) = [line for line in text.splitlines() if line.startswith("hash_salt")]
    assert len(salt) == len('hash_salt = ""') + 64
    host.site(site={**SITE["site"], "title": "Another"})
    assert salt.removeprefix("hash_salt = ").strip('"') not in host.fine("--yes")
    assert salt in host.etc("portal_settings.ini").read_text()


def test_rights_and_databases_that_somebody_took(host: Host) -> None:
    """They are given again, and nothing else is done."""
    host.fine("--yes")
    host.server.execute("REVOKE ALL PRIVILEGES ON `modw\\_etl`.* FROM xdmod@localhost", "DROP DATABASE modw_etl")
    said = host.fine("--dry-run")
    assert said.splitlines()[1:] == [
        "  CREATE DATABASE IF NOT EXISTS `modw_etl`;",
        "  GRANT ALL PRIVILEGES ON `modw\\_etl`.* TO 'xdmod'@'localhost';",
    ]
    host.fine("--yes")
    assert host.fine().startswith("Everything is as it should be")


def test_an_account_that_may_too_much(host: Host) -> None:
    """As XDMoD's own set-up makes it: it is told how to take the rights away, and they are left to the site."""
    host.fine("--yes")
    host.server.execute("GRANT FILE, PROCESS ON *.* TO xdmod@localhost")
    done = host.init()
    assert "FILE, PROCESS on everything" in done.stderr
    assert "REVOKE ALL PRIVILEGES ON *.* FROM 'xdmod'@'localhost'" in done.stderr
    assert done.stdout.startswith("Everything is as it should be")


def test_the_administrator_is_refused(host: Host) -> None:
    """A wrong password, none at all, an account without the rights: each is told, and nothing is made."""
    before = host.rows()
    (host.folder / "secrets" / "dba").write_text("wrong\n")
    assert "refuses dba at localhost:3306" in host.fails(2, "--yes")
    (host.folder / "secrets" / "dba").write_text("\n")
    assert "is empty" in host.fails(2, "--yes")
    assert host.rows() == before


def test_an_account_that_may_not_make_others(host: Host) -> None:
    """It is told which account lacks the right."""
    host.server.execute("REVOKE ALL PRIVILEGES, GRANT OPTION FROM dba@localhost")
    told = host.fails(2, "--yes")
    assert "dba at localhost:3306 may not do this" in told
    assert "database.administrator" in told


def test_no_administrator_is_named(host: Host) -> None:
    """It is said that one is needed, until all is there."""
    database = {key: value for key, value in SITE["database"].items() if key != "administrator"}
    host.site(database=database)
    assert "database.administrator is missing" in host.fails(2, "--yes")
    host.site()
    host.fine("--yes")
    host.site(database=database)
    assert host.fine().startswith("Everything is as it should be")


def test_a_server_that_is_away(host: Host) -> None:
    """That is for later."""
    host.site(database={**SITE["database"], "socket": "/nonexistent"})
    assert "does not answer" in host.fails(75, "--yes")
    assert host.json("resources.json") == []


def test_somebody_else_is_at_work(host: Host) -> None:
    """One who hands files on, or sets up, holds the lock."""
    with host.etc(".xdmod.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "at work on" in host.fails(75, "--yes")
        host.fine("--dry-run")


def test_a_configuration_of_another_xdmod(host: Host) -> None:
    """What `check` would look at must be what was set up."""
    file = host.folder / "xdmod-cloud.toml"
    file.write_text('[xdmod]\nconfiguration = "elsewhere"\n')
    assert "xdmod-cloud.toml has its XDMoD's configuration in" in host.fails(2, "--yes")
    file.write_text('[xdmod]\nconfiguration = "etc"\n')
    host.fine("--yes")
    assert (host.folder / "outbox" / ".xdmod.lock").exists()


def test_an_account_that_another_hides(host: Host) -> None:
    """The server lets no one in for whom it has an account of no name: that is told, and not taken for done."""
    host.server.execute("CREATE USER IF NOT EXISTS ''@localhost")
    try:
        database = {**SITE["database"], "account_host": "%"}
        host.site(database=database)
        assert "does not let it in from this host" in host.fails(2, "--yes")
    finally:
        host.server.execute("DROP USER ''@localhost", "DROP USER IF EXISTS xdmod, keeper, reader")


def test_names_beyond_ascii(host: Host) -> None:
    """XDMoD's tables cannot hold all of them; its set-up is not run again for ever."""
    host.site(
        organization={"name": "Universität 大学", "abbreviation": "UÄ"},
        resources=[{"resource": "kaizen", "name": "改善", "resource_type": "Cloud"}],
    )
    host.server.execute("SET GLOBAL sql_mode = ''")
    host.fine("--yes")
    assert host.json("resources.json")[0]["name"] == "改善"
    assert host.fine().startswith("Everything is as it should be")


def test_what_xdmod_keeps_in_no_table(host: Host) -> None:
    """A change that cannot be seen in its tables is taken over all the same, because its file has changed."""
    host.fine("--yes")
    calls = len(host.calls())
    host.site(resources=[SITE["resources"][0], {**SITE["resources"][1], "resource_allocation_type": "GPU"}])
    host.fine("--yes")
    assert host.json("resources.json")[1]["resource_allocation_type"] == "GPU"
    assert host.calls()[calls:] == [["pipeline", "ingest-resources"], ["acl-config"], ["xdmod-check-config"]]
    assert host.fine().startswith("Everything is as it should be")
