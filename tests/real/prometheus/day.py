"""What happened on the demo's cluster on one day: its pods, as `record.py` lets a Prometheus tell of them.

The projects are those of the demo's ColdFront; to all but one of them it has allocated a namespace.
"""

from datetime import UTC, datetime, timedelta

from tests.real.prometheus.world import GIB, Pod, World, numbered

__all__ = ["DAY"]

_FIRST = datetime(2026, 10, 31, tzinfo=UTC)
_KEPT = timedelta(days=1)


def at(hour: int, minute: int = 0, second: int = 0, *, day: int = 0) -> datetime:
    """A time of the day, or so many days later."""
    return _FIRST + timedelta(days=day, hours=hour, minutes=minute, seconds=second)


_BEFORE, _AFTER = at(9, 30, 12, day=-19), at(0, day=9)
_GALAXY, _PROTEIN = "galaxy-inference-3f9c1a", "protein-screening-b81d07"
_CLIMATE, _NLP = "climate-dashboards-52e6f4", "nlp-web"
_PODS = numbered(
    [
        # Whole GPUs, since the evening before.
        Pod(_GALAXY, "train-haloes-7xk2p", at(20, 10, 25, day=-1), at(11, 42, 15), "48", 320 * GIB, "wrk-gpu-0",
            gpus={"nvidia.com/gpu": 2}, limits=True, phase="Succeeded", kept=_KEPT, kind="Job"),
        # Parts of one.
        Pod(_GALAXY, "classify-dwarfs-9m4tq", at(13, 5, 40), at(16, 20, 10), "4", 24 * GIB, "wrk-gpu-0",
            gpus={"nvidia.com/mig-1g.5gb": 2}, phase="Succeeded", kept=_KEPT, kind="Job"),
        Pod(_GALAXY, "halo-viewer-6b8f9c7d4-q5m2z", _BEFORE, _AFTER, "2", 8 * GIB, limits=True),
        # One name for three pods that follow each other; the last goes on after midnight.
        Pod(_PROTEIN, "fold-0", at(8, 0, 10), at(12, 24), "8", 32 * GIB, "wrk-1", kind="StatefulSet"),
        Pod(_PROTEIN, "fold-0", at(12, 31, 40), at(15, 8), "8", 32 * GIB, "wrk-1", kind="StatefulSet"),
        Pod(_PROTEIN, "fold-0", at(15, 16, 20), at(2, 40, day=1), "12", 48 * GIB, "wrk-2", kind="StatefulSet"),
        # GPUs of which the rate card knows nothing; and one that is handed through to a virtual machine.
        Pod(_PROTEIN, "screen-ligands-b7d5r", at(9, 15, 30), at(12, 45, 50), "8", 32 * GIB, "wrk-gpu-1",
            gpus={"nvidia.com/gpu": 1}, phase="Succeeded", kept=_KEPT, kind="Job"),
        Pod(_PROTEIN, "virt-launcher-docking-4c8nv", at(10, 2, 5), at(18, 32, 45), "16", 64 * GIB, "wrk-gpu-2",
            gpus={"nvidia.com/GV100GL_Tesla_V100": 1}, phase="Succeeded", kept=_KEPT, kind="VirtualMachineInstance"),
        Pod(_CLIMATE, "postgres-0", at(6, 45, 30, day=-4), _AFTER, "1", 4 * GIB, "wrk-1", kind="StatefulSet"),
        # It was given more while it ran.
        Pod(_CLIMATE, "tiles-5f7d6b9c8-hx9wl", at(7, 0, 20), at(19, 53), "1", 4 * GIB, sizes=((at(12, 7), "3"),)),
        Pod(_CLIMATE, "downscale-coast-z2v6k", at(14, 30, 15), at(14, 52, 5), "6", 12 * GIB, phase="Failed", kept=_KEPT,
            kind="Job"),
        # Over midnight.
        Pod(_CLIMATE, "nightly-grids-28xpc", at(23, 20, 10), at(1, 5, 30, day=1), "4", 16 * GIB, "wrk-2",
            phase="Succeeded", kept=_KEPT, kind="Job"),
        # It asks for nothing; and a name that is another pod's, too.
        Pod(_NLP, "search-7c9d8f6b5-k3j8s", at(6, 10, 15), at(17, 38), "0", 0),
        Pod(_NLP, "postgres-0", at(10, 20, 30, day=-2), _AFTER, "0.5", 2 * GIB, kind="StatefulSet"),
        # Shorter than the time between two samples.
        Pod(_NLP, "reindex-4wq7d", at(3, 2, 10), at(3, 11, 50), "2", 4 * GIB, phase="Succeeded", kept=_KEPT,
            kind="Job"),
    ]
)  # fmt: skip

#: The PI and the number of each project in ColdFront, and who asked for its namespace.
_OWNERS = {
    _GALAXY: ("amara@example.org", "7", "bruno"),
    _PROTEIN: ("ines@example.org", "8", "chen"),
    _CLIMATE: ("dalia@example.org", "9", "emeka"),
    _NLP: ("farid@example.org", "10", ""),
}


def _annotations(space: str, _: datetime) -> dict[str, str]:
    names = ("annotation_cf_pi", "annotation_cf_project_id", "annotation_openshift_io_requester")
    return dict(zip(names, _OWNERS[space], strict=True))


DAY = World(
    first=_FIRST,
    last=at(0, day=1),
    pods=_PODS,
    nodes={
        "wrk-0": "",
        "wrk-1": "",
        "wrk-2": "",
        "wrk-gpu-0": "NVIDIA-A100-SXM4-40GB",
        "wrk-gpu-1": "NVIDIA-L40S",
        "wrk-gpu-2": "",
    },
    annotations=_annotations,
    claims=((_CLIMATE, "data-postgres-0", "ssd", ((_FIRST, 40 * GIB),)),),
)
