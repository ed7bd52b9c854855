"""A Thanos that tells of one day of a cluster of any size: `python -m benchmarks.thanos PODS` prints its URL.

It answers the questions of one day, 1 March 2025, as fast as they can be sent: of ten pods, seven last all day, and
three have a part of it; every eighth has a GPU.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from urllib.parse import parse_qs

DAY, NEXT, STEP = 1740787200, 1740787200 + 86400, 900
POINTS = 97
_STAMPS = [b"%d" % (DAY + number * STEP) for number in range(POINTS)]
_HEAD = b'{"status":"success","data":{"resultType":"matrix","result":['
_SCHEDULER = (
    b'{"metric":{"__name__":"kube_pod_resource_%b","endpoint":"https","instance":"10.128.0.10:10259","job":"scheduler",'
    b'"namespace":"%b","node":"wrk-%d","pod":"%b","priority":"0","prometheus":"openshift-monitoring/k8s",'
    b'"resource":"%b","scheduler":"default-scheduler","service":"scheduler"%b},"values":%b}'
)
_STATE = (
    b'{"metric":{"__name__":"kube_pod_%b","container":"kube-rbac-proxy-main","endpoint":"https-main",'
    b'"job":"kube-state-metrics","namespace":"%b","pod":"%b","prometheus":"openshift-monitoring/k8s",'
    b'"service":"kube-state-metrics","uid":"%b"%b},"values":%b}'
)
_CPU = (b"0.1", b"0.25", b"0.5", b"1", b"2", b"4", b"8")
_MEMORY = (b"134217728", b"1073741824", b"4294967296", b"17179869184")


class Pod:
    """One pod, with the points at which it is there."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.namespace = b"project-%d-%06x" % (number % 500, number % 500 * 7919)
        self.name = b"worker-%d-%05x" % (number, number * 7919 % 1048576)
        self.uid = b"%08x-0000-4000-8000-%012x" % (number, number * 104729)
        self.first = 0 if number % 10 < 7 else number * 7 % 60
        self.last = POINTS - 1 if number % 10 < 7 else self.first + number * 13 % 30
        self.ended = number % 10 == 9
        self.gpu = number % 8 == 0

    def values(self, value: bytes, first: int | None = None, last: int | None = None) -> bytes:
        """Its samples, all of one value."""
        begin, end = self.first if first is None else first, self.last if last is None else last
        return b'[[%b,"%b"]]' % ((b',"%b"],[' % value).join(_STAMPS[begin : end + 1]), value)

    def asks(self, metric: bytes, resource: bytes, value: bytes, unit: bytes) -> bytes:
        """What the scheduler tells of it."""
        shown = b',"unit":"%b"' % unit if unit else b""
        node = self.number % 200
        return _SCHEDULER % (metric, self.namespace, node, self.name, resource, shown, self.values(value))

    def state(self, metric: bytes, values: bytes, more: bytes = b"") -> bytes:
        """What kube-state-metrics tells of it."""
        return _STATE % (metric, self.namespace, self.name, self.uid, more, values)

    def told(self, metric: bytes, seconds: int) -> bytes:
        """A time that it is told to have begun or ended."""
        return self.state(metric, b'[[%d,"%d"]]' % (NEXT + 300, seconds))


def series(query: str, pods: list[Pod]) -> Iterator[bytes]:
    """The series that answer a query; none for one that is about anything but pods."""
    if query.startswith("last_over_time(kube_pod_created"):
        return (pod.told(b"created", DAY + pod.first * STEP - 70) for pod in pods)
    if query.startswith("last_over_time(kube_pod_start_time"):
        return (pod.told(b"start_time", DAY + pod.first * STEP - 60) for pod in pods)
    if query.startswith("last_over_time(kube_pod_completion_time"):
        return (pod.told(b"completion_time", DAY + pod.last * STEP + 400) for pod in pods if pod.ended)
    if query.startswith("kube_pod_info"):
        owner = b',"node":"wrk-%d","created_by_kind":"ReplicaSet","created_by_name":"worker","host_ip":"10.0.0.9"'
        return (pod.state(b"info", pod.values(b"1"), owner % (pod.number % 200)) for pod in pods)
    if query.startswith("kube_pod_status_phase"):
        over = (pod for pod in pods if pod.ended)
        phase = b',"phase":"Succeeded"'
        return (pod.state(b"status_phase", pod.values(b"1", pod.last + 1, POINTS - 1), phase) for pod in over)
    metric = b"limit" if query.startswith("kube_pod_resource_limit") else b"request"
    if query.startswith("kube_pod_resource") and 'resource="cpu"' in query:
        return (pod.asks(metric, b"cpu", _CPU[pod.number % 7], b"cores") for pod in pods)
    if query.startswith("kube_pod_resource") and 'resource="memory"' in query:
        return (pod.asks(metric, b"memory", _MEMORY[pod.number % 4], b"bytes") for pod in pods)
    if query.startswith("kube_pod_resource_request"):
        return (pod.asks(b"request", b"nvidia.com/gpu", b"1", b"") for pod in pods if pod.gpu)
    if query.startswith("kube_node_labels"):
        label = b'{"metric":{"node":"wrk-%d","label_nvidia_com_gpu_product":"NVIDIA-A100-SXM4-40GB"},"values":%b}'
        return (label % (node, pods[0].values(b"1")) for node in range(200))
    return iter(())


class Thanos(BaseHTTPRequestHandler):
    """Answers queries about a fixed set of pods."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    pods: tuple[Pod, ...] = ()

    def do_POST(self) -> None:
        """Answer in pieces, as large answers come."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.path.endswith("/query"):
            self._piece(b'{"status":"success","data":{"resultType":"scalar","result":[0,"0"]}}')
        else:
            found = series(form["query"][0], list(self.pods))
            self._piece(_HEAD)
            between = b""
            while some := list(islice(found, 1000)):
                self._piece(between + b",".join(some))
                between = b","
            self._piece(b"]}}")
        self._piece(b"")

    def _piece(self, text: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(text), text))

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002
        """Noon of the day after."""
        return datetime.fromtimestamp(NEXT + 43200, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    Thanos.pods = tuple(Pod(number) for number in range(int(sys.argv[1])))
    with ThreadingHTTPServer(("127.0.0.1", 0), Thanos) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
