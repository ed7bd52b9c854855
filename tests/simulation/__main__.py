"""Serve a big cloud: python -m tests.simulation --servers 10000 --actions 6 --delay 0.02.

Beside the cloud it answers POST /control/change?fraction=0.05, GET and POST /control/clock?at=2026-10-05T12:00:00Z,
GET and DELETE /control/requests.
"""

import argparse
from urllib.parse import parse_qsl

import msgspec

from demo.replay import Answer, Replay, Request
from demo.replay.store import instant
from tests.simulation.big import BigCloud


class Control:
    """What a benchmark asks of the cloud between its runs."""

    def __init__(self, cloud: BigCloud) -> None:
        self._cloud = cloud
        self.server: Replay

    def __call__(self, request: Request) -> Answer:
        """Answer a request under /control."""
        query = dict(parse_qsl(request.query))
        match request.method, request.path.removeprefix("/control/"):
            case "POST", "change":
                return _json({"changed": self._cloud.change(float(query["fraction"])), "now": self._cloud.now})
            case "POST", "clock":
                self._cloud.at(instant(query["at"]))
                return _json({"now": self._cloud.now})
            case "GET", "clock":
                return _json({"now": self._cloud.now})
            case "GET", "requests":
                return _json({"count": len(self.server.requests)})
            case "DELETE", "requests":
                self.server.requests.clear()
                return _json({"count": 0})
            case _:
                return Answer(404, b"{}")


def _json(body: object) -> Answer:
    return Answer(200, msgspec.json.encode(body))


def main() -> None:
    """Serve until interrupted; the URL is printed when the server is ready."""
    parser = argparse.ArgumentParser(prog="tests.simulation", description="Serve a big simulated cloud")
    parser.add_argument("--servers", type=int, default=10_000)
    parser.add_argument("--actions", type=int, default=6)
    parser.add_argument("--now", type=instant, default=instant("2026-10-05T12:00:00Z"))
    parser.add_argument("--delay", type=float, default=0.0, help="seconds for each answer")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    given = parser.parse_args()
    cloud = BigCloud(given.servers, given.actions, now=given.now)
    cloud.servers()
    control = Control(cloud)
    control.server = Replay(cloud, delay=given.delay, port=given.port, mounts={"control": control})
    with control.server:
        print(control.server.url, flush=True)
        control.server.wait()


if __name__ == "__main__":
    main()
