"""How the pods of a cluster become jobs: what a site decides once."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

__all__ = ["CpuUnit", "JobForm", "Per"]

CpuUnit = Literal["cores", "millicores"]
Per = Literal["day", "life"]


class JobForm(Struct, frozen=True):
    """What XDMoD calls the cluster, and what a job of it says.

    CPUs are written in `cpu`, whole ones, rounded up; `minimum_cpu` of them for a pod that asks for none. A job is what
    a pod was `per` day, or in its whole life. `gpu_types` gives models and resources of GPUs other names. `pi`,
    `account` and `user` are places, as `exporters.openshift.people` knows them, of which the first that says something
    counts. `prefix` stands before the names of namespaces as PIs.
    """

    resource: str
    cpu: CpuUnit = "cores"
    per: Per = "day"
    minimum_cpu: int = 1
    gpu_types: Mapping[str, str] = {}
    pi: tuple[str, ...] = ("hierarchy", "namespace")
    account: tuple[str, ...] = ("namespace",)
    user: tuple[str, ...] = ("namespace",)
    prefix: str = ""
