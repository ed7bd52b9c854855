"""What has to be told of an OpenShift cluster."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from msgspec import Struct

__all__ = ["OpenShiftSource"]


class OpenShiftSource(Struct, frozen=True, forbid_unknown_fields=True):
    """One cluster.

    `name` is what the ledger calls it; `resource` what XDMoD calls it; `coldfront_resource` what ColdFront calls it.
    `prefix` stands before the names of its namespaces where XDMoD would take them for projects of other clouds.

    `url` is the Prometheus or Thanos that watches it; only a cluster that is read needs one. `token_file` holds a
    bearer token and is read again for each request; `ca_file` the authority that vouches for the server.
    It is read in windows of `window_hours`, sampled every `step_seconds`, when `settle_minutes` have passed since a
    window's end; the first time, `first_days` back. A query may take `timeout_seconds`.
    `gpu_resources` is a regular expression of resources that are GPUs. `pod_labels`, `namespace_labels` and
    `annotations` are what is kept of pods and namespaces, and `gpu_label` and `machine_label` tell the models of a
    node, all by the names that Prometheus gives them.

    Its pods are told to XDMoD with CPUs in `cpu` (cores or millicores), at least `minimum_cpu` of them, a job `per` day
    or life, and GPUs by the names in `gpu_types`; for whom, the first of `pi`, `account` and `user` says that says
    something. What the pods in `class_namespaces` use is also reported by their `class_label`.
    """

    name: str
    resource: str
    coldfront_resource: str | None = None
    prefix: str = ""
    url: str | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    step_seconds: int = 900
    window_hours: int = 24
    settle_minutes: int = 10
    first_days: int = 14
    timeout_seconds: int = 120
    gpu_resources: str = "nvidia.com.*"
    pod_labels: tuple[str, ...] = ()
    namespace_labels: tuple[str, ...] = ()
    annotations: tuple[str, ...] = (
        "annotation_cf_pi",
        "annotation_cf_project_id",
        "annotation_openshift_io_requester",
    )
    gpu_label: str = "label_nvidia_com_gpu_product"
    machine_label: str = "label_nvidia_com_gpu_machine"
    cpu: Literal["cores", "millicores"] = "cores"
    per: Literal["day", "life"] = "day"
    minimum_cpu: int = 1
    gpu_types: dict[str, str] = {}
    pi: tuple[str, ...] = ("hierarchy", "namespace")
    account: tuple[str, ...] = ("namespace",)
    user: tuple[str, ...] = ("namespace",)
    class_label: str | None = None
    class_namespaces: tuple[str, ...] = ()

    @property
    def step(self) -> timedelta:
        return timedelta(seconds=self.step_seconds)

    @property
    def window(self) -> timedelta:
        return timedelta(hours=self.window_hours)
