"""What usage costs in a report: by the site's own rate card, exact, and divided so that nothing is lost."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierarchy.owners import Owner
from hierarchy.projects import Projects
from ledger import ConfigurationError
from operations.reports.rates import rates_of, read_cards
from reporter import Only, Period, UsageReport, usage_report, write_report
from reporter.charges.division import divided
from reporter.charges.reckoning import Rates, charged
from reporter.charges.records import ChargeLine, Charges
from reporter.charges.tables import charge_notes, charge_tables
from tests.reporter.conftest import Desk
from tests.reporter.histories import Event, event, put
from tests.reporter.test_attribution import OCTOBER, A, B, Ownership, owner, ownerships, ran, share, titled
from usage import Engine, Session
from usage.rates import Card, Flavor, Piece, Rate, Size, Unit, Window, bill, charges, printed, read_rates

HOUR = 3600
RATES = Path(__file__).parents[2] / "docs" / "rates"


def by(card: Card | str) -> Rates:
    """A card, or one of the examples, as reports take them."""
    return Rates(Path("rates.toml"), "0" * 64, read_rates(RATES / f"{card}.toml") if isinstance(card, str) else card)


def simple(price: str = "1", **more: object) -> Card:
    """A card by which a core costs so much an hour."""
    return Card("USD", (Unit("SU", (("vcpus", 1),)),), (Rate("SU", Decimal(price), Window()),), **more)  # type: ignore[arg-type]


def cost_of(
    desk: Desk,
    rates: Rates,
    *,
    resource: str = "sim",
    owners: Sequence[Owner] = (),
    projects: Projects | None = None,
    only: Only | None = None,
) -> Charges:
    """What the desk's sessions of October cost."""
    return charged(desk.engine, resource, OCTOBER, owners, projects or Projects(), rates, only or Only())


def sized(cores: int, mib: int, hours: float, flavor: str = "m3.small", instance: str = "i-1") -> list[Event]:
    """A server of a size that ran for so many hours from the midnight on that begins October 5."""
    seconds = int(hours * HOUR)
    end = f"2026-10-05 {seconds // HOUR:02}:{seconds % HOUR // 60:02}:{seconds % 60:02}"
    moments = (("2026-10-05 00:00:00", "create.end"), (end, "delete.end"))
    return [event(at, what, instance, flavor=flavor, cores=cores) | {"memory_mb": mib} for at, what in moments]


# Worked numbers


@pytest.mark.parametrize(
    ("cores", "mib", "hours", "resource", "units", "cost"),
    [
        (1, 4096, 10, "nectar", "10.00", "0.20"),
        (1, 8192, 10, "nectar", "20.00", "0.40"),
        (2, 4097, 1, "nectar", "2.00", "0.04"),
        (4, 8096, 12, "nectar", "48.00", "0.96"),
        (8, 32768, 5, "old-hosts", "20.00", "0.40"),
    ],
)
def test_nectars_units(desk: Desk, cores: int, mib: int, hours: int, resource: str, units: str, cost: str) -> None:
    """The greater of cores and begun 4 GiB, scaled by where they are."""
    desk.report(*sized(cores, mib, hours))
    found = cost_of(desk, by("nectar"), resource=resource)
    assert [(line.unit, line.units) for line in found.lines] == [("SU", Decimal(units))]
    assert (found.currency, found.total) == ("AUD", Decimal(cost))


@pytest.mark.parametrize(
    ("flavor", "cores", "mib", "unit", "units", "cost"),
    [
        ("cpu-su.3", 3, 14336, "OpenStack CPU", "33.00", "0.43"),
        ("gpu-su-a100sxm4.2", 64, 256000, "OpenStack GPUA100SXM4", "22.00", "45.72"),
    ],
)
def test_nercs_units(desk: Desk, flavor: str, cores: int, mib: int, unit: str, units: str, cost: str) -> None:
    """GPUs, which sessions do not tell, are those that the card says a flavor has; each server has whole hours."""
    desk.report(*sized(cores, mib, 10.5, flavor))
    found = cost_of(desk, by("nerc-openstack"))
    assert [(line.unit, line.seconds, line.units) for line in found.lines] == [(unit, 37800, Decimal(units))]
    assert found.total == Decimal(cost)


def test_hours_that_two_institutions_share(desk: Desk) -> None:
    """18 core hours of which one pays 60 % and another 40 % cost them 10.80 and 7.20."""
    desk.report(*ran(9, cores=2))
    projects = Projects([*titled(A="Alpha"), *share(A, NU="0.6", BU="0.4")])
    found = cost_of(desk, by(simple()), owners=[owner("a", A)], projects=projects)
    assert [(part.institution, part.pi, part.share, part.seconds, part.units, part.cost) for part in found.parts] == [
        ("BU", "Ann", "0.4", 12960, Decimal("7.20"), Decimal("7.20")),
        ("NU", "Ann", "0.6", 19440, Decimal("10.80"), Decimal("10.80")),
    ]
    assert [(one.institution, one.cost) for one in found.institutions] == [
        ("BU", Decimal("7.20")),
        ("NU", Decimal("10.80")),
    ]


def test_a_cent_is_not_lost(desk: Desk) -> None:
    """Three that pay a third each of a dollar pay 33, 33 and 34 cents."""
    desk.report(*ran(1))
    thirds = {"North": "0.333333", "South": "0.333333", "West": "0.333334"}
    projects = Projects([*titled(A="Alpha"), *share(A, **thirds)])
    found = cost_of(desk, by(simple()), owners=[owner("a", A)], projects=projects)
    assert [part.cost for part in found.parts] == [Decimal("0.33"), Decimal("0.33"), Decimal("0.34")]
    assert [one.cost for one in found.institutions] == [part.cost for part in found.parts]


# What is charged, and what is not


def test_states_and_outages(desk: Desk) -> None:
    """Stopped time is free by this card, and so is an outage; what is left is charged."""
    desk.report(
        event("2026-10-05 00:00:00", "create.end"),
        event("2026-10-05 10:00:00", "power_off.end"),
        event("2026-10-05 20:00:00", "delete.end"),
    )
    start = int(OCTOBER.start.timestamp()) + 4 * 86400
    card = simple(outages=((start + 2 * HOUR, start + 3 * HOUR + 1800), (start + 12 * HOUR, start + 13 * HOUR)))
    assert [(line.seconds, line.units) for line in cost_of(desk, by(card)).lines] == [(30600, Decimal("17.00"))]
    every = msgspec.structs.replace(card, billable_states=frozenset({"active", "inactive"}))
    assert cost_of(desk, by(every)).total == Decimal("35.00")


def test_a_price_that_changes(desk: Desk) -> None:
    """Each hour has the price of its time, line by line."""
    desk.report(*ran(10))
    noon = int(OCTOBER.start.timestamp()) + 4 * 86400 + 4 * HOUR
    rates = (Rate("SU", Decimal("1"), Window(None, noon)), Rate("SU", Decimal("1.5"), Window(noon, None)))
    found = cost_of(desk, by(msgspec.structs.replace(simple(), rates=rates)))
    assert [(line.price, line.units, line.cost) for line in found.lines] == [
        (Decimal("1"), Decimal("4.00"), Decimal("4.00")),
        (Decimal("1.5"), Decimal("6.00"), Decimal("9.00")),
    ]


def test_what_has_no_price_is_said(desk: Desk) -> None:
    """A GPU that the card does not know and a size that nobody knows are shown, counted, and in no cost."""
    desk.report(
        *sized(1, 4096, 2, "cpu-su.1"), *sized(8, 4096, 3, "gpu-su-new.1", "i-2"), *sized(0, 0, 4, "unknown", "i-3")
    )
    found = cost_of(desk, by("nerc-openstack"))
    assert [(one.finding, one.seconds, one.servers) for one in found.findings] == [
        ("unknown GPU", 3 * HOUR, 1),
        ("unknown size", 4 * HOUR, 1),
    ]
    assert found.total == Decimal("0.03")
    assert "3.00 hours of 1 server have no price, and are in no cost: unknown GPU." in charge_notes(found)
    (table,) = charge_tables(found, "2026-10 (UTC)")
    assert [row[-1] for row in table.rows] == ["", "unknown GPU", "unknown size", ""]
    assert table.rows[-1][2:6] == (9.0, Decimal("2.00"), "", Decimal("0.03"))


def test_a_card_without_gpus_counts_cores(desk: Desk) -> None:
    """Where no unit is of GPUs, a unit without flavors takes everything; else only what is said to have none."""
    desk.report(*sized(8, 4096, 1, "any.8"))
    assert cost_of(desk, by(simple())).total == Decimal("8.00")
    gpus = msgspec.structs.replace(simple(), units=(Unit("GPU", (("gpus", 1),), gpu_types=("*",)), *simple().units))
    assert [one.finding for one in cost_of(desk, by(gpus)).findings] == ["unknown GPU"]
    told = msgspec.structs.replace(gpus, flavors=(Flavor(("gpu*",), 1, "A100"), Flavor(("*",), 0)))
    assert cost_of(desk, by(told)).total == Decimal("8.00")


# A part of the whole


def test_a_part_costs_what_it_does_in_the_whole(desk: Desk) -> None:
    """A server whose project changes hands is rounded up once, whoever is asked for alone."""
    desk.report(*ran(10), *ran(5, "b"))
    noon = OCTOBER.start.replace(day=5, hour=3, minute=20)
    owners = [
        owner("a", A, "North", until=noon),
        owner("a", A, "South", since=noon, pi="Bea", pi_identity="bea"),
        owner("b", B, "North"),
    ]
    rates, projects = by(simple(hours="ceil_per_instance")), Projects(titled(A="Alpha", B="Beta"))
    whole = cost_of(desk, rates, owners=owners, projects=projects)
    assert whole.total == Decimal("15.00")
    for only in (Only(institution="South"), Only(pi="bea"), Only(pi="Bea, South")):
        part = cost_of(desk, rates, owners=owners, projects=projects, only=only)
        assert part.parts == tuple(one for one in whole.parts if one.institution == "South")
        assert part.total == Decimal("6.67")
    assert cost_of(desk, rates, owners=owners, projects=projects, only=Only(project="b")).total == Decimal("5.00")


def test_parts_of_a_project_add_up_to_it(desk: Desk) -> None:
    """Two PIs who had a project one after the other pay together what it costs, and each what the rows say."""
    desk.report(*ran(2))
    noon = OCTOBER.start.replace(day=5, hour=1)
    owners = [
        owner("a", A, until=noon),
        owner("a", A, since=noon, pi="Bea", pi_identity="bea"),
    ]
    projects, rates = Projects(titled(A="Alpha")), by(simple("0.005"))
    totals = []
    for only in (Only(pi="Ann"), Only(pi="Bea")):
        found = cost_of(desk, rates, owners=owners, projects=projects, only=only)
        assert [part.cost for part in found.parts] == [found.total]
        assert [part.units for part in found.parts] == [units for _, units in found.units]
        totals.append(found.total)
    assert sum(totals) == cost_of(desk, rates, owners=owners, projects=projects).total == Decimal("0.01")


def test_a_pi(desk: Desk) -> None:
    """The usage report of a PI has what was the PI's; who is no PI is refused, and so is half a name of two."""
    desk.report(*ran(10), *ran(5, "b"))
    owners = [owner("a", A, pi="Ann Lee", pi_identity="ann"), owner("b", B, "Far", pi="Ann Lee", pi_identity="ann2")]
    projects = Projects(titled(A="Alpha", B="Beta"))

    def asked(name: str) -> UsageReport:
        desk.report(*ran(10), *ran(5, "b"))
        return usage_report(desk.engine, OCTOBER, owners, projects, Only(pi=name))

    assert asked("ann lee, far").total.core == asked("ann2").total.core == 5 * HOUR
    assert str(asked("ann").only) == "PI ann"
    with pytest.raises(ConfigurationError, match=r'Several PIs are called "Ann Lee"\. Name one as: Ann Lee, Far; Ann'):
        asked("Ann Lee")
    with pytest.raises(ConfigurationError, match=r'There is no PI "Anna"'):
        asked("Anna")


def test_units_of_two_kinds_have_no_sum(desk: Desk) -> None:
    """Also where it is not known how many of one kind there are, those of the other are no total."""
    units = (Unit("SU", (("vcpus", 1),), flavors=("m3.*",)), Unit("GPU", (("gpus", 1),), flavors=("g1.*",)))
    card = Card("USD", units, tuple(Rate(unit.name, Decimal(1), Window()) for unit in units))
    desk.report(*sized(1, 4096, 10), *sized(1, 4096, 5, "g1.small", "i-2"))
    found = cost_of(desk, by(card))
    assert found.units == (("SU", Decimal("10.00")),)
    (table,) = charge_tables(found, "2026-10")
    assert table.rows[-1] == ("total", "", 15.0, "", "", Decimal("10.00"), "")


# Files


def test_files(desk: Desk, tmp_path: Path) -> None:
    """Charges have a file, which goes when there are none any more; a name that is a formula is guarded."""
    desk.report(*ran(10, "=cmd|'/c calc'!A1"))
    report = desk.report()
    charges = cost_of(desk, by(simple()))
    write_report(msgspec.structs.replace(report, charges=charges), desk.engine, tmp_path, "sim")
    heading, row = (tmp_path / "charges-2026-10.csv").read_text().splitlines()
    assert heading == "institution,pi,project,share,unit,price,currency,seconds,unit_hours,cost,finding"
    assert row == "unknown,unknown,'=cmd|'/c calc'!A1,,SU,1,USD,36000,10.00,10.00,"
    write_report(report, desk.engine, tmp_path, "sim")
    assert not (tmp_path / "charges-2026-10.csv").exists()


def test_cards_of_a_site(tmp_path: Path) -> None:
    """Each cloud goes by the first card that is for it; a bill has one currency."""
    text = (RATES / "nectar.toml").read_text()
    one, two, three = (tmp_path / f"{number}.toml" for number in (1, 2, 3))
    one.write_text(text.replace("time_zone", 'resources = ["kaizen"]\ntime_zone', 1))
    two.write_text(text)
    three.write_text(text.replace("AUD", "USD"))
    cards = read_cards([one, two])
    found = [rates_of(cards, name) for name in ("kaizen", "other")]
    assert [rates.file for rates in found if rates] == [one, two]
    assert rates_of(cards[:1], "other") is None
    with pytest.raises(ConfigurationError, match=r"3\.toml is in USD, and .*1\.toml in AUD"):
        read_cards([one, three])
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_cards([tmp_path / "none.toml"])


# Nothing twice, nothing lost

START, END = Period.month("2026-10").seconds


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine that many examples share."""
    with Engine(threads=2) as shared:
        yield shared


@st.composite
def lives(draw: st.DrawFn) -> list[Session]:
    """Servers of some projects around October, each in one state after the other, sizes known or not."""
    blank = dict.fromkeys(Session.__struct_fields__, 0)
    found = list[Session]()
    for number in range(draw(st.integers(0, 4))):
        time = START + draw(st.integers(-5 * HOUR, 5 * HOUR))
        project = draw(st.sampled_from(["physics", "biology", None]))
        for _ in range(draw(st.integers(0, 4))):
            time += draw(st.sampled_from([0, 0, 100]))
            length = draw(st.sampled_from([0, 1, 1799, 1800, HOUR, 2 * HOUR, 3 * HOUR + 7, 5 * HOUR]))
            about = {
                "instance": f"i-{number}",
                "start_time_ts": time,
                "end_time_ts": time + length,
                "instance_type": draw(st.sampled_from(["a.1", "b.2"])),
                "num_cores": draw(st.sampled_from([0, 1, 3])),
                "memory_mb": draw(st.sampled_from([0, 512, 4096])),
                "instance_state_id": draw(st.sampled_from([-1, 1, 1, 1, 2])),
                "host": None,
                "project": project,
                "username": draw(st.sampled_from(["ada", None])),
                "domain": None,
            }
            found.append(msgspec.convert(blank | about, Session))
            time += length
    return found


@st.composite
def cards(draw: st.DrawFn) -> Card:
    """A card with two units, prices that change or are missing, an outage, and any policy of hours."""
    change, gap = START + draw(st.integers(-HOUR, 6 * HOUR)), START + draw(st.integers(0, 8 * HOUR))
    units = (
        Unit("A", (("vcpus", 2),), "ceil", flavors=("a*",), window=Window(None, gap)),
        Unit("B", (("vcpus", 1), ("memory_mib", 1024)), draw(st.sampled_from(["exact", "floor"]))),
    )
    rates = (
        Rate("A", Decimal("0.7"), Window(None, change)),
        Rate("A", Decimal("1.1"), Window(change, None)),
        Rate("B", Decimal("0.013"), Window(draw(st.sampled_from([None, change])), None)),
    )
    outage = START + draw(st.integers(0, 5 * HOUR))
    return Card(
        "USD",
        units,
        rates,
        draw(st.sampled_from([(), ((outage, outage + 1000),)])),
        draw(st.sampled_from([frozenset({"active"}), frozenset({"active", "inactive", "other"})])),
        draw(st.sampled_from(["exact", "ceil_per_instance", "ceil_total", "min_1h_per_session"])),
    )


def pieces(sessions: Sequence[Session], card: Card) -> Iterator[Piece]:
    """The same sessions, one by one, clipped to October."""
    states = {1: "active", 2: "inactive", 3: "shelved", -1: "other"}
    for one in sessions:
        since, until = max(one.start_time_ts, START), min(one.end_time_ts, END)
        known = one.num_cores > 0
        size = Size(one.instance_type, one.num_cores, one.memory_mb) if known else Size(None, None, None)
        if since < until:
            state = states[one.instance_state_id]
            yield Piece(one.instance, one.project, state, since, until, card.sized(size))


@given(lives(), cards())
@settings(max_examples=80, deadline=None)
def test_the_same_as_charge_by_charge(engine: Engine, sessions: list[Session], card: Card) -> None:
    """What the engine sums up is what the rates say of each session for itself."""
    put(engine, sessions)
    found = charged(engine, "sim", OCTOBER, (), Projects(), by(card))
    expected = bill(charges(pieces(sessions, card), card), card)
    assert found.total == printed(expected.cost)
    assert {one.finding: one.seconds for one in found.findings} == {str(k): v for k, v in expected.findings.items()}
    lines = {(one.project, one.unit, one.price, one.finding): one for one in found.lines}
    assert lines.keys() == {(one.project, one.unit, one.price, one.finding) for one in expected.lines}
    for one in expected.lines:
        line = lines[one.project, one.unit, one.price, one.finding]
        assert line.seconds == one.seconds
        assert line.units == (None if one.units is None else printed(one.units))
        assert (line.cost is None) == (one.cost is None)
        assert abs(Fraction(line.cost or 0) - (one.cost or 0)) < Fraction(1, 100)


@given(lives(), cards(), ownerships())
@settings(max_examples=60, deadline=None)
def test_every_way_to_divide_adds_up(engine: Engine, sessions: list[Session], card: Card, ownership: Ownership) -> None:
    """Parts have their lines' seconds, unit hours and money; institutions the whole; and who owns what changes none."""
    put(engine, sessions)
    projects = Projects(ownership.facts)
    found = charged(engine, "sim", OCTOBER, ownership.owners, projects, by(card))
    unowned = charged(engine, "sim", OCTOBER, (), Projects(), by(card))
    assert (found.total, found.units, found.lines, found.findings) == (
        unowned.total,
        unowned.units,
        unowned.lines,
        unowned.findings,
    )
    sums: dict[tuple[object, ...], list[Decimal]] = defaultdict(lambda: [Decimal()] * 3)
    for part in found.parts:
        key = part.project, part.unit, part.price, part.finding
        sums[key] = [a + (b or 0) for a, b in zip(sums[key], (part.seconds, part.units, part.cost), strict=True)]
        assert min(part.seconds, part.units or 0, part.cost or 0) >= 0
    assert sums == {key_of(line): [line.seconds, line.units or 0, line.cost or 0] for line in found.lines}
    if found.institutions:
        assert sum(one.cost or 0 for one in found.institutions) == sum(line.cost or 0 for line in found.lines)
    costs: dict[str | None, Fraction] = defaultdict(Fraction)
    for one in bill(charges(pieces(sessions, card), card), card).lines:
        costs[one.project] += one.cost or 0
    for project, cost in costs.items():
        assert sum(line.cost or 0 for line in found.lines if line.project == project) == printed(cost)
    for name in {one.institution for one in found.institutions}:
        only = Only(institution=name or "unknown")
        alone = charged(engine, "sim", OCTOBER, ownership.owners, projects, by(card), only)
        assert alone.parts == tuple(part for part in found.parts if part.institution == name)
        assert alone.institutions == tuple(one for one in found.institutions if one.institution == name)
        assert alone.total == sum(one.cost or 0 for one in alone.institutions)


def key_of(line: ChargeLine) -> tuple[object, ...]:
    """What tells a line from others."""
    return line.project, line.unit, line.price, line.finding


@given(st.integers(0, 10**9), st.lists(st.fractions(0, 10**6), min_size=1, max_size=6))
def test_divided(whole: int, weights: list[Fraction]) -> None:
    """Parts add up to the whole, and none is off by one."""
    parts = divided(whole, weights)
    total = sum(weights)
    assert sum(parts) == (whole if total else 0)
    assert all(abs(part - whole * weight / total) < 1 for part, weight in zip(parts, weights, strict=True) if total)
