"""An OpenShift cluster beside the demo's cloud: what its Prometheus answered, served below a path of that server."""

from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from demo.replay import Answer, Request
from demo.replay.store import Body

__all__ = ["ASKED", "RECORDING", "Cluster"]

RECORDING = Path(__file__).with_name("cluster.json")
#: What tells questions apart.
ASKED = ("query", "start", "end", "step")
_API = "/prometheus/api/v1"


class Cluster:
    """Answers as the Prometheus of one day did, to the questions that it was asked then; any other is refused.

    Its time is that of a clock, so that the day is over when the clock says so.
    """

    def __init__(self, clock: Callable[[], datetime], recording: Path = RECORDING) -> None:
        self._clock = clock
        recorded: list[Body] = msgspec.json.decode(recording.read_bytes())["answers"]
        self._answers = {tuple(one[name] for name in ASKED): one["body"] for one in recorded}

    @property
    def mounts(self) -> Mapping[str, Callable[[Request], Answer]]:
        """What answers below /prometheus."""
        return {"prometheus": self._answer}

    def _answer(self, request: Request) -> Answer:
        status, body = self._told(request.method, request.path, dict(parse_qsl(request.body.decode())))
        date = format_datetime(self._clock(), usegmt=True)
        return Answer(status, msgspec.json.encode(body), (("Date", date),))

    def _told(self, method: str, path: str, form: Mapping[str, str]) -> tuple[int, Any]:
        if method != "POST":
            return 405, {"status": "error", "errorType": "bad_data", "error": "only POST is served"}
        if path == f"{_API}/query" and form.get("query") == "time()":
            now = self._clock().timestamp()
            return 200, {"status": "success", "data": {"resultType": "scalar", "result": [now, f"{now:.0f}"]}}
        answer = self._answers.get(tuple(form.get(name) for name in ASKED)) if path == f"{_API}/query_range" else None
        if answer is None:
            return 400, {"status": "error", "errorType": "bad_data", "error": "nobody asked this when it was recorded"}
        return 200, answer
