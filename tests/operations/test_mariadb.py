"""A site that keeps its ledger in MariaDB."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.replay import LOGIN_PAGE, Fault, Replay
from ledger import SourceUnavailable
from ledger.database import connect, upgrade
from tests.real.mariadb import MariaDB
from tests.simulation import BigCloud
from tests.site import Site

NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)


@contextmanager
def site_of(folder: Path, url: str | None = None) -> Iterator[Site]:
    """A site beside a cloud of 60 servers; its ledger is a file unless a URL is given."""
    with Replay(BigCloud(60, 5, now=NOW, projects=5, users=5, hosts=4)) as server:
        site = Site.beside(server, folder)
        if url:
            for file in folder.glob("ledger.sqlite*"):
                file.unlink()
            configuration = folder / "xdmod-cloud.toml"
            configuration.write_text(f'ledger.url = "{url}"\n{configuration.read_text()}')
            upgrade(connect(url))
        yield site


def lived(site: Site) -> None:
    """Three days, each with its changes and its reading, one with a reading that fails first."""
    cloud = site.server.cloud
    assert isinstance(cloud, BigCloud)
    for day in range(3):
        cloud.change(0.2)
        site.server.at = NOW + timedelta(days=day, hours=1)
        if day == 1:
            site.server.fault = _no_hosts
            with pytest.raises(SourceUnavailable, match="os-hypervisors"):
                site.collect()
            site.server.fault = None
        site.collect()
        site.export()


def _no_hosts(_: str, path: str, __: str, ___: int) -> Fault | None:
    return LOGIN_PAGE if path.endswith("/os-hypervisors/detail") else None


def test_a_ledger_in_mariadb_tells_the_same(tmp_path: Path, mariadb: MariaDB) -> None:
    """Records and event files are those of a ledger in SQLite, and verify finds no difference."""
    with site_of(tmp_path / "sqlite") as site:
        lived(site)
        expected = site.content(), site.bytes()
    with site_of(tmp_path / "mariadb", mariadb.url(mariadb.database())) as site:
        lived(site)
        assert (site.content(), site.bytes()) == expected
        for command in ("collect", "export"):
            site.run(command, "openstack")
        assert "0 differences" in site.run("verify", "openstack")
        assert (site.content(), site.bytes()) == expected
        assert not list(site.folder.glob("ledger.sqlite*"))
