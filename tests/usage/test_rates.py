"""Service units and rates: what sites count and charge, what their files may say, and that no second is lost."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from ledger import ConfigurationError, DataError
from usage.rates import (
    Amount,
    Bill,
    Card,
    Finding,
    Piece,
    Quota,
    Rate,
    Size,
    Term,
    Unit,
    Window,
    bill,
    charges,
    printed,
    read_rates,
    tally,
    united,
)
from usage.rates.cards import Hours, Rounding

HOUR, DAY = 3600, 86_400
DOCS = Path(__file__).parents[2] / "docs"
GIB = 1024


def at(text: str) -> int:
    """An instant with an offset, or in UTC, as seconds since 1970."""
    return int(datetime.fromisoformat(text if "+" in text or text.count("-") > 2 else f"{text}Z").timestamp())


def example(name: str) -> Card:
    return read_rates(DOCS / "rates" / f"{name}.toml")


#: A time at which every example has a rate for everything.
NOON = at("2026-02-01T12:00:00")


def pod(vcpus: str, gib: Amount, gpus: int = 0, gpu_type: str | None = None) -> Size:
    return Size(None, Decimal(vcpus), gib * GIB, gpus=gpus, gpu_type=gpu_type)


def piece(
    size: Size | Quota,
    hours: Amount,
    *,
    start: int = NOON,
    instance: str = "one",
    project: str | None = "physics",
    state: str | None = "active",
) -> Piece:
    return Piece(instance, project, state, start, start + int(hours * HOUR), size)


def billed(card: Card, *pieces: Piece) -> Bill:
    return bill(charges(pieces, card), card)


def one_term(card: Card, one: Piece) -> Term:
    (charge,) = charges([one], card)
    return charge.term


# What sites count


@pytest.mark.parametrize(
    ("vcpus", "mib", "hours", "places", "units"),
    [
        (1, 4096, 10, (), 10),
        (1, 8192, 10, (), 20),
        (2, 4097, 1, (), 2),
        (4, 8096, 12, (), 48),
        (8, 32768, 5, ("old-hosts",), 20),
        (8, 32768, 5, ("old-hosts", "fast-hosts", "others"), 60),
        (8, 32768, 5, ("others",), 40),
    ],
)
def test_nectars_units(vcpus: int, mib: int, hours: int, places: tuple[str, ...], units: int) -> None:
    """The greater of vCPUs and begun 4 GiB, times the greatest factor of the host's aggregates."""
    total = billed(example("nectar"), piece(Size("m3.small", vcpus, mib, places=places), hours))
    assert [line.units for line in total.lines] == [units]
    assert total.cost == units * Fraction("0.02")


OPENSHIFT = [
    (pod("0.5", 2), "OpenShift CPU", "0.5", "vcpus", "0.013"),
    (pod("0.5", 4), "OpenShift CPU", "1", "memory_mib", "0.013"),
    (pod("1", 6), "OpenShift CPU", "1.5", "memory_mib", "0.013"),
    (pod("40", 200, 1, "NVIDIA-A100-SXM4-40GB"), "OpenShift GPUA100SXM4", "2", "vcpus", "2.078"),
    (pod("40", 200, 1, "nvidia.com/A100_SXM4_40GB"), "OpenShift GPUA100SXM4", "2", "vcpus", "2.078"),
    (pod("24", 74, 1, "NVIDIA-A100-40GB"), "OpenShift GPUA100", "1", "gpus", "1.803"),
    (pod("1", 1, 2, "Tesla-V100-PCIE-32GB"), "OpenShift GPUV100", "2", "gpus", "1.214"),
    (pod("100", 376, 1, "NVIDIA-H100-80GB-HBM3"), "OpenShift GPUH100", "2", "memory_mib", "4"),
    (pod("8", 32, 1, "NVIDIA-L40S"), "OpenShift Unknown GPU", "1", "gpus", None),
    (pod("9", 32, 1, "nvidia.com/gpu"), "OpenShift Unknown GPU", "2", "vcpus", None),
    (
        pod("9", 32, 1, "nvidia.com/mig-1g.5gb on NVIDIA-A100-SXM4-40GB"),
        "OpenShift Unknown MIG GPU",
        "2",
        "vcpus",
        None,
    ),
]


@pytest.mark.parametrize(("size", "unit", "count", "by", "price"), OPENSHIFT)
def test_openshifts_units(size: Size, unit: str, count: str, by: str, price: str | None) -> None:
    """Fractions for what has no GPU, whole units else; on a tie the GPU is said to decide, then the vCPUs."""
    finding = None if price else Finding.NO_RATE
    money = Decimal(price) if price else None
    assert one_term(example("nerc-openshift"), piece(size, 1)) == Term(unit, Fraction(count), by, money, finding)


@pytest.mark.parametrize("named", ["nvidia.com/mig-1g.5gb", "nvidia.com/mig-1g.5gb on NVIDIA-H100", "amd.com/gpu"])
def test_openshifts_other_gpus_are_of_no_unit(named: str) -> None:
    """Nobody knows how many units they are, and nobody takes them for free CPUs."""
    unknown = Term(None, None, None, None, Finding.UNKNOWN_GPU)
    assert one_term(example("nerc-openshift"), piece(pod("8", 32, 1, named), 1)) == unknown


@pytest.mark.parametrize(
    ("patterns", "taken"),
    [
        (("*",), {"a/b", "c"}),
        (("!*/*", "*"), {"c"}),
        (("a/b", "!*/*", "*"), {"a/b", "c"}),
        (("!c",), set()),
    ],
)
def test_a_pattern_leaves_out_what_fits(patterns: tuple[str, ...], taken: set[str]) -> None:
    """The first that fits decides, and what none fits is not taken."""
    unit = Unit("x", (("gpus", 1),), gpu_types=patterns)
    assert {name for name in ("a/b", "c") if unit.takes(pod("1", 1, 1, name))} == taken


def test_openshifts_bill() -> None:
    """Unit hours are rounded up once for each project and unit, money when it is printed."""
    card = example("nerc-openshift")
    a100 = billed(card, piece(pod("40", 200, 1, "NVIDIA-A100-SXM4-40GB"), 10))
    assert (a100.lines[0].units, printed(a100.cost)) == (Fraction(20), Decimal("41.56"))
    notebook = billed(card, piece(pod("1.5", 4), 36))
    assert (notebook.lines[0].units, printed(notebook.cost)) == (Fraction(54), Decimal("0.70"))
    half, quarter = piece(pod("0.5", 1), 3), piece(pod("0.25", 1), 2, instance="two")
    two = billed(card, half, quarter)
    assert (two.lines[0].units, printed(two.cost)) == (Fraction(2), Decimal("0.03"))
    assert [line.units for line in billed(card, piece(pod("0.5", 1), Fraction(7, 2))).lines] == [2]


def test_a_definition_and_a_price_change_at_different_times() -> None:
    """An H100 unit became larger in April 2025 and cheaper in June: one pod has three charges."""
    pod_of_100 = piece(pod("100", 100, 1, "NVIDIA-H100-80GB-HBM3"), 150 * 24, start=at("2025-03-01T00:00:00"))
    card = example("nerc-openshift")
    found = [(one.start, one.end, one.term.count, one.term.price) for one in charges([pod_of_100], card)]
    april, june = at("2025-04-01T00:00:00"), at("2025-06-01T00:00:00")
    assert found == [
        (pod_of_100.start, april, Fraction(2), Decimal("6.04")),
        (april, june, Fraction(1), Decimal("6.04")),
        (june, pod_of_100.end, Fraction(1), Decimal("4")),
    ]


def test_storage_is_its_quota() -> None:
    """A quota counts with what it is, not with what is used; one of 0 costs nothing, an unknown one is a finding."""
    card = example("nerc-openshift")
    whole = billed(card, piece(Quota("nese", 1024), 720))
    assert (whole.lines[0].units, printed(whole.cost)) == (Fraction(737_280), Decimal("6.48"))
    assert one_term(card, piece(Quota("nese", 0), 1)).count == 0
    assert one_term(card, piece(Quota("nese", None), 1)).finding is Finding.UNKNOWN_SIZE
    assert one_term(card, piece(Quota("tape", 5), 1)).finding is Finding.NO_UNIT
    free = billed(card, piece(Quota("ibm", 7), 1))
    assert free.cost == 0
    assert not free.findings


@pytest.mark.parametrize(
    ("size", "hours", "units", "cost"),
    [
        (Size("cpu-su.3", 3, 14336), Fraction(21, 2), 33, "0.43"),
        (Size("mem-su.1", 1, 11 * GIB), 1, 2, "0.03"),
        (Size("gpu-su.2", 64, 500_000, gpus=2, gpu_type="A100-SXM4-40GB"), Fraction(21, 2), 22, "45.72"),
    ],
)
def test_nercs_openstack_bill(size: Size, hours: Fraction, units: int, cost: str) -> None:
    """GPUs are counted if there are any, else whole 4 GiB; the hours of a server are rounded up."""
    total = billed(example("nerc-openstack"), piece(size, hours))
    assert (total.lines[0].units, printed(total.cost)) == (Fraction(units), Decimal(cost))


def test_core_hours_of_days_are_exact() -> None:
    """Three servers and the vCPU hours of four days, with the servers clipped to each."""
    card = Card("USD", [Unit("vCPU", (("vcpus", 1),), flavors=("*",))], [Rate("vCPU", Decimal(1), Window())])
    days = [at(f"2015-11-{day}T00:00:00") for day in (22, 23, 24, 25, 26)]
    servers = [
        (1, at("2015-11-22T13:56:00"), days[-1]),
        (1, at("2015-11-23T00:01:00"), days[-1]),
        (4, at("2015-11-23T05:05:00"), at("2015-11-24T19:40:00")),
    ]
    hours = [
        printed(billed(card, *(_clipped(cores, span, day) for cores, *span in servers)).cost, 3)
        for day in pairwise(days)
    ]
    assert hours == [Decimal("10.067"), Decimal("123.650"), Decimal("126.667"), Decimal("48.000")]


def _clipped(cores: int, span: Sequence[int], day: tuple[int, int]) -> Piece:
    start = max(span[0], day[0])
    return Piece(f"{cores} since {span[0]}", "p", "active", start, min(span[1], day[1]), Size("any", cores, 2048))


# What is not known


@pytest.mark.parametrize(
    ("size", "state", "finding"),
    [
        (Size("cpu-su.1", None, 4096, gpus=0), "active", Finding.UNKNOWN_SIZE),
        (Size("cpu-su.1", 0, 4096, gpus=0), "active", Finding.UNKNOWN_SIZE),
        (Size("cpu-su.1", 1, None, gpus=0), "active", Finding.UNKNOWN_SIZE),
        (Size("cpu-su.1", 1, -1, gpus=0), "active", Finding.UNKNOWN_SIZE),
        (Size("gpu-su.1", 1, 1, gpus=None, gpu_type="V100"), "active", Finding.UNKNOWN_SIZE),
        (Size("gpu-su.1", 1, 4096, gpus=1, gpu_type="H999"), "active", Finding.UNKNOWN_GPU),
        (Size("gpu-su.1", 1, 4096, gpus=1), "active", Finding.UNKNOWN_GPU),
        (Size("gpu-su.1", 1, 4096, gpus=0, gpu_type="V100"), "active", Finding.UNKNOWN_GPU),
        (Size("new.1", 1, 4096), "active", Finding.UNKNOWN_GPU),
        (Size("new.1", 1, 4096, gpus=0), "active", Finding.NO_UNIT),
        (Size(None, 1, 4096, gpus=0), "active", Finding.NO_UNIT),
        (Size(None, None, None, gpus=0), "active", Finding.UNKNOWN_SIZE),
        (Size(None, None, None), "active", Finding.UNKNOWN_SIZE),
        (Size("cpu-su.1", 1, 4096, gpus=0), None, Finding.UNKNOWN_STATE),
    ],
)
def test_what_is_not_known_is_neither_free_nor_the_end(size: Size, state: str | None, finding: Finding) -> None:
    """It stands in the bill with its time, without a price; what else there is, is charged."""
    card = example("nerc-openstack")
    known = piece(Size("cpu-su.1", 1, 4096), 1, instance="two")
    total = billed(card, piece(size, 2, state=state), known)
    assert total.findings == {finding: 2 * HOUR}
    assert total.cost == Fraction("0.013")
    (line,) = (line for line in total.lines if line.finding)
    assert (line.price, line.cost) == (None, None)


def test_without_selectors_only_what_is_known_to_have_no_gpu_is_counted() -> None:
    """A GPU that was not asked for does not pass for a CPU."""
    card = example("nerc-openshift")
    assert one_term(card, piece(pod("1", 4), 1)).price == Decimal("0.013")
    unasked = Size(None, 1, 4096)
    assert one_term(card, piece(unasked, 1)) == Term(None, None, None, None, Finding.UNKNOWN_GPU)


def test_partly_unknown_units_are_unknown() -> None:
    """Where one of a line's counts is not known, their sum is not."""
    card = example("nerc-openshift")
    stateless = [piece(pod("1", 4), 1, state=None), piece(pod("0", 4), 1, state=None, instance="two")]
    assert [(line.units, line.seconds) for line in billed(card, *stateless).lines] == [(None, 2 * HOUR)]


@pytest.mark.parametrize(
    ("card", "charged"),
    [("nerc-openstack", {"active"}), ("nectar", {"active", "inactive", "shelved", "other"})],
)
def test_states_that_are_charged(card: str, charged: set[str]) -> None:
    """A card lists them; without a list only active ones are."""
    size = Size("cpu-su.1", 1, 4096)
    pieces = [piece(size, 1, state=state) for state in ("active", "inactive", "shelved", "other")]
    assert {one.piece.state for one in charges(pieces, example(card))} == charged


# Times


def written(folder: Path, text: str) -> Path:
    file = folder / "rates.toml"
    file.write_text(text, encoding="utf-8")
    return file


HEAD = 'currency = "USD"\ntime_zone = "America/New_York"\n'
UNIT = '[[unit]]\nname = "CPU"\nper = { vcpus = 1 }\n'
RATE = '[[rate]]\nunit = "CPU"\nprice = "2"\nfrom = 2025-01-01\n'
ONE = Size("any", 1, 4096, gpus=0)


def outages(*entries: str) -> str:
    return HEAD + UNIT + RATE + "".join(f"[[outage]]\n{entry}\n" for entry in entries)


DAYS = "first_day = 2025-{0}\nlast_day = 2025-{1}"


@pytest.mark.parametrize(
    ("entries", "start", "end", "hours"),
    [
        (["from = 2025-05-06T12:00:00Z\nuntil = 2025-05-06T21:00:00Z"], "05-06T08:00:00", "05-06T22:00:00", 5),
        (["from = 2025-05-06T23:00:00Z\nuntil = 2025-05-07T02:00:00Z"], "05-06T00:00:00", "05-07T00:00:00", 23),
        (["from = 2025-05-06T23:00:00Z\nuntil = 2025-05-07T02:00:00Z"], "05-07T00:00:00", "05-08T00:00:00", 22),
        (
            [
                "from = 2025-05-06T10:00:00Z\nuntil = 2025-05-06T12:00:00Z",
                'from = "2025-05-06T07:00:00-04:00"\nuntil = "2025-05-06T09:00:00-04:00"',
            ],
            "05-06T00:00:00",
            "05-07T00:00:00",
            21,
        ),
        ([DAYS.format("05-06", "05-06")], "05-06T00:00:00-04:00", "05-08T00:00:00-04:00", 24),
        ([DAYS.format("05-06", "05-07")], "05-06T00:00:00-04:00", "05-08T00:00:01-04:00", Fraction(1, 3600)),
        ([DAYS.format("03-09", "03-09")], "03-08T00:00:00-05:00", "03-11T00:00:00-04:00", 71 - 23),
        ([DAYS.format("11-02", "11-02")], "11-01T00:00:00-04:00", "11-04T00:00:00-05:00", 73 - 25),
        ([DAYS.format("05-01", "05-31")], "05-06T00:00:00", "05-07T00:00:00", 0),
    ],
)
def test_outages(tmp_path: Path, entries: list[str], start: str, end: str, hours: Amount) -> None:
    """Nothing is charged in them, once; days are those of the time zone, and the last one belongs to them."""
    card = read_rates(written(tmp_path, outages(*entries)))
    one = Piece("one", "p", "active", at(f"2025-{start}"), at(f"2025-{end}"), ONE)
    assert billed(card, one).cost == Fraction(hours) * 2


def test_days_begin_at_midnight_of_the_time_zone(tmp_path: Path) -> None:
    """A rate's first day is its own; the last named one is not, so that the next rate begins with it."""
    text = HEAD + UNIT + RATE + "until = 2025-07-01\n" + RATE.replace("2025-01-01", "2025-07-01").replace('"2"', '"3"')
    night = Piece("one", "p", "active", at("2025-07-01T00:00:00"), at("2025-07-01T06:00:00"), ONE)
    found = list(charges([night], read_rates(written(tmp_path, text))))
    assert [(one.seconds // HOUR, one.cost) for one in found] == [(4, Fraction(8)), (2, Fraction(6))]


def test_gaps_are_counted(tmp_path: Path) -> None:
    """Before, between and after the rates there is no rate; that is said, with the time."""
    text = HEAD + UNIT + RATE + "until = 2025-02-01\n" + RATE.replace("from = 2025-01", "from = 2025-03")
    text += "until = 2025-04-01\n"
    year = Piece("one", "p", "active", at("2025-01-01T00:00:00-05:00"), at("2026-01-01T00:00:00-05:00"), ONE)
    total = billed(read_rates(written(tmp_path, text)), year)
    # An hour of March is missing, and it comes back in November.
    assert total.cost == 2 * ((31 + 31) * 24 - 1)
    assert total.findings == {Finding.NO_RATE: (365 - 62) * DAY + HOUR}


def test_changes_of_others_do_not_cut(tmp_path: Path) -> None:
    """A charge ends where something changes for it, and not at each date in the file."""
    text = HEAD + UNIT + RATE + '[[unit]]\nname = "V100"\nper = { gpus = 1 }\ngpu_types = ["V100"]\nfrom = 2025-02-01\n'
    year = Piece("one", "p", "active", at("2025-01-01T00:00:00-05:00"), at("2026-01-01T00:00:00-05:00"), ONE)
    assert [one.seconds for one in charges([year], read_rates(written(tmp_path, text)))] == [365 * DAY]


# Hours


def policy(hours: Hours, *, changes: int | None = None) -> Card:
    """A card of vCPUs at 2 dollars, at 3 after so many seconds."""
    unit = Unit("CPU", (("vcpus", 1),), flavors=("*",))
    later = () if changes is None else (Rate("CPU", Decimal(3), Window(changes)),)
    return Card("USD", [unit], [Rate("CPU", Decimal(2), Window(0, changes)), *later], hours=hours)


def ran(instance: str, start: int, end: int, cores: int = 1) -> Piece:
    return Piece(instance, "p", "active", start, end, Size("any", cores, 1024))


@pytest.mark.parametrize(
    ("hours", "units"),
    [
        ("exact", Fraction(1800 + 600 + 4000 + 2 * 900, HOUR)),
        ("ceil_per_instance", 1 + 2 + 2 * 1),
        ("ceil_total", 3),
        ("min_1h_per_session", 1 + 1 + Fraction(4000, HOUR) + 2),
    ],
)
def test_policies_of_hours(hours: Hours, units: Amount) -> None:
    """Half an hour and ten minutes of a server, 4000 s of another, a quarter of an hour of two cores, and no time."""
    pieces = [
        ran("a", 0, 1800),
        ran("a", 7200, 7800),
        ran("b", 0, 4000),
        ran("c", 5000, 5900, cores=2),
        ran("d", 5, 5),
    ]
    for order in (pieces, pieces[::-1]):
        (line,) = billed(policy(hours), *order).lines
        assert (line.units, line.seconds) == (units, 7300)


@pytest.mark.parametrize(
    ("hours", "later"),
    [
        ("exact", Fraction(1, 3)),
        ("ceil_per_instance", Fraction(5, 6)),
        ("ceil_total", Fraction(5, 6)),
        ("min_1h_per_session", Fraction(5, 6)),
    ],
)
def test_an_hour_is_filled_once_where_the_price_changes(hours: Hours, later: Fraction) -> None:
    """Ten minutes at one price and twenty at the next are one hour; the rest of it has the later price."""
    card = policy(hours, changes=600)
    found = list(charges([ran("a", 0, 1800)], card))
    for order in (found, found[::-1]):
        lines = [(line.price, line.units) for line in bill(order, card).lines]
        assert lines == [(Decimal(2), Fraction(1, 6)), (Decimal(3), later)]


def test_the_added_part_of_an_hour_goes_where_there_is_a_price() -> None:
    """Of two that end together, one without a known state, the other has the rest of the hour; in any order."""
    known, stateless = ran("a", 0, 600), Piece("b", "p", None, 0, 600, Size("any", 1, 1024))
    for pieces in ([known, stateless], [stateless, known]):
        lines = [(line.price, line.units) for line in billed(policy("ceil_total"), *pieces).lines]
        assert lines == [(Decimal(2), Fraction(5, 6)), (None, Fraction(1, 6))]


def test_outages_are_subtracted_before_hours_are_rounded() -> None:
    """Two hours with an outage of one are one hour, not two; a server that was out all the time costs nothing."""
    outage = [(1800, 1800 + HOUR)]
    card = policy("ceil_per_instance")
    down = Card(card.currency, card.units, card.rates, outage, hours=card.hours)
    assert billed(down, ran("a", 0, 2 * HOUR), ran("b", 1800, 3600)).cost == 2


@pytest.mark.parametrize(
    ("spans", "hours"),
    [
        ([(0, 1), (5, 6)], 2),
        ([(0, 4), (1, 2)], 4),
        ([(0, 0), (1, 1), (2, 2)], 3),
        ([(0, Fraction(1, 4)), (Fraction(1, 4), Fraction(1, 2))], 2),
        ([(0, Fraction(3, 2))], 2),
        ([], 0),
    ],
)
def test_tally(spans: list[tuple[Amount, Amount]], hours: int) -> None:
    """Each sample counts for an hour at least, none twice, and whole hours are charged."""
    assert tally((int(start * HOUR), int(end * HOUR)) for start, end in spans) == hours


@pytest.mark.parametrize(
    ("amount", "places", "text"),
    [
        (Fraction("0.702"), 2, "0.70"),
        (Fraction("0.705"), 2, "0.71"),
        (Fraction("0.7049999999999999999999999999999999999999"), 2, "0.70"),
        (Fraction(2, 3), 4, "0.6667"),
        (Fraction(-1, 200), 2, "-0.01"),
        (Fraction(0), 2, "0.00"),
        (Fraction(10**19 - 1), 2, "9999999999999999999.00"),
    ],
)
def test_printed(amount: Fraction, places: int, text: str) -> None:
    """Half up, at the end, whatever the number of digits."""
    assert str(printed(amount, places)) == text


def test_printed_fits_an_invoice() -> None:
    """More than a decimal(21,2) can hold is refused, and not cut."""
    with pytest.raises(DataError, match="21 digits"):
        printed(Fraction(10**19))


# What is refused

OTHER = '[[unit]]\nname = "Big"\nper = { vcpus = 2 }\n'
WHOLE = HEAD + UNIT + RATE

REFUSED = [
    ("", "rates.toml: ", '"currency" is a required property'),
    (HEAD, "rates.toml: ", '"unit" is a required property'),
    (WHOLE + "[", "rates.toml cannot be read", ""),
    ("colour = 1\n" + WHOLE, "rates.toml: ", "'colour' was unexpected"),
    (WHOLE.replace("USD", "dollars"), "rates.toml, currency", "dollars"),
    (WHOLE.replace("America/New_York", "Mars/Base"), "rates.toml, time_zone", "Mars/Base"),
    (WHOLE.replace("America/New_York", "../etc"), "rates.toml, time_zone", "../etc"),
    ('hours = "ceil"\n' + WHOLE, "rates.toml, hours", "ceil"),
    ('billable_states = ["running"]\n' + WHOLE, "rates.toml, billable_states.0", "running"),
    ("billable_states = []\n" + WHOLE, "rates.toml, billable_states", "[]"),
    (HEAD + "unit = 7\n" + RATE, "rates.toml, unit", "7"),
    (HEAD + "unit = [7]\n" + RATE, "rates.toml, [[unit]] 1", "7"),
    (WHOLE.replace('"CPU"\nper', '""\nper'), "[[unit]] 1.name", '""'),
    (WHOLE.replace("vcpus = 1", "vcpus = 0"), "[[unit]] 1 (CPU).per.vcpus", "minimum of 1"),
    (WHOLE.replace("vcpus = 1", "vcpus = nan"), "[[unit]] 1 (CPU).per.vcpus", "integer"),
    (WHOLE.replace("vcpus = 1", "cores = 1"), "[[unit]] 1 (CPU).per", "cores"),
    (WHOLE.replace("vcpus = 1", ""), "[[unit]] 1 (CPU).per", "{}"),
    (WHOLE.replace("vcpus = 1", "vcpus = 1, storage_gib = 1"), "[[unit]] 1 (CPU).per", "more than 1 property"),
    (HEAD + UNIT + 'round = "up"\n' + RATE, "[[unit]] 1 (CPU).round", "up"),
    (HEAD + UNIT + "flavors = []\n" + RATE, "[[unit]] 1 (CPU).flavors", "[]"),
    (HEAD + UNIT + 'gpu_types = ["V100", 5]\n' + RATE, "[[unit]] 1 (CPU).gpu_types.1", "5"),
    (HEAD + UNIT + "scale = { old = 0.5 }\n" + RATE, "[[unit]] 1 (CPU).scale.old", "0.5"),
    (HEAD + UNIT + 'scale = { old = "0.0" }\n' + RATE, "[[unit]] 1 (CPU).scale.old", "0.0"),
    (HEAD + UNIT + 'formula = "vcpus"\n' + RATE, "[[unit]] 1 (CPU)", "formula"),
    (
        HEAD + UNIT.replace("vcpus", "storage_gib") + 'gpu_types = ["V100"]\n' + RATE,
        "[[unit]] 1 (CPU).gpu_types",
        "storage has no GPUs",
    ),
    (WHOLE.replace('price = "2"', "price = 2"), "[[rate]] 1 (CPU).price", "2"),
    (WHOLE.replace('price = "2"', "price = 0.013"), "[[rate]] 1 (CPU).price", "0.013"),
    (WHOLE.replace('price = "2"', 'price = "-2"'), "[[rate]] 1 (CPU).price", "-2"),
    (WHOLE.replace('price = "2"\n', ""), "[[rate]] 1 (CPU)", '"price" is a required'),
    (WHOLE.replace("from = 2025-01-01\n", ""), "[[rate]] 1 (CPU)", '"from" is a required'),
    (WHOLE.replace('unit = "CPU"', 'unit = "GPU"'), "[[rate]] 1 (GPU).unit", 'no [[unit]] "GPU" (there is: CPU)'),
    (WHOLE.replace("2025-01-01", '"2025-02-30"'), "[[rate]] 1 (CPU).from", "2025-02-30"),
    (WHOLE.replace("2025-01-01", "2025-01-01T00:00:00"), "[[rate]] 1 (CPU).from", "no offset"),
    (WHOLE.replace("2025-01-01", "2025-01-01T00:00:00.5Z"), "[[rate]] 1 (CPU).from", "parts of a second"),
    (WHOLE.replace("2025-01-01", "07:00:00"), "[[rate]] 1 (CPU).from", "07:00:00"),
    (WHOLE + "until = 2025-01-01\n", "[[rate]] 1 (CPU).until", "does not come after from, 2025-01-01"),
    (WHOLE + "until = 2025-01-01T05:00:00Z\n", "[[rate]] 1 (CPU).until", "does not come after"),
    (HEAD + UNIT + "from = 2025-01-02\nuntil = 2025-01-01\n" + RATE, "[[unit]] 1 (CPU).until", "does not come after"),
    (outages("from = 2025-01-01T00:00:00Z"), "[[outage]] 1", '"until" is a required'),
    (outages("first_day = 2025-01-01"), "[[outage]] 1", '"last_day" is a required'),
    (outages("first_day = 2025-01-01\nuntil = 2025-01-02"), "[[outage]] 1", "is a required"),
    (outages(""), "[[outage]] 1", "less than 1 property"),
    (outages("from = 2025-01-01\nuntil = 2025-01-02T00:00:00"), "[[outage]] 1.until", "no offset"),
    (outages("from = 2025-01-01\nuntil = 2025-01-01"), "[[outage]] 1.until", "does not come after"),
    (outages(DAYS.format("01-02", "01-01")), "[[outage]] 1.last_day", "does not come after"),
    (outages(DAYS.format("01-02", "01-03T00:00:00Z")), "[[outage]] 1.last_day", "10"),
    (outages("first_day = 2025-01-01\nlast_day = 9999-12-31"), "[[outage]] 1.last_day", "last day there is"),
]


@pytest.mark.parametrize(("text", "place", "what"), REFUSED)
def test_a_wrong_value_is_named(tmp_path: Path, text: str, place: str, what: str) -> None:
    """Of what cannot be taken, the file, the entry and the key are named, in one line."""
    with pytest.raises(ConfigurationError) as raised:
        read_rates(written(tmp_path, text))
    sentence = str(raised.value).replace(f"{tmp_path}/", "")
    assert sentence.startswith("rates.toml")
    assert place in sentence
    assert what in sentence
    assert "\n" not in sentence


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(ConfigurationError, match=re.escape("none.toml cannot be read")):
        read_rates(tmp_path / "none.toml")


def dated(entry: str, since: str, until: str) -> str:
    lines = [line for line in entry.splitlines() if not line.startswith("from")]
    return "\n".join([*lines, f"from = {since}" if since else "", f"until = {until}" if until else "", ""])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("2025-01-01", ""), ("2025-06-01", "")),
        (("2025-06-01", ""), ("2025-01-01", "2025-06-02")),
        (("2025-01-01", "2025-06-02"), ("2025-06-01", "")),
        (("2025-01-01", "2025-12-01"), ("2025-03-01", "2025-04-01")),
        (("2025-01-01", "2025-06-01T04:00:01Z"), ("2025-06-01", "")),
    ],
)
@pytest.mark.parametrize("kind", ["rate", "unit"])
def test_overlapping_windows_are_refused(
    tmp_path: Path, kind: str, first: tuple[str, str], second: tuple[str, str]
) -> None:
    """Two prices, or two definitions, at one time: both entries are named."""
    rates, units = RATE, UNIT
    if kind == "rate":
        rates = dated(RATE, *first) + dated(RATE, *second)
    else:
        units = dated(UNIT, *first) + dated(UNIT, *second)
    with pytest.raises(ConfigurationError) as raised:
        read_rates(written(tmp_path, HEAD + units + rates))
    assert f"[[{kind}]] 1 (CPU)" in str(raised.value)
    assert f"[[{kind}]] 2 (CPU)" in str(raised.value)


def test_windows_of_different_units_may_overlap(tmp_path: Path) -> None:
    """And those of one may touch, in any order of the file; a definition without times always holds."""
    rates = dated(RATE, "2025-06-01", "") + dated(RATE, "2025-01-01", "2025-06-01") + RATE.replace("CPU", "Big")
    card = read_rates(written(tmp_path, HEAD + UNIT + OTHER + rates))
    assert [rate.unit for rate in card.rates] == ["CPU", "CPU", "Big"]
    assert [unit.window for unit in card.units] == [Window(), Window()]


# Documents


def test_every_key_is_documented() -> None:
    """Each key of the format stands in the table of docs/rates.md."""
    text = (DOCS / "rates.md").read_text(encoding="utf-8")
    top: dict[str, Any] = schemas.load("rates")["properties"]
    keys = [name for name in top if name not in ("unit", "rate", "outage", "flavor")]
    for table in ("unit", "rate", "outage", "flavor"):
        keys += [f"{table}.{name}" for name in top[table]["items"]["properties"]]
    assert [key for key in keys if f"`{key}`" not in text] == []
    assert [name for name in top["unit"]["items"]["properties"]["per"]["properties"] if f"`{name}`" not in text] == []


# Nothing twice, nothing lost

TIMES = st.integers(min_value=-5, max_value=45)


@st.composite
def windows(draw: st.DrawFn) -> list[Window]:
    """Windows that touch or have gaps, perhaps open at either side, and never overlap."""
    cuts = sorted(draw(st.sets(TIMES, max_size=4)))
    spans = [Window(since, until) for since, until in pairwise((None, *cuts, None))]
    return draw(st.permutations([span for span in spans if draw(st.booleans())]))


@st.composite
def cards(draw: st.DrawFn) -> Card:
    """Two units, each with several definitions and prices, and outages."""
    units = [
        Unit(name, (("vcpus", held), ("memory_mib", 4096)), draw(st.sampled_from(["exact", "ceil"])), window=window)
        for name, held in (("a", 1), ("b", 3))
        for window in draw(windows())
    ]
    price = st.decimals(min_value=0, max_value=9, places=3)
    rates = [Rate(name, draw(price), window) for name in "ab" for window in draw(windows())]
    down = united(draw(st.lists(st.tuples(TIMES, TIMES), max_size=3)))
    return Card("USD", units, rates, down, hours=draw(st.sampled_from(["exact", "ceil_per_instance", "ceil_total"])))


SIZES = st.sampled_from(
    [Size("x", 1, 4096, gpus=0), Size("y", Fraction(1, 2), 6000, gpus=0), Size("z", None, 1, gpus=0), Size("g", 1, 1)]
)


@st.composite
def lives(draw: st.DrawFn) -> Piece:
    start, end = sorted((draw(TIMES), draw(TIMES)))
    return Piece("one", "p", draw(st.sampled_from(["active", "active", "inactive", None])), start, end, draw(SIZES))


def by_second(pieces: Iterable[Piece], card: Card) -> dict[int, Term]:
    """What each second is charged at; fails where one is charged twice."""
    found = dict[int, Term]()
    for one in charges(pieces, card):
        assert one.start < one.end
        for second in range(one.start, one.end):
            assert second not in found
            found[second] = one.term
    return found


def expected(one: Piece, card: Card) -> dict[int, Term]:
    """The same, second by second, from nothing but the card."""
    found = dict[int, Term]()
    for second in range(one.start, one.end):
        if one.state == "inactive" or any(since <= second < until for since, until in card.outages):
            continue
        units = [unit for unit in card.units if unit.window.holds(second) and unit.takes(one.size)]
        prices = [rate.price for rate in card.rates if units and rate.unit == units[0].name]
        held = [rate.window for rate in card.rates if units and rate.unit == units[0].name]
        price = next((price for price, window in zip(prices, held, strict=True) if window.holds(second)), None)
        count, by = (units[0].count(one.size) if units else None) or (None, None)
        finding = _finding(one, units, count, price)
        found[second] = Term(units[0].name if units else None, count, by, None if finding else price, finding)
    return found


def _finding(one: Piece, units: list[Unit], count: Fraction | None, price: Decimal | None) -> Finding | None:
    if one.state is None:
        return Finding.UNKNOWN_STATE
    if not units:
        return Finding.UNKNOWN_GPU if isinstance(one.size, Size) and one.size.gpus is None else Finding.NO_UNIT
    if count is None:
        return Finding.UNKNOWN_SIZE
    return Finding.NO_RATE if price is None else None


@settings(deadline=None)
@given(lives(), cards())
def test_each_second_is_charged_once_at_what_holds_then(one: Piece, card: Card) -> None:
    """Charges are the card, second by second, and as few as there can be."""
    assert by_second([one], card) == expected(one, card)
    found = list(charges([one], card))
    assert all(before.end < after.start or before.term != after.term for before, after in pairwise(found))


@settings(deadline=None)
@given(lives(), cards(), st.sets(TIMES))
def test_parts_add_up_to_the_whole(one: Piece, card: Card, cuts: set[int]) -> None:
    """However usage is cut, its exact charges are the same; and so is the bill, with hours rounded once."""
    bounds = [one.start, *sorted(cut for cut in cuts if one.start < cut < one.end), one.end]
    parts = [Piece(one.instance, one.project, one.state, *span, one.size) for span in pairwise(bounds)]
    assert by_second(parts, card) == by_second([one], card)
    whole = [(charge.units, charge.cost) for charge in charges([one], card)]
    cut = [(charge.units, charge.cost) for charge in charges(parts, card)]
    for kind in (0, 1):
        assert sum(pair[kind] or 0 for pair in cut) == sum(pair[kind] or 0 for pair in whole)
    assert billed(card, *parts) == billed(card, one)


@settings(deadline=None)
@given(st.lists(st.tuples(TIMES, TIMES)))
def test_united_spans_have_the_same_seconds(spans: list[tuple[int, int]]) -> None:
    """Each once, in as few spans as can be."""
    whole = united(spans)
    seconds = [second for span in whole for second in range(*span)]
    assert seconds == sorted({second for span in spans for second in range(*span)})
    assert all(before[1] < after[0] for before, after in pairwise(whole))


@given(st.fractions(min_value=0, max_value=100), st.sampled_from(["floor", "ceil", "exact"]))
def test_counts_are_rounded_as_said(cores: Fraction, rounding: Rounding) -> None:
    """Down to a whole unit, up to one, or not at all."""
    counted = Unit("a", (("vcpus", 3),), rounding).count(Size(None, cores, 1))
    whole = {"floor": cores // 3, "ceil": -(-cores // 3), "exact": cores / 3}
    assert counted == ((whole[rounding], "vcpus") if cores else None)
