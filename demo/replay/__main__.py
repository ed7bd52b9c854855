"""Serve a recording: python -m demo.replay RECORDING --port 8774 --delay 0.02."""

import argparse
from pathlib import Path

from demo.replay import Replay
from demo.replay.store import instant


def main() -> None:
    """Serve until interrupted; the URL is printed when the server is ready."""
    parser = argparse.ArgumentParser(prog="demo.replay", description="Answer like an OpenStack cloud, from a recording")
    parser.add_argument("recording", type=Path)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds for each answer")
    parser.add_argument("--at", type=instant, help="the clock; the last snapshot's moment unless given")
    given = parser.parse_args()
    with Replay(given.recording, port=given.port, delay=given.delay) as server:
        if given.at:
            server.at = given.at
        print(server.url, flush=True)
        server.wait()


if __name__ == "__main__":
    main()
