"""The simulated cloud as a process of its own."""

import subprocess
import sys

import requests


def test_control() -> None:
    """A benchmark changes the cloud, sets its clock and counts its requests from outside."""
    command = [sys.executable, "-m", "tests.simulation", "--servers", "100", "--actions", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        requests.get(f"{url}/compute/v2.1", timeout=5)
        assert requests.get(f"{url}/control/requests", timeout=5).json() == {"count": 1}
        assert requests.delete(f"{url}/control/requests", timeout=5).json() == {"count": 0}
        assert requests.post(f"{url}/control/change?fraction=0.1", timeout=5).json()["changed"] == 10
        moved = requests.post(f"{url}/control/clock?at=2026-10-06T00:00:00Z", timeout=5).json()
        assert moved == requests.get(f"{url}/control/clock", timeout=5).json() == {"now": "2026-10-06T00:00:00Z"}
        process.terminate()
