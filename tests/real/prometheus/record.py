"""Record the demo's cluster, `demo/cluster.json`: `python -m tests.real.prometheus.record` (some seconds).

The answers are a real Prometheus' own, to the questions of a collector that is set up as the demo's is.
"""

from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl

import requests

from demo.__main__ import CONFIGURATION
from demo.cluster import ASKED, RECORDING
from demo.owners import CLIENT, REALM
from demo.replay import Answer, Recording, Replay, Request
from operations.collect import collect_openshift
from operations.configuration import load
from tests.pods import empty_ledger
from tests.real.openstack.record import RECORDING as CLOUD
from tests.real.openstack.record import lines
from tests.real.prometheus.day import DAY
from tests.real.prometheus.server import serving


def record(prometheus: str, folder: Path) -> dict[str, Any]:
    """Collect the day from a Prometheus by the clock of the demo's last moment, and return what it was asked for."""
    cloud, answers = Recording.read(CLOUD), list[dict[str, Any]]()
    cloud.now = cloud.moments[-1]

    def hand_on(request: Request) -> Answer:
        form = dict(parse_qsl(request.body.decode()))
        path = request.path.removeprefix("/prometheus")
        answer = requests.post(f"{prometheus}{path}", data=form, timeout=60)
        answer.raise_for_status()
        if path.endswith("/query_range"):
            answers.append({**{name: form[name] for name in ASKED}, "body": answer.json()})
        return Answer(200, answer.content, (("Date", format_datetime(cloud.now, usegmt=True)),))

    with Replay(cloud, mounts={"prometheus": hand_on}) as server:
        written = CONFIGURATION.format(url=server.url, realm=REALM, client=CLIENT)
        (folder / "xdmod-cloud.toml").write_text(written)
        (settings,) = load(folder / "xdmod-cloud.toml").openshift
        for _ in collect_openshift(empty_ledger(folder), settings, lambda *_: None):
            pass
    return {"answers": answers}


if __name__ == "__main__":
    with TemporaryDirectory() as name, serving(Path(name), DAY) as url:
        RECORDING.write_text(lines(record(url, Path(name))) + "\n")
    print(f"{RECORDING}: {RECORDING.stat().st_size // 1000} kB")
