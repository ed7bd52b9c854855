"""One interval of a pod as a line of 26 columns, as XDMoD's slurm format has them.

What XDMoD makes of each column was measured on Open XDMoD 11.0.4: it splits a line at its first 25 bars, reads times as
UTC, knows GPUs only by the first gres/gpu of alloctres, and skips whatever has a key that it knows.
"""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from math import ceil

from msgspec import Struct
from msgspec.structs import astuple

from exporters.openshift.form import JobForm
from exporters.openshift.people import Person
from exporters.openshift.text import printable
from ledger.cluster import Demand
from ledger.pods import Interval, Life
from ledger.text import fitted

__all__ = ["Job", "asks_for_cpu", "encoded", "gpu_types", "job_of", "whole"]

#: So many characters has a column of text.
_WIDTH = 255
_MEBIBYTE = 2**20
_NOT_IN_TYPES = re.compile(r"[^a-z0-9._-]+")
_TIME = "%Y-%m-%dT%H:%M:%S"
_SECOND = timedelta(seconds=1)


class Job(Struct, frozen=True):
    """The columns, in their order; their schema is `openshift-job`."""

    jobid: int
    jobidraw: int
    cluster: str
    partition: str
    qos: str
    account: str
    group: str
    gid: int
    user: str
    uid: int
    submit: str
    eligible: str
    start: str
    end: str
    elapsed: str
    exitcode: str
    state: str
    nnodes: int
    ncpus: int
    reqcpus: int
    reqmem: str
    reqtres: str
    alloctres: str
    timelimit: str
    nodelist: str
    jobname: str


def job_of(id: int, life: Life, interval: Interval, person: Person, form: JobForm, *, first: bool, last: bool) -> Job:
    """The job of an interval in whole seconds; `first` and `last` say whether the pod began and ended with it."""
    demand, start, end = interval.demand, interval.start, interval.end
    created = life.pod.created
    submit = min(created.replace(microsecond=0), start) if first and created else start
    ncpus = _scaled(demand.cpu, form) or form.minimum_cpu
    memory, limit = _mebibytes(demand.memory), _mebibytes(demand.memory_limit) or _mebibytes(demand.memory)
    total = sum(demand.gpus.values())
    reqcpus = _scaled(demand.cpu_limit, form) or ncpus
    elapsed = _elapsed((end - start) // _SECOND)
    return Job(
        jobid=id,
        jobidraw=id,
        cluster=_column(form.resource),
        partition="",
        qos="",
        account=_column(person.account),
        group=_column(person.group),
        gid=person.gid,
        user=_column(person.user),
        uid=person.uid,
        submit=submit.strftime(_TIME),
        eligible=submit.strftime(_TIME),
        start=start.strftime(_TIME),
        end=end.strftime(_TIME),
        elapsed=elapsed,
        exitcode="0:0",
        state="FAILED" if last and life.pod.phase == "Failed" else "COMPLETED",
        nnodes=1,
        ncpus=ncpus,
        reqcpus=reqcpus,
        reqmem=f"{memory}M" if memory else "",
        reqtres=_tres(reqcpus, total, {}, limit),
        alloctres=_tres(ncpus, total, gpu_types(demand, form.gpu_types), memory),
        timelimit=elapsed,
        nodelist=_column(demand.node),
        jobname=fitted(printable(life.pod.name), _WIDTH),
    )


def encoded(job: Job) -> bytes:
    """A job as its line."""
    return "|".join(map(str, astuple(job))).encode() + b"\n"


def whole(interval: Interval) -> Interval:
    """An interval cut to whole seconds, as XDMoD has them."""
    return interval._replace(start=interval.start.replace(microsecond=0), end=interval.end.replace(microsecond=0))


def gpu_types(demand: Demand, names: Mapping[str, str]) -> dict[str, int]:
    """The GPUs by type: that of the node's model, or of a resource that says itself what it is.

    `names` has other names for models and resources. What is of no known model is in no type.
    """
    types = Counter[str]()
    for resource, number in demand.gpus.items():
        generic = resource.rpartition("/")[2] == "gpu"
        called = demand.gpu_model if generic else resource
        if called and number:
            own = names.get(called) or _NOT_IN_TYPES.sub("-", called.rpartition("/")[2].lower()).strip("-.")
            types[own or "unnamed"] += number
    return dict(sorted(types.items()))


def asks_for_cpu(demand: Demand) -> bool:
    """Whether a pod asks for any CPU; to ask for 0 is to ask for none."""
    return bool(demand.cpu and _rounded_up(demand.cpu, 1))


def _tres(cpus: int, gpus: int, types: Mapping[str, int], memory: int) -> str:
    """Trackable resources; of several gres/gpu XDMoD reads the first, so that the total comes before its parts."""
    parts = [f"cpu={cpus}"]
    if gpus:
        parts += [f"gres/gpu={gpus}", *(f"gres/gpu:{type}={number}" for type, number in types.items())]
    return ",".join([*parts, *([f"mem={memory}M"] if memory else []), "node=1"])


def _scaled(cores: str | None, form: JobForm) -> int:
    """CPUs in the form's unit, rounded up; 0 where none are asked for."""
    return _rounded_up(cores, 1000 if form.cpu == "millicores" else 1) if cores else 0


@lru_cache(4096)
def _rounded_up(cores: str, scale: int) -> int:
    return ceil(Fraction(cores) * scale)


def _mebibytes(amount: int | None) -> int:
    return -(-amount // _MEBIBYTE) if amount else 0


def _elapsed(seconds: int) -> str:
    """`[D-]HH:MM:SS`, as XDMoD reads it."""
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    return f"{f'{days}-' if days else ''}{hours:02}:{rest // 60:02}:{rest % 60:02}"


def _column(text: str) -> str:
    """What a column before the last can hold: no bar, which would end it."""
    return fitted(printable(text).replace("|", "_"), _WIDTH)
