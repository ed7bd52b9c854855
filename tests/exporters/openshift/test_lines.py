"""What a line says of a pod."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

import schemas
from exporters.openshift import JobForm
from exporters.openshift.line import gpu_types
from hierarchy.held import Held
from ledger.cluster import Namespace
from ledger.database import writing
from ledger.jobs import LAST_ID
from ledger.tables import job
from tests.exporters.openshift.jobs import COLUMNS, Cluster, seconds, taken_apart
from tests.pods import at, demand, pod

A100 = "NVIDIA-A100-SXM4-40GB"
DAY = ("2025-03-01 10:00", "2025-03-01 10:45")


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """A cluster that is told in milli-CPU."""
    return Cluster(tmp_path)


def lines_of(folder: Path, form: JobForm, *wanted: object) -> dict[str, str]:
    """The only job of a cluster told in another form."""
    (only,) = Cluster(folder, form).exported("2025-03-02", *wanted)
    return only


def test_the_example_is_told_byte_by_byte(tmp_path: Path) -> None:
    """500 milli-CPU, 2 GiB and 2 A100 for 45 minutes are the documented line."""
    form = JobForm("openshift_prod", cpu="millicores", gpu_types={A100: "a100-sxm4"})
    cluster = Cluster(tmp_path, form, {"genomics-4f2a1b": Held("genomics-4f2a1b", project=1, allocation=1)})
    wanted = demand("0.5", 2, gpus={"nvidia.com/gpu": 2}, gpu_model=A100)
    cluster.collect("2025-03-02", pod("trainer-0", (*DAY, wanted), created=at("2025-03-01 10:00")))
    with writing(cluster.ledger.engine) as connection:
        connection.execute(insert(job).values(source_id=1, subject="before", begins=at("2025-02-28"), id=1000000))
    cluster.export()
    assert cluster.files() == {
        "2025-03-01.log": b"1000001|1000001|openshift_prod|||genomics-4f2a1b|genomics-4f2a1b|1|genomics-4f2a1b|1"
        b"|2025-03-01T10:00:00|2025-03-01T10:00:00|2025-03-01T10:00:00|2025-03-01T10:45:00|00:45:00|0:0|COMPLETED|1"
        b"|500|500|2048M|cpu=500,gres/gpu=2,mem=2048M,node=1"
        b"|cpu=500,gres/gpu=2,gres/gpu:a100-sxm4=2,mem=2048M,node=1|00:45:00|wrk-2|trainer-0\n"
    }


@pytest.mark.parametrize(
    ("unit", "cpu", "written"),
    [
        ("millicores", "0.5", "500"),
        ("millicores", "0.0005", "1"),
        ("millicores", "1.5", "1500"),
        ("cores", "0.5", "1"),
        ("cores", "1.5", "2"),
        ("cores", "2", "2"),
        ("cores", "0.25", "1"),
    ],
)
def test_cpus_are_whole_numbers_rounded_up(tmp_path: Path, unit: str, cpu: str, written: str) -> None:
    """XDMoD would round 0.25 to 0, and drop the job."""
    form = JobForm("r", cpu=unit)  # type: ignore[arg-type]
    told = lines_of(tmp_path, form, pod("a", (*DAY, demand(cpu))))
    assert (told["ncpus"], told["reqcpus"]) == (written, written)
    assert told["alloctres"].startswith(f"cpu={written},")


def test_limits_are_what_was_requested_of_slurm(cluster: Cluster) -> None:
    """The request is what counts; the limit is shown beside it."""
    (told,) = cluster.exported("2025-03-02", pod("a", (*DAY, demand("0.5", 1, cpu_limit="2", memory_limit=3 * 2**30))))
    assert (told["ncpus"], told["reqcpus"], told["reqmem"]) == ("500", "2000", "1024M")
    assert told["reqtres"] == "cpu=2000,mem=3072M,node=1"
    assert told["alloctres"] == "cpu=500,mem=1024M,node=1"


def test_memory_is_in_mebibytes_rounded_up(cluster: Cluster) -> None:
    """It has a unit, and one byte more is a MiB more."""
    wanted = demand("1", None)
    more = pod("a", (*DAY, demand("1", 1))) + pod("b", (*DAY, wanted.__class__("n", "1", 2**30 + 1)))
    assert [told["reqmem"] for told in cluster.exported("2025-03-02", more)] == ["1024M", "1025M"]


def test_what_asks_for_nothing_has_the_minimum_and_is_counted(tmp_path: Path) -> None:
    """A pod without requests used something: it is neither 0 CPUs, of which XDMoD makes an error, nor left unsaid."""
    cluster = Cluster(tmp_path, JobForm("r", cpu="millicores", minimum_cpu=10))
    cluster.collect("2025-03-02", pod("best-effort", (*DAY, demand(None, None))))
    (done,) = cluster.export()
    (told,) = cluster.jobs()
    assert (told["ncpus"], told["reqcpus"], told["reqmem"]) == ("10", "10", "")
    assert told["alloctres"] == told["reqtres"] == "cpu=10,node=1"
    assert done.counts["jobs without CPU request"] == done.counts["jobs without memory request"] == 1


@pytest.mark.parametrize(
    ("gpus", "model", "tres"),
    [
        ({"nvidia.com/gpu": 1}, A100, "gres/gpu=1,gres/gpu:nvidia-a100-sxm4-40gb=1"),
        ({"nvidia.com/gpu": 3}, None, "gres/gpu=3"),
        ({"nvidia.com/mig-1g.5gb": 2}, A100, "gres/gpu=2,gres/gpu:mig-1g.5gb=2"),
        ({"nvidia.com/A100_SXM4_40GB": 4}, None, "gres/gpu=4,gres/gpu:a100_sxm4_40gb=4"),
        (
            {"nvidia.com/mig-1g.5gb": 1, "nvidia.com/gpu": 2},
            A100,
            "gres/gpu=3,gres/gpu:mig-1g.5gb=1,gres/gpu:nvidia-a100-sxm4-40gb=2",
        ),
    ],
)
def test_gpus_are_told_in_all_and_then_by_type(
    cluster: Cluster, gpus: dict[str, int], model: str | None, tres: str
) -> None:
    """XDMoD reads the first entry only; several resources add up, and none is lost for want of a node's label."""
    (told,) = cluster.exported("2025-03-02", pod("a", (*DAY, demand("1", 1, gpus=gpus, gpu_model=model))))
    assert told["alloctres"] == f"cpu=1000,{tres},mem=1024M,node=1"
    first = re.search(r"gres/gpu[:=][^,]*", told["alloctres"])
    assert first is not None
    assert first[0] == f"gres/gpu={sum(gpus.values())}"


def test_gpus_of_no_known_model_are_counted(cluster: Cluster) -> None:
    """They are in the total, and the run says so."""
    cluster.collect("2025-03-02", pod("a", (*DAY, demand(gpus={"nvidia.com/gpu": 1}))))
    assert cluster.export()[0].counts["jobs with GPUs of unknown model"] == 1


def test_types_have_the_names_that_the_site_gives() -> None:
    """By model or by resource; what becomes one type adds up."""
    wanted = demand(gpus={"nvidia.com/gpu": 1, "nvidia.com/A100_SXM4_40GB": 2}, gpu_model=A100)
    assert gpu_types(wanted, {A100: "a100", "nvidia.com/A100_SXM4_40GB": "a100"}) == {"a100": 3}


def test_a_line_has_26_columns_whatever_names_say(cluster: Cluster) -> None:
    """A bar may stand in the last column only, and nothing ends a line but its end."""
    hostile = "a|b\nc\x00d\x85\u2028|e"
    cluster.form = JobForm("r", pi=("annotation_cf_pi",), user=("annotation_requester",))
    annotations = {"annotation_cf_pi": hostile, "annotation_requester": "x|" * 400}
    odd = pod(hostile, (*DAY, demand(node="no|de\r")), namespace="ns")
    long = pod("n" * 300, (*DAY, demand()), namespace="ns")
    told = cluster.exported("2025-03-02", odd, long, Namespace("ns", at("2025-02-01"), annotations))
    assert len(cluster.lines()) == 2
    assert cluster.files()["2025-03-01.log"].count(b"\n") == 2
    by_name = {len(one["jobname"]): one for one in told}
    assert set(by_name) == {255, len("a|bcd|e")}
    one = by_name[len("a|bcd|e")]
    assert (one["jobname"], one["group"], one["nodelist"]) == ("a|bcd|e", "a_bcd_e", "no_de")
    assert len(one["user"]) == 255
    assert one["group"] == by_name[255]["group"]


def test_elapsed_is_end_minus_start_in_slurms_words(cluster: Cluster) -> None:
    """A whole day is 1-00:00:00; XDMoD does not understand Python's `1 day, 0:00:00`."""
    told = cluster.exported("2025-03-04", pod("a", ("2025-03-01 23:00", "2025-03-03 01:02:03", demand())))
    assert [one["elapsed"] for one in told] == ["01:00:00", "1-00:00:00", "01:02:03"]
    assert [seconds(one) for one in told] == [3600, 86400, 3723]


def test_elapsed_reads_as_slurm_writes_it(xdmod_data: Path, cluster: Cluster) -> None:
    """What Slurm wrote of jobs is what is written of pods that ran as long."""
    reference = [
        taken_apart(line)
        for line in (xdmod_data / "reference" / "slurm" / "phillips.log").read_text().splitlines()[:40]
    ]
    known = {one["elapsed"]: seconds(one) for one in reference}
    cluster.form = JobForm("r", per="life")
    start = at("2025-03-01 10:00")
    pods = [
        pod(f"p{number}", ("2025-03-01 10:00", f"{start + timedelta(seconds=long):%Y-%m-%d %H:%M:%S}", demand()))
        for number, long in enumerate(sorted(set(known.values())))
        if long
    ]
    told = cluster.exported("2025-06-01", *pods)
    assert {one["elapsed"] for one in told} == {text for text, long in known.items() if long}


def test_every_column_is_like_slurms(xdmod_data: Path, cluster: Cluster) -> None:
    """Each column has the shape of its like in a recorded sacct output, which XDMoD ingested."""
    shapes = {
        "jobid": r"[1-9]\d*(_\d+)?",
        "gid": r"\d+",
        "uid": r"\d+",
        "submit": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
        "start": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
        "end": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
        "elapsed": r"(\d+-)?\d\d:\d\d:\d\d",
        "exitcode": r"\d+:\d+",
        "state": r"(COMPLETED|FAILED|TIMEOUT|NODE_FAIL|CANCELLED.*|OUT_OF_MEMORY|PREEMPTED)",
        "nnodes": r"\d+",
        "ncpus": r"\d+",
        "reqcpus": r"\d+",
        "reqmem": r"[\d.]+[KMGT][nc]?",
        "alloctres": r"[a-z]+(/gpu)?(:[a-z0-9._-]+)?=[\d.]+[KMG]?(,[a-z]+(/[a-z]+)?(:[a-z0-9._-]+)?=[\d.]+[KMG]?)*",
        "timelimit": r"((\d+-)?\d\d:\d\d:\d\d|UNLIMITED|Partition_Limit)",
    }
    wanted = demand(gpus={"nvidia.com/gpu": 2}, gpu_model=A100)
    ours = cluster.exported("2025-03-02", pod("a", (*DAY, wanted)))
    theirs = [
        taken_apart(line) for line in (xdmod_data / "reference" / "slurm" / "phillips.log").read_text().splitlines()
    ]
    for one in [*ours, *theirs]:
        for name, shape in shapes.items():
            assert re.fullmatch(shape, one[name]), (name, one[name])


def test_a_failed_pods_last_interval_failed(cluster: Cluster) -> None:
    """All before it completed, and nothing is ever running, which XDMoD would skip."""
    first, last = ("2025-03-01 10:00", "2025-03-01 10:30"), ("2025-03-01 10:30", "2025-03-01 11:00")
    told = cluster.exported("2025-03-02", pod("a", (*first, demand("1")), (*last, demand("2")), phase="Failed"))
    assert [one["state"] for one in told] == ["COMPLETED", "FAILED"]


def test_the_wait_is_that_of_the_first_interval(cluster: Cluster) -> None:
    """A pod waited from its creation to its start, once: not on each day that it lasted."""
    told = cluster.exported(
        "2025-03-03", pod("a", ("2025-03-01 10:00", "2025-03-02 10:00", demand()), created=at("2025-02-28 09:00"))
    )
    assert [(one["submit"], one["start"]) for one in told] == [
        ("2025-02-28T09:00:00", "2025-03-01T10:00:00"),
        ("2025-03-02T00:00:00", "2025-03-02T00:00:00"),
    ]


def test_a_clock_that_is_wrong_makes_no_negative_wait(cluster: Cluster) -> None:
    """A pod that says it was created after it began was submitted when it began."""
    (told,) = cluster.exported("2025-03-02", pod("a", (*DAY, demand()), created=at("2025-03-01 10:00:09")))
    assert told["submit"] == told["eligible"] == told["start"] == "2025-03-01T10:00:00"


class TestWhose:
    """PI, account and user."""

    def told(self, folder: Path, form: JobForm, held: dict[str, Held] | None = None) -> dict[str, str]:
        states = [
            Namespace("ns", at("2025-01-01"), {"annotation_cf_pi": "old@x.org", "annotation_cf_project_id": "16"}),
            Namespace("ns", at(DAY[0]), {"annotation_cf_pi": "new@x.org", "annotation_cf_project_id": "17"}),
            Namespace("ns", at("2025-03-02"), {}, gone=True),
        ]
        (only,) = Cluster(folder, form, held or {}).exported(
            "2025-03-03", *states, pod("a", (*DAY, demand()), namespace="ns")
        )
        return only

    def test_by_default_the_namespace(self, tmp_path: Path) -> None:
        """With the prefix that group.csv has, and ColdFront's ids where something tells them."""
        told = self.told(tmp_path, JobForm("r", prefix="ocp-"))
        assert [told[name] for name in ("group", "account", "user", "gid", "uid")] == ["ocp-ns", "ns", "ns", "17", "0"]

    def test_the_hierarchy_first(self, tmp_path: Path) -> None:
        """Its key is what group.csv has."""
        told = self.told(tmp_path, JobForm("r"), {"ns": Held("ocp-Genomics", project=5, allocation=12)})
        assert [told[name] for name in ("group", "account", "gid", "uid")] == ["ocp-Genomics", "ns", "5", "12"]

    def test_an_annotation_as_it_was_then(self, tmp_path: Path) -> None:
        """What the namespace said when the interval began, not what it says now."""
        form = JobForm("r", pi=("annotation_cf_pi",), user=("annotation_absent", "annotation_cf_pi"))
        told = self.told(tmp_path, form)
        assert (told["group"], told["user"]) == ("new@x.org", "new@x.org")

    def test_an_annotation_that_says_nothing_does_not_count(self, tmp_path: Path) -> None:
        """Blanks and control characters are nothing; the next place counts."""
        states = Namespace("ns", at("2025-01-01"), {"annotation_cf_pi": " \x00\n"}, {"label_pi": "pi@x.org"})
        form = JobForm("r", pi=("annotation_cf_pi", "label_pi"), user=("annotation_cf_pi",))
        (told,) = Cluster(tmp_path, form).exported("2025-03-03", states, pod("a", (*DAY, demand()), namespace="ns"))
        assert (told["group"], told["user"]) == ("pi@x.org", "ns")


def test_ids_go_up_to_the_last_that_xdmod_can_hold(cluster: Cluster) -> None:
    """The 2,147,483,647th job is told; after it the export stops and says so, and nothing is told twice."""
    cluster.collect("2025-03-02", pod("a", (*DAY, demand())))
    with writing(cluster.ledger.engine) as connection:
        connection.execute(insert(job).values(source_id=1, subject="before", begins=at("2025-02-28"), id=LAST_ID - 1))
    cluster.export()
    assert [one["jobid"] for one in cluster.jobs()] == ["2147483647"]
    cluster.collect("2025-03-03", pod("b", ("2025-03-02 10:00", "2025-03-02 11:00", demand())))
    with pytest.raises(Exception, match="have used up the 2,147,483,647 ids"):
        cluster.export()
    assert list(cluster.files()) == ["2025-03-01.log"]


def test_the_schema_has_the_columns_in_their_order() -> None:
    """The record, the schema and the line are one thing."""
    assert list(schemas.load("openshift-job")["properties"]) == COLUMNS


def test_what_the_schema_refuses_is_set_aside(tmp_path: Path) -> None:
    """A job that XDMoD could not hold is not told, and said."""
    cluster = Cluster(tmp_path)
    cluster.collect("2025-03-02", pod("a", (*DAY, demand("99999999"))), pod("b", (*DAY, demand())))
    (done,) = cluster.export()
    assert [one["jobname"] for one in cluster.jobs()] == ["b"]
    assert [unfit.record["jobname"] for unfit in done.unfit] == ["a"]
    assert done.quarantine is not None
    assert "ncpus" in done.quarantine.read_text()
