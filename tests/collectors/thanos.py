"""A Thanos of the tests' own: a small server in a thread that tells the series that it is given, and fails as told."""

import json
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl

__all__ = ["DAY", "STEP", "Fault", "Thanos", "at", "every"]

DAY, STEP = datetime(2025, 3, 1, tzinfo=UTC), timedelta(minutes=15)
Samples = Mapping[datetime, str]

#: What a query asks for, by how it begins.
_TOPICS = {
    'kube_pod_resource_request{resource="cpu"': "cpu",
    'kube_pod_resource_request{resource="memory"': "memory",
    "kube_pod_resource_request{resource=~": "gpus",
    "last_over_time(kube_pod_resource_request": "short",
    'kube_pod_resource_limit{resource="cpu"': "cpu limit",
    'kube_pod_resource_limit{resource="memory"': "memory limit",
    "kube_pod_info": "info",
    "kube_pod_status_phase": "phase",
    "last_over_time(kube_pod_created": "created",
    "last_over_time(kube_pod_start_time": "start_time",
    "last_over_time(kube_pod_completion_time": "completion_time",
    "kube_pod_labels": "labels",
    "kube_node_labels": "models",
    "last_over_time(kube_node_status_allocatable": "allocatable",
    "kube_namespace_annotations": "annotations",
    "kube_namespace_labels": "namespace labels",
    "kube_persistentvolumeclaim_resource": "claims",
    "last_over_time(kube_persistentvolumeclaim_info": "claim classes",
    "time()": "now",
}


def at(hour: int, minute: int = 0, second: int = 0, day: int = 0) -> datetime:
    """A time on the day that is asked for, or so many days later."""
    return DAY + timedelta(days=day, hours=hour, minutes=minute, seconds=second)


def every(first: datetime, last: datetime, value: str = "1", step: timedelta = STEP) -> dict[datetime, str]:
    """Samples from one time to another, both included."""
    count = (last - first) // step + 1
    return {first + number * step: value for number in range(count)}


class Asked(NamedTuple):
    """One request: its form, what it asks for, and who asks."""

    form: dict[str, str]
    topic: str
    authorization: str | None


@dataclass
class Fault:
    """Answers questions about a topic (all, if it is none), instead of Thanos; so many `times`, or for ever."""

    topic: str | None = None
    status: int = 200
    body: bytes = b""
    times: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0
    cut: bool = False


class Thanos:
    """The server. Its series are by what they are asked for; `now` is its clock; `certificate` also holds its key."""

    def __init__(self, now: datetime | None = None, certificate: Path | None = None) -> None:
        self.now = now or at(12, day=1)
        self.series = defaultdict[str, list[tuple[dict[str, str], Samples]]](list)
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        handler = type("Handler", (_Handler,), {"thanos": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def tell(self, topic: str, samples: Samples, **labels: str) -> None:
        """Add one series."""
        self.series[topic].append((labels, samples))

    def pod(
        self,
        name: str = "pod-1",
        samples: Iterable[datetime] = (),
        *,
        namespace: str = "space",
        uid: str = "uid-1",
        node: str = "wrk-0",
        cpu: str = "1",
        memory: str = "1073741824",
        gpus: Mapping[str, str] | None = None,
        created: datetime | None = None,
        started: datetime | None = None,
        completed: datetime | None = None,
    ) -> None:
        """Add the series of one pod that asks for the same at all those times."""
        times = list(samples) or list(every(at(10), at(11)))
        who = {"namespace": namespace, "pod": name}
        for topic, resource, unit, value in (("cpu", "cpu", "cores", cpu), ("memory", "memory", "bytes", memory)):
            if value:
                self.tell(topic, dict.fromkeys(times, value), **who, node=node, resource=resource, unit=unit)
        for resource, value in (gpus or {}).items():
            self.tell("gpus", dict.fromkeys(times, value), **who, node=node, resource=resource)
        if uid:
            self.tell("info", dict.fromkeys(times, "1"), **who, uid=uid, node=node, created_by_kind="Job")
        told = {"created": created, "start_time": started, "completion_time": completed}
        for topic, time_told in told.items():
            if time_told:
                self.tell(topic, {time_told: str(int(time_told.timestamp()))}, **who, uid=uid)

    def answer(self, asked: Asked) -> bytes:
        """What Thanos says."""
        if asked.topic == "now":
            return b'{"status":"success","data":{"resultType":"scalar","result":[0,"0"]}}'
        since, until = (datetime.fromisoformat(asked.form[edge]) for edge in ("start", "end"))
        step = timedelta(seconds=int(asked.form["step"]))
        result = []
        for labels, samples in self.series[asked.topic]:
            values: list[tuple[int, str]]
            if since == until:
                seen = [value for time, value in sorted(samples.items()) if until - timedelta(days=1.1) < time <= until]
                values = [(int(until.timestamp()), seen[-1])] if seen else []
            else:
                grid = [since + number * step for number in range((until - since) // step + 1)]
                values = [(int(point.timestamp()), samples[point]) for point in grid if point in samples]
            if values:
                result.append({"metric": labels, "values": values})
        answer = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        return json.dumps(answer, separators=(",", ":")).encode()


class _Handler(BaseHTTPRequestHandler):
    thanos: Thanos
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        topic = next((topic for begin, topic in _TOPICS.items() if form["query"].startswith(begin)), "")
        asked = Asked(form, topic, self.headers.get("Authorization"))
        self.thanos.asked.append(asked)
        for fault in self.thanos.faults:
            if fault.topic in (None, topic) and fault.times != 0:
                if fault.times:
                    fault.times -= 1
                time.sleep(fault.seconds)
                body = fault.body or self.thanos.answer(asked)
                self._send(fault.status, body, fault.headers, cut=fault.cut)
                return
        self._send(200, self.thanos.answer(asked), {})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002
        return format_datetime(self.thanos.now, usegmt=True)

    def log_message(self, *_: Any) -> None:
        pass
