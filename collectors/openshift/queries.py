"""What a cluster's Prometheus is asked for. Source of the metrics: kube-scheduler, and kube-state-metrics."""

from datetime import timedelta

from collectors.openshift.settings import OpenShiftSource

__all__ = ["LOOKBACK", "Queries"]

#: A pod that no node can take uses nothing, whatever it asks for.
_SCHEDULED = " unless on(pod, namespace) kube_pod_status_unschedulable"
#: An instant selector sees so far back: a pod may end so long before the sample that still shows it.
LOOKBACK = timedelta(minutes=5)


class Queries:
    """The queries of one cluster, for windows of one length."""

    def __init__(self, settings: OpenShiftSource) -> None:
        self._settings = settings
        self._window = f"{(settings.window + LOOKBACK) // timedelta(seconds=1)}s"
        self._step = f"{settings.step_seconds}s"

    @property
    def cpu(self) -> str:
        return _request('resource="cpu"') + _SCHEDULED

    @property
    def memory(self) -> str:
        return _request('resource="memory"') + _SCHEDULED

    @property
    def gpus(self) -> str:
        return _request(f"resource=~{_quoted(self._settings.gpu_resources)}") + _SCHEDULED

    @property
    def short(self) -> str:
        """Requests of pods that were there since the previous point, but at neither of the two points."""
        resources = _quoted(f"cpu|memory|{self._settings.gpu_resources}")
        request = _request(f"resource=~{resources}")
        seen = f" unless {request} unless {request} offset {self._step}"
        return f"last_over_time({request}[{self._step}]){seen}{_SCHEDULED}"

    def limit(self, resource: str) -> str:
        return f"kube_pod_resource_limit{{resource={_quoted(resource)}}}"

    @property
    def identity(self) -> str:
        return 'kube_pod_info{node!=""}'

    @property
    def over(self) -> str:
        """Pods that have ended, and how."""
        return 'kube_pod_status_phase{phase=~"Succeeded|Failed"} == 1'

    def told(self, what: str) -> str:
        """A time that Kubernetes tells of each pod, the last one in a window."""
        return f"last_over_time(kube_pod_{what}[{self._window}])"

    def labelled(self, label: str) -> str:
        return f'kube_pod_labels{{{label}!=""}}'

    @property
    def models(self) -> str:
        return f'kube_node_labels{{{self._settings.gpu_label}!=""}}'

    @property
    def allocatable(self) -> str:
        return f"last_over_time(kube_node_status_allocatable[{self._window}])"

    @property
    def annotations(self) -> str:
        return "kube_namespace_annotations"

    @property
    def namespace_labels(self) -> str:
        return "kube_namespace_labels"

    @property
    def claims(self) -> str:
        return "kube_persistentvolumeclaim_resource_requests_storage_bytes"

    @property
    def claim_classes(self) -> str:
        return f"last_over_time(kube_persistentvolumeclaim_info[{self._window}])"


def _request(which: str) -> str:
    return f'kube_pod_resource_request{{{which}, node!=""}}'


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
