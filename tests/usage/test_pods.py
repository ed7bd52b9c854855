"""What pods use and what that comes to: by the site's card, exact, and with nothing free that nobody knows."""

import tracemalloc
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest
from msgspec.structs import replace

from ledger.cluster import Demand, Pod, PodKey
from ledger.pods import Interval, Life, Oddity
from ledger.times import EPOCH
from tests.pods import DAY, at, demand
from usage.pods import Classes, PodRow, PodUsage, gpu_type, size_of
from usage.rates import Card, Finding, Piece, bill, charges, printed, read_rates

CARD = read_rates(Path(__file__).parents[2] / "docs" / "rates" / "nerc-openshift.toml")
A100, A100SXM4 = "NVIDIA-A100-40GB", "NVIDIA-A100-SXM4-40GB"
GPU = "nvidia.com/gpu"
DATE = "2026-02-01"


def life(name: str, *spans: tuple[str, str, Demand], namespace: str = "ns", **more: object) -> Life:
    """A pod with intervals."""
    intervals = [Interval(at(start), at(end), wanted) for start, end, wanted in spans]
    known = {"uid": f"uid-{name}", "created": intervals[0].start, **more}
    pod = Pod(namespace, name, intervals[0].start, intervals[-1].end, 900, **known)  # type: ignore[arg-type]
    return Life(PodKey(f"uid-{name}"), pod, intervals, frozenset())


def by_day(lives: Iterable[Life]) -> Iterator[tuple[datetime, list[Life]]]:
    """The same pods as the ledger gives them, day by day."""
    cut = list[tuple[datetime, Life]]()
    for one in lives:
        day = one.intervals[0].start.replace(hour=0, minute=0, second=0)
        while day < one.intervals[-1].end:
            parts = [span._replace(start=max(span.start, day), end=min(span.end, day + DAY)) for span in one.intervals]
            cut.append((day, one._replace(intervals=[span for span in parts if span.start < span.end])))
            day += DAY
    for day, group in groupby(sorted(cut, key=lambda pair: (pair[0], pair[1].key)), key=itemgetter(0)):
        yield day, [one for _, one in group]


def used(
    *lives: Life,
    card: Card | None = CARD,
    window: tuple[str, str] = ("2025-01-01", "2027-01-01"),
    classes: Classes | None = None,
) -> tuple[PodUsage, list[PodRow]]:
    """What a report of these pods counts, and its rows."""
    first, last = ((at(text) - EPOCH) // timedelta(seconds=1) for text in window)
    usage = PodUsage((first, last), card, classes)
    return usage, [row for day, some in by_day(lives) for row in usage.day(day, some)]


def billed(usage: PodUsage) -> dict[tuple[str | None, str | None], tuple[Fraction | None, Decimal]]:
    assert usage.billing is not None
    return {
        (line.project, line.unit): (line.units, printed(line.cost or Fraction())) for line in usage.billing.bill().lines
    }


def one_hour(wanted: Demand) -> tuple[str | None, Fraction | None, str | None, Finding | None]:
    """What an hour of a pod comes to: unit, count, what decided, and why it has no price."""
    _, (row,) = used(life("a", (f"{DATE} 10:00", f"{DATE} 11:00", wanted)))
    assert row.term is not None
    return row.term.unit, row.term.count, row.term.by, row.term.finding


def of_gpu(resource: str, model: str | None = None, number: int = 1, cpu: str = "1", gib: float = 1) -> Demand:
    return demand(cpu, gib, gpus={resource: number}, gpu_model=model)


@pytest.mark.parametrize(
    ("wanted", "unit", "count", "finding"),
    [
        # In the order in which the first that fits decides.
        (of_gpu(GPU, A100, 0), None, None, Finding.UNKNOWN_GPU),
        (demand(None, 4), "OpenShift CPU", None, Finding.UNKNOWN_SIZE),
        (demand("1", None), "OpenShift CPU", None, Finding.UNKNOWN_SIZE),
        (demand("0", 4), "OpenShift CPU", None, Finding.UNKNOWN_SIZE),
        (demand("0.5", 2), "OpenShift CPU", "0.5", None),
        (of_gpu(GPU, A100), "OpenShift GPUA100", "1", None),
        (of_gpu(GPU, A100SXM4), "OpenShift GPUA100SXM4", "1", None),
        (of_gpu(GPU, "Tesla-V100-PCIE-32GB"), "OpenShift GPUV100", "1", None),
        (of_gpu(GPU, "NVIDIA-H100-80GB-HBM3"), "OpenShift GPUH100", "1", None),
        (of_gpu("nvidia.com/A100_SXM4_40GB"), "OpenShift GPUA100SXM4", "1", None),
        (of_gpu("nvidia.com/A100_SXM4_40GB", "NVIDIA-OTHER"), "OpenShift GPUA100SXM4", "1", None),
        (of_gpu("nvidia.com/H100_SXM5_80GB"), "OpenShift GPUH100", "1", None),
        (of_gpu("nvidia.com/GV100GL_Tesla_V100"), "OpenShift GPUV100", "1", None),
        (of_gpu("nvidia.com/mig-1g.5gb", A100SXM4), "OpenShift Unknown MIG GPU", "1", Finding.NO_RATE),
        (of_gpu(GPU, "NVIDIA-L40S"), "OpenShift Unknown GPU", "1", Finding.NO_RATE),
        (of_gpu(GPU), "OpenShift Unknown GPU", "1", Finding.NO_RATE),
        (of_gpu("nvidia.com/mig-1g.5gb", "NVIDIA-H100"), None, None, Finding.UNKNOWN_GPU),
        (of_gpu("nvidia.com/mig-1g.5gb"), None, None, Finding.UNKNOWN_GPU),
        (of_gpu("amd.com/gpu"), None, None, Finding.UNKNOWN_GPU),
    ],
)
def test_what_a_pod_is_counted_as(wanted: Demand, unit: str | None, count: str | None, finding: Finding | None) -> None:
    """The first rule that fits; whatever nobody knows has a finding, and no GPU passes for none."""
    assert one_hour(wanted)[:2] == (unit, None if count is None else Fraction(count))
    assert one_hour(wanted)[3] is finding


@pytest.mark.parametrize(
    ("wanted", "count", "by"),
    [
        (demand("0.5", 2), "0.5", "vcpus"),
        (demand("0.5", 4), "1", "memory_mib"),
        (demand("1", 6), "1.5", "memory_mib"),
        (of_gpu(GPU, A100SXM4, cpu="40", gib=200), "2", "vcpus"),
        (of_gpu(GPU, "NVIDIA-L40S", cpu="8", gib=32), "1", "gpus"),
        (of_gpu(GPU, A100, cpu="24", gib=74), "1", "gpus"),
        (of_gpu(GPU, A100, cpu="24", gib=74.001), "2", "memory_mib"),
    ],
)
def test_the_worked_pods(wanted: Demand, count: str, by: str) -> None:
    """What needs most decides; of GPUs the count is whole, and on a tie the GPU decides before the CPU."""
    assert one_hour(wanted)[1:3] == (Fraction(count), by)


#: Since when a unit holds so many vCPUs, and so much memory in MiB, beside its GPU.
HOLDS = [
    (A100, "2026-02-01", 24, 75776),
    (A100SXM4, "2026-02-01", 31, 245760),
    ("Tesla-V100-PCIE-32GB", "2026-02-01", 48, 196608),
    ("NVIDIA-H100-80GB-HBM3", "2025-03-31", 63, 385024),
    ("NVIDIA-H100-80GB-HBM3", "2025-04-01", 124, 368640),
    ("NVIDIA-L40S", "2026-02-01", 8, 65536),
]


@pytest.mark.parametrize(("model", "date", "cpus", "mib"), HOLDS)
def test_a_unit_holds_what_the_table_says(model: str, date: str, cpus: int, mib: int) -> None:
    """All of it is one unit; a thousandth of a core or a byte more, or another GPU, is one unit more."""
    full = Demand("n", str(cpus), mib * 2**20, {GPU: 1}, model)
    sizes = [
        full,
        replace(full, cpu=f"{cpus}.001"),
        replace(full, memory=mib * 2**20 + 1),
        replace(full, gpus={GPU: 2}),
    ]
    pods = [life(f"p{number}", (f"{date} 10:00", f"{date} 11:00", one)) for number, one in enumerate(sizes)]
    _, rows = used(*pods)
    assert [row.term.count for row in rows if row.term] == [1, 2, 2, 2]


PRICES = [
    (demand("1", 4), "2026-02-01", "0.013"),
    (of_gpu(GPU, A100), "2026-02-01", "1.803"),
    (of_gpu(GPU, A100SXM4), "2026-02-01", "2.078"),
    (of_gpu(GPU, "Tesla-V100-PCIE-32GB"), "2026-02-01", "1.214"),
    (of_gpu(GPU, "NVIDIA-H100-80GB-HBM3"), "2025-05-31", "6.04"),
    (of_gpu(GPU, "NVIDIA-H100-80GB-HBM3"), "2025-06-01", "4"),
]


@pytest.mark.parametrize(("wanted", "date", "price"), PRICES)
def test_a_unit_costs_what_the_table_says(wanted: Demand, date: str, price: str) -> None:
    """An hour of one unit, on the first or last day of its price."""
    _, (row,) = used(life("a", (f"{date} 23:00", f"{date} 23:59:59", wanted)))
    assert row.term is not None
    assert (row.term.count, row.term.price) == (Fraction(1), Decimal(price))


def test_pods_and_servers_are_counted_alike() -> None:
    """By one card, a pod is as many units as a server of its size, fractions and all, and costs the same."""
    start, end = ((at(text) - EPOCH) // timedelta(seconds=1) for text in (f"{DATE} 10:00", f"{DATE} 12:00"))
    sizes = [demand("0.333", 1), demand("2.5", 3.7), demand("9", 100), of_gpu(GPU, A100, 3, "70", 200), of_gpu("amd/x")]
    for wanted in sizes:
        usage, (row,) = used(life("a", (f"{DATE} 10:00", f"{DATE} 12:00", wanted)))
        (charge,) = charges([Piece("a", "ns", "active", start, end, size_of(wanted))], CARD)
        assert row.term == charge.term
        assert usage.billing is not None
        assert usage.billing.bill().lines == bill([charge], CARD).lines


def test_the_worked_costs() -> None:
    """20 unit hours for $41.56; 54 for $0.70; and two small pods round up once, to 2 and not to 3."""
    usage, _ = used(
        life("a", (f"{DATE} 00:00", f"{DATE} 10:00", of_gpu(GPU, A100SXM4, cpu="40", gib=200)), namespace="a"),
        life("b", (f"{DATE} 00:00", "2026-02-02 12:00", demand("1.5", 4)), namespace="b"),
        life("c", (f"{DATE} 00:00", f"{DATE} 03:00", demand("0.5", 1)), namespace="c"),
        life("d", (f"{DATE} 00:00", f"{DATE} 02:00", demand("0.25", 1)), namespace="c"),
    )
    assert billed(usage) == {
        ("a", "OpenShift GPUA100SXM4"): (Fraction(20), Decimal("41.56")),
        ("b", "OpenShift CPU"): (Fraction(54), Decimal("0.70")),
        ("c", "OpenShift CPU"): (Fraction(2), Decimal("0.03")),
    }


def test_a_rate_of_nothing_is_a_rate() -> None:
    """What the site gives away has a price, 0, and no finding."""
    free = replace(CARD, rates=[replace(rate, price=Decimal(0)) for rate in CARD.rates])
    usage, (row,) = used(life("a", (f"{DATE} 10:00", f"{DATE} 11:00", demand())), card=free)
    assert row.term is not None
    assert (row.term.price, row.term.finding) == (Decimal(0), None)
    assert not usage.findings


def test_a_definition_changes_with_the_month() -> None:
    """An H100 has 63 vCPUs up to March 2025 and 124 from April on; a pod over midnight counts by both."""
    _, rows = used(life("a", ("2025-03-31 23:00", "2025-04-01 02:00", of_gpu(GPU, "NVIDIA-H100-80GB-HBM3", cpu="100"))))
    assert [(row.term.count, row.term.price, row.seconds) for row in rows if row.term] == [
        (Fraction(2), Decimal("6.04"), 3600),
        (Fraction(1), Decimal("6.04"), 7200),
    ]


def outage(*spans: tuple[str, str]) -> Card:
    second = timedelta(seconds=1)
    return replace(CARD, outages=tuple(((at(a) - EPOCH) // second, (at(b) - EPOCH) // second) for a, b in spans))


def test_outages_are_subtracted() -> None:
    """Of 08:00 to 22:00, without 12:00 to 21:00, five hours are left, in one row."""
    usage, rows = used(
        life("a", (f"{DATE} 08:00", f"{DATE} 22:00", demand("1", 4))), card=outage((f"{DATE} 12:00", f"{DATE} 21:00"))
    )
    assert [row.seconds for row in rows] == [5 * 3600]
    assert billed(usage) == {("ns", "OpenShift CPU"): (Fraction(5), Decimal("0.07"))}
    assert (usage.namespaces["ns"].seconds, usage.namespaces["ns"].outage) == (14 * 3600, 9 * 3600)


def test_an_outage_takes_no_more_than_there_was() -> None:
    """A pod that lies within it is not charged, nor does it take from others; what is left of no hours is no line."""
    usage, _ = used(
        life("in", (f"{DATE} 13:00", f"{DATE} 14:00", demand("1", 4)), namespace="in"),
        life("by", (f"{DATE} 11:00", f"{DATE} 13:00", demand("1", 4)), namespace="by"),
        card=outage((f"{DATE} 12:00", f"{DATE} 21:00")),
    )
    assert billed(usage) == {("by", "OpenShift CPU"): (Fraction(1), Decimal("0.01"))}
    assert {name: (sums.seconds, sums.outage) for name, sums in usage.namespaces.items()} == {
        "by": (7200, 3600),
        "in": (3600, 3600),
    }


def test_an_outage_over_midnight_takes_of_both_days() -> None:
    """Three hours of it: one of the first day, two of the second; never more than there was."""
    usage, rows = used(
        life("a", (f"{DATE} 22:00", "2026-02-02 03:00", demand("1", 4))),
        life("b", ("2026-02-02 00:30", "2026-02-02 01:00", demand("1", 4))),
        card=outage((f"{DATE} 23:00", "2026-02-02 02:00")),
    )
    assert [row.seconds for row in rows] == [3600, 3600]
    assert usage.namespaces["ns"].outage == 3 * 3600 + 1800


def test_a_period_has_its_last_second_and_no_other() -> None:
    """A pod through the whole of it counts for each second, and what lies outside is not in."""
    always = life("a", ("2026-01-30 00:00", "2026-03-03 00:00", demand("1", 4)))
    before = life("b", ("2026-01-31 00:00", "2026-02-01 00:00", demand()))
    after = life("c", ("2026-03-01 00:00", "2026-03-01 01:00", demand()))
    usage, _ = used(always, before, after, window=("2026-02-01", "2026-03-01"))
    assert usage.namespaces["ns"].seconds == 28 * 86400
    assert usage.namespaces["ns"].pods == 1


def test_sums_are_exact() -> None:
    """Fractions of cores and odd bytes add up to what they are; several kinds of GPU count together."""
    third = Demand("n", "0.333", 2**30 + 1, {GPU: 1, "nvidia.com/mig-1g.5gb": 2})
    usage, _ = used(*(life(f"p{number}", (f"{DATE} 10:00", f"{DATE} 10:00:07", third)) for number in range(10)))
    sums = usage.namespaces["ns"]
    assert (sums.cpu, sums.memory, sums.gpu) == (Fraction("23.31"), 70 * (2**30 + 1), 210)
    assert sums.pods == 10


def test_what_asks_for_nothing_is_counted_and_in_no_sum() -> None:
    """A BestEffort pod is shown with its hours, and never as 0 CPUs of a price."""
    usage, (row,) = used(life("a", (f"{DATE} 10:00", f"{DATE} 12:00", demand(None, None))))
    sums = usage.namespaces["ns"]
    assert (sums.seconds, sums.without_cpu, sums.without_memory, sums.cpu) == (7200, 7200, 7200, Fraction())
    assert usage.oddities == {"no-cpu-request": 1, "no-memory-request": 1}
    assert usage.findings == {Finding.UNKNOWN_SIZE: 1}
    assert row.term is not None
    assert row.term.price is None


def test_a_pod_is_counted_once_however_long_it_lasts() -> None:
    """By days, over a gap of several days, and by each finding; two lives of one name are two."""
    wanted = of_gpu(GPU, "NVIDIA-L40S")
    gap = life(
        "gap", ("2026-02-01 10:00", "2026-02-02 10:00", wanted), ("2026-02-06 10:00", "2026-02-07 10:00", wanted)
    )
    again = life("again", ("2026-02-01 10:00", "2026-02-01 11:00", wanted))
    usage, _ = used(gap, again, again._replace(key=PodKey("another")))
    assert usage.namespaces["ns"].pods == 3
    assert usage.findings == {Finding.NO_RATE: 3}


def test_what_becomes_unknown_later_is_counted_then() -> None:
    """A node that gets GPUs of another model in the middle of a pod's life."""
    known, unknown = of_gpu(GPU, A100), of_gpu(GPU, "NVIDIA-L40S")
    first, second = ("2026-02-01 10:00", "2026-02-05 00:00"), ("2026-02-05 00:00", "2026-02-08 10:00")
    usage, _ = used(life("a", (*first, known), (*second, unknown)))
    assert (usage.namespaces["ns"].pods, usage.findings) == (1, {Finding.NO_RATE: 1})


def test_classes_are_told_by_the_pods_own_label() -> None:
    """In the namespaces that have classes: two pods of one name are of their own classes, and others of none."""
    label = "label_class"
    span = (f"{DATE} 10:00", f"{DATE} 11:00", demand("1", 4))
    pods = [
        life("nb", span, namespace="notebooks", uid="1", labels={label: "cs101"}),
        life("nb", span, namespace="notebooks", uid="2", labels={label: "bio7"})._replace(key=PodKey("2")),
        life("free", span, namespace="notebooks"),
        life("else", span, namespace="ns", labels={label: "cs101"}),
    ]
    usage, _ = used(*pods, classes=Classes(label, frozenset({"notebooks"})))
    assert {name: (sums.pods, sums.seconds) for name, sums in usage.classes.items()} == {
        "notebooks:bio7": (1, 3600),
        "notebooks:cs101": (1, 3600),
        "notebooks:noclass": (1, 3600),
    }
    assert usage.class_billing is not None
    assert [line.units for line in usage.class_billing.bill().lines] == [1, 1, 1]
    assert {name for name, _ in billed(usage)} == {"ns", "notebooks"}


def test_oddities_are_counted_by_pod() -> None:
    """A pod whose end is not known counts once, also where it has no interval."""
    odd = life("a", (f"{DATE} 10:00", f"{DATE} 11:00", demand()))._replace(oddities=frozenset({Oddity.END_KEPT}))
    none = odd._replace(key=PodKey("none"), intervals=[], oddities=frozenset({Oddity.UNMEASURED}))
    usage = PodUsage((0, 2**40))
    assert len(list(usage.day(at(DATE), [odd, none]))) == 1
    assert usage.oddities == {"end-kept": 1, "unmeasured": 1}


@pytest.mark.parametrize(
    ("gpus", "model", "called"),
    [
        ({}, None, None),
        ({GPU: 1}, A100, A100),
        ({GPU: 1}, None, GPU),
        ({"nvidia.com/mig-1g.5gb": 1}, A100, "nvidia.com/mig-1g.5gb on NVIDIA-A100-40GB"),
        ({"nvidia.com/A100_SXM4_40GB": 1}, A100, "nvidia.com/A100_SXM4_40GB"),
        ({GPU: 1, "amd.com/x": 1}, A100, "NVIDIA-A100-40GB+amd.com/x"),
    ],
)
def test_what_cards_call_gpus(gpus: dict[str, int], model: str | None, called: str | None) -> None:
    """None is overwritten by another."""
    assert gpu_type(gpus, model) == called
    assert size_of(Demand("n", "1", 1, gpus, model)).gpus == sum(gpus.values())


def test_a_month_is_not_held_in_memory() -> None:
    """Thirty days of other pods take as much as three days of them."""

    def peak(days: int) -> int:
        tracemalloc.start()
        usage = PodUsage((0, 2**40), CARD)
        for number in range(days):
            day = at("2026-02-01") + number * DAY
            start, end = f"{day:%Y-%m-%d} 10:00", f"{day:%Y-%m-%d} 11:00"
            for _ in usage.day(day, (life(f"{number}-{one}", (start, end, demand())) for one in range(2000))):
                pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert usage.namespaces["ns"].pods == days * 2000
        return most

    assert peak(30) < 1.2 * peak(3)
