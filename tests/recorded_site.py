"""The demo's month in a folder: its recorded cloud and owners, read, and exported, at each of its moments."""

from pathlib import Path

from demo.__main__ import CONFIGURATION, RECORDING
from demo.owners import CLIENT, REALM, Owners
from demo.replay import Recording, Replay
from tests.cli.here import call
from tests.site import Site

__all__ = ["recorded_site"]


def recorded_site(folder: Path, resource: str = "demo-cloud") -> Site:
    """Set a site up and let it live through the month; XDMoD calls its cloud `resource`."""
    recording = Recording.read(RECORDING)
    owners = Owners(clock=lambda: recording.now)
    with Replay(recording, mounts=owners.mounts) as server:
        owners.write_secret(folder / "keycloak.secret")
        site = Site.beside(server, folder)
        written = CONFIGURATION.format(url=server.url, realm=REALM, client=CLIENT)
        (folder / "xdmod-cloud.toml").write_text(written.replace('"demo-cloud"', f'"{resource}"'))
        for moment in recording.moments:
            server.at = moment
            for words in (("collect", "openstack"), ("collect", "hierarchy"), ("export", "openstack")):
                done = call(site, *words)
                assert done.returncode == 0, done.stderr
    return site
