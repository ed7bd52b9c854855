"""How fast a cloud is read, at a network's pace: `python -m benchmarks.collect`.

A simulated Nova in a process of its own answers each request 20 ms late. First everything is read, then, after 5 % of
the servers did something, what changed.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import requests

from benchmarks.measure import measured

SIZES = (1_000, 3_000, 10_000)
ACTIONS, DELAY, CHANGED = 6, 0.020, 0.05
_COMMAND = Path(sys.executable).with_name("xdmod-cloud")
_CLOUDS = """clouds:
  big:
    auth: {{auth_url: '{url}/identity/v3', username: xdmod-reader, password: secret, user_domain_name: Default,
            system_scope: all}}
    region_name: RegionOne
"""
_SITE = """[[openstack]]
name = "big"
cloud = "big"
resource = "big"
"""


@contextmanager
def cloud(servers: int) -> Iterator[str]:
    """A simulated cloud of that size; yields its URL."""
    words = ["--servers", servers, "--actions", ACTIONS, "--delay", DELAY]
    command = [sys.executable, "-m", "tests.simulation", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def run(servers: int) -> Iterator[tuple[str, int, int, float, float]]:
    """Read a cloud of that size twice: what was read, servers, requests, seconds, peak MB."""
    with TemporaryDirectory() as folder, cloud(servers) as url:
        site = Path(folder)
        (site / "clouds.yaml").write_text(_CLOUDS.format(url=url))
        (site / "xdmod-cloud.toml").write_text(_SITE)
        environment = {"OS_CLIENT_CONFIG_FILE": f"{site}/clouds.yaml", "XDMOD_CLOUD_CONFIG": f"{site}/xdmod-cloud.toml"}
        measured([_COMMAND, "ledger", "upgrade"], environment)
        for what in ("everything", "5 % changed"):
            requests.delete(f"{url}/control/requests", timeout=10)
            done = measured([_COMMAND, "collect", "openstack", "--json"], environment)
            asked = requests.get(f"{url}/control/requests", timeout=10).json()["count"]
            (told,) = msgspec.json.decode(done.output)
            yield what, told["counts"]["servers"], asked, done.seconds, done.peak_mb
            later = requests.get(f"{url}/control/clock", timeout=10).json()["now"].replace("T12:00", "T12:20")
            requests.post(f"{url}/control/clock", params={"at": later}, timeout=10)
            requests.post(f"{url}/control/change", params={"fraction": CHANGED}, timeout=10)


def main() -> None:
    """Print one line for each reading."""
    print(f"Collect: Nova answers after {DELAY * 1000:.0f} ms; {ACTIONS} actions a server")
    print(f"{'servers':>8} {'read':<12} {'changed':>8} {'requests':>9} {'seconds':>8} {'servers/s':>10} {'peak MB':>8}")
    for size in SIZES:
        for what, changed, asked, seconds, peak in run(size):
            rate = changed / seconds
            print(f"{size:>8,} {what:<12} {changed:>8,} {asked:>9,} {seconds:>8.1f} {rate:>10,.0f} {peak:>8.0f}")


if __name__ == "__main__":
    main()
