"""What is odd, but not what one thinks of first: it is said in one line, too."""

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy import text

from collectors.openstack import OpenStackSource
from collectors.openstack.entry import region_of
from demo.replay import Fault, Replay
from ledger import ConfigurationError, DataError
from ledger.database import connect, reading
from operations.configuration import load
from tests.cli.here import call, call_at, impatient
from tests.simulation import SimulatedCloud
from tests.site import Site

START = datetime(2026, 10, 1, 8, tzinfo=UTC)
ACCOUNT = "auth: {auth_url: 'http://127.0.0.1:9/v3', username: a, password: hush-4711, project_name: c}"
CLOUD = '[[openstack]]\nname = "sim"\ncloud = "demo"\nresource = "sim"\n'


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site beside a cloud with two servers; it has not been read."""
    cloud = SimulatedCloud(START)
    for name in ("one", "two"):
        cloud.boot(name)
    with Replay(cloud) as server:
        server.at = START + timedelta(hours=3)
        yield Site.beside(server, tmp_path)


# clouds.yaml


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("- clouds\n", ("cannot be used", "mapping")),
        ("clouds: [demo]\n", ("cannot be used", "entries by name")),
        ("clouds:\n", ("cannot be used", "entries by name")),
        ("clouds: {demo: }\n", ('Cloud "demo"', "cannot be used", "no settings")),
        ("clouds: {demo: [1]}\n", ('Cloud "demo"', "cannot be used", "no settings")),
        (f"clouds: {{demo: {{auth_type: magic, {ACCOUNT}}}}}\n", ("cannot be used", "magic")),
        (f"clouds: {{demo: {{api_timeout: soon, {ACCOUNT}}}}}\n", ("cannot be used", "api_timeout", "soon")),
        (
            f"clouds: {{demo: {{region_name: A, {ACCOUNT}}}}}\n",
            ("Region B", "choices are A", "`regions`", "region_name"),
        ),
        ("clouds: {demo: {auth: hush-4711}}\n", ('Cloud "demo"', "cannot be used")),
        (f"clouds: {{other: {{{ACCOUNT}}}}}\n", ('no cloud "demo" (it has: other)', '[[openstack]] "sim"')),
        ("", ('no cloud "demo" (it has: none)',)),
        ("clouds: ][\n", ("cannot be read as YAML",)),
    ],
)
def test_an_entry_of_clouds_yaml_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, words: tuple[str, ...]
) -> None:
    """The file is named, and the way out."""
    file = tmp_path / "clouds.yaml"
    file.write_text(written)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    with pytest.raises(ConfigurationError) as raised:
        region_of(OpenStackSource(name="sim", cloud="demo", resource="sim", region="B"))
    said = str(raised.value)
    assert "hush-4711" not in said
    assert "\n" not in said
    for word in (str(file), *words):
        assert word in said


@pytest.mark.parametrize(("cloud", "word"), [("demo", "There is no clouds.yaml"), ("envvars", "OS_AUTH_URL")])
def test_no_clouds_yaml_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloud: str, word: str) -> None:
    """The places are told where it was looked for, and no cloud that nobody wrote."""
    places = [str(tmp_path / "clouds.yaml")]
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", places[0])
    settings = OpenStackSource(name="sim", cloud=cloud, resource="sim")
    with (
        patch("collectors.openstack.entry.CONFIG_FILES", places),
        patch("openstack.config.loader.CONFIG_FILES", places),
        pytest.raises(ConfigurationError) as raised,
    ):
        region_of(settings)
    assert word in str(raised.value)
    assert "defaults" not in str(raised.value)


# What Nova answers


def test_an_odd_date_and_a_link_without_rel(site: Site) -> None:
    """This machine's clock is taken, and a link that does not say that it leads on does not."""
    live = b", ".join(server.body for server in site.server.cloud.servers())
    page = Fault(
        200, b'{"servers": [' + live + b'], "servers_links": [{"href": "/?marker=1"}]}', (("Date", "Thursday"),)
    )
    site.server.fault = lambda _, path, query, __: (
        page if path.endswith("/servers/detail") and "deleted" not in query else None
    )
    with impatient():
        done = call(site, "collect", "openstack")
    assert (done.returncode, done.stderr) == (0, "")


# The configuration and the command line


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (f"{CLOUD}workers = 2.0\n", ("openstack.0.workers", "int", "float")),
        (f"{CLOUD}sweep_hours = inf\n", ("sweep_hours",)),
        (f"{CLOUD}region = 2026-10-01\n", ("date", "quotes")),
    ],
)
def test_odd_values_in_the_configuration(tmp_path: Path, written: str, words: tuple[str, ...]) -> None:
    """The file and the key are named."""
    path = tmp_path / "xdmod-cloud.toml"
    path.write_text(written)
    with pytest.raises(ConfigurationError) as raised:
        load(path)
    for word in (str(path), *words):
        assert word in str(raised.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_ledger_without_a_file(tmp_path: Path, url: str) -> None:
    """A ledger that would be forgotten is refused."""
    (tmp_path / "xdmod-cloud.toml").write_text(f'ledger.url = "{url}"\n')
    done = call_at(tmp_path, "ledger", "upgrade")
    assert (done.returncode, done.stderr) == (2, "xdmod-cloud: [ledger] url names no file. Write sqlite:///FILE.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("verify", "openstack", "--days", "0"), "1<=x<=36500"),
        (("verify", "openstack", "--days", "1000000"), "1<=x<=36500"),
        (("export", "openstack", "--from", "1969-12-31", "--to", "1970-01-02"), "before 1970"),
        (("report", "usage", "--month", "1969-12"), "before 1970"),
        (("report", "usage", "--month", "0000-01"), "is no month"),
    ],
)
def test_times_out_of_range(site: Site, words: tuple[str, ...], said: str) -> None:
    """They are refused as wrong usage."""
    done = call(site, *words)
    assert done.returncode == 2
    assert said in done.stderr


def test_an_export_of_nothing(site: Site) -> None:
    """Why there is nothing is said."""
    done = call(site, "export", "openstack")
    assert (done.returncode, done.stdout) == (0, "sim: has not been collected yet: xdmod-cloud collect openstack\n")
    site.collect()
    assert "sim: wrote " in call(site, "export", "openstack").stdout
    assert "sim: nothing new\n" in call(site, "export", "openstack").stdout
    done = call(site, "export", "openstack", "--from", "2026-11-01", "--to", "2026-11-02")
    assert (done.returncode, "exported up to 2026-10-01 10:55:00 UTC" in done.stdout) == (0, True)


# What nobody thought of


def test_the_last_net(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """An error that is none of ours is one line, its run is marked as failed, and -v tells where it was."""
    with patch("operations.collect.read_cloud", side_effect=TypeError("no\nsuch luck")):
        done = call(site, "collect", "openstack")
        caplog.set_level(logging.INFO)
        verbose = call(site, "-v", "collect", "openstack")
    expected = "xdmod-cloud: unexpected TypeError: no; run again with -v to see where\n"
    assert (done.returncode, done.stderr) == (1, expected)
    assert (verbose.returncode, "Traceback" in verbose.stderr) == (1, True)
    [first, _] = site.opened()[0].runs("sim")
    assert (first["outcome"], first["error"]) == ("failed", "unexpected TypeError: no\nsuch luck")


def test_a_statement_that_the_database_refuses(site: Site) -> None:
    """The database's reason is told, and not the values."""
    engine = connect(site.ledger_url)
    twice = text("INSERT INTO source (id, name) VALUES (1, :secret), (1, :secret)")
    with pytest.raises(DataError) as raised, reading(engine) as connection:
        connection.execute(twice, {"secret": "hush-4711"})
    assert "UNIQUE constraint failed" in str(raised.value)
    assert "hush-4711" not in str(raised.value)


def test_runs_and_quarantine_are_shown(site: Site) -> None:
    """How long a run took, its error as a whole, and what was set aside."""
    assert call(site, "ledger", "quarantine").stdout == "Nothing was set aside.\n"
    site.server.fault = lambda _, path, __, ___: Fault(404, b"{}") if path.endswith("/servers/detail") else None
    error = call(site, "collect", "openstack").stderr.removeprefix("xdmod-cloud: sim: ")
    site.server.fault = None
    site.collect()
    said = call(site, "ledger", "runs").stdout
    assert error in said
    assert "seconds" in said
    assert all(run["seconds"] >= 0 for run in json.loads(call(site, "ledger", "runs", "--json").stdout))
    with closing(sqlite3.connect(site.folder / "ledger.sqlite")) as connection:
        connection.execute("INSERT INTO quarantine VALUES (1, 1, 2, 1790000000000000, 'd', 'has no flavor', '{}')")
        connection.commit()
    assert call(site, "ledger", "quarantine").stdout == "sim, 2026-09-21 14:13:20: has no flavor\n"
    [aside] = json.loads(call(site, "ledger", "quarantine", "--json").stdout)
    assert (aside["reason"], aside["body"]) == ("has no flavor", "{}")
