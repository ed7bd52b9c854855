"""A real Prometheus of the tests' own: it serves what was scraped of a world, and is gone with the session."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.real.prometheus.world import WORLD, World, open_metrics

__all__ = ["prometheus", "serving"]


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL; skips where Prometheus is not installed."""
    folder = tmp_path_factory.mktemp("prometheus")
    with serving(folder) as url:
        yield url


@contextmanager
def serving(folder: Path, world: World = WORLD) -> Iterator[str]:
    """Run a server whose data of that world are in that folder; skips as the fixture does."""
    programs = [shutil.which(program) for program in ("prometheus", "promtool")]
    if not all(programs):
        pytest.skip("A real Prometheus needs the package prometheus: run tests/real/install-packages")
    server, tool = map(str, programs)
    scraped, blocks, settings = folder / "scraped.om", folder / "blocks", folder / "prometheus.yml"
    with scraped.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in open_metrics(world))
    make = [tool, "tsdb", "create-blocks-from", "--max-block-duration=24h", "openmetrics", "-q"]
    subprocess.run([*make, str(scraped), str(blocks)], check=True, capture_output=True)
    scraped.unlink()
    # It scrapes nothing, so that it has nothing but what it was given.
    settings.write_text("global: {scrape_interval: 1h}\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    log = folder / "log"
    options = [f"--config.file={settings}", f"--storage.tsdb.path={blocks}", f"--web.listen-address={address}"]
    options += ["--storage.tsdb.retention.time=100y", "--log.level=warn"]
    with log.open("wb") as output, subprocess.Popen([server, *options], stdout=output, stderr=output) as process:
        try:
            _await(f"http://{address}", process, log)
            yield f"http://{address}"
        finally:
            process.terminate()


def _await(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(300):
        try:
            if requests.get(f"{url}/-/ready", timeout=5).ok:
                return
        except requests.ConnectionError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"Prometheus did not start:\n{log.read_text(errors='replace')[-2000:]}")
