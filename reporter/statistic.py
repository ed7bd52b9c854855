"""One of XDMoD's statistics, asked of event files or of a warehouse, as rows in XDMoD's order."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

from msgspec import Struct

from ledger import ConfigurationError
from usage.statistics import (
    CLOUD,
    REALMS,
    UNITS,
    Added,
    Dimension,
    Period,
    Realm,
    Span,
    Statistic,
    Sums,
    Unit,
    available,
    realm_of,
)

__all__ = ["Question", "Row", "Source", "Wider", "answer", "question", "require_sessions"]

#: The spans of cores and those of percent.
Capacities = tuple[Sequence[Span], Sequence[Span]]


class Source(Protocol):
    """What can be asked for a statistic; `sums` returns rows as usage.statistics.query describes them."""

    @property
    def dimensions(self) -> Mapping[str, Dimension]:
        """The dimensions that the source has, by name."""

    def periods(self, unit: Unit, first: date, last: date) -> list[Period]:
        """Return the periods that touch the days, both included, in order."""

    def sums(self, dimension: str, unit: Unit, first: date, last: date, *, series: bool) -> Sequence[Sequence[Any]]:
        """Return the sums by dimension and resource, and with `series` by period."""

    def resources(self) -> Mapping[str, int]:
        """Return the ids of resources by what resources.json calls them."""

    def capacities(self) -> Capacities:
        """Return what the source itself knows of the resources' capacity."""


@runtime_checkable
class Wider(Protocol):
    """A source of sessions that knows of other records, too."""

    def of(self, realm: Realm) -> Source:
        """Return what can be asked for the statistics of a realm, of the cloud itself."""


class Question(Struct, frozen=True):
    """A statistic by a dimension, over the periods of one unit that touch the days `first` to `last`, both included.

    `series` asks for the value of each period, else for one over all of them.
    """

    statistic: str
    dimension: str
    unit: str
    first: date
    last: date
    series: bool = True

    @property
    def realm(self) -> Realm:
        """The realm that the statistic is of."""
        return realm_of(self.statistic)


class Row(NamedTuple):
    """A line of the answer: the period as XDMoD writes it (None over all), what the dimension says, the whole value."""

    period: str | None
    dimension: str
    value: int | float


class _Cell(NamedTuple):
    """A row of a source, without its period."""

    key: object
    label: str
    resource: int
    sums: Added


def question(statistic: str, dimension: str, unit: str, first: str, last: str, *, series: bool) -> Question:
    """Return the question that words say; days are written YYYY-MM-DD.

    Raises ConfigurationError for a statistic, dimension or unit that there is not, and for days that are none or lie
    the wrong way round.
    """
    _known("statistic", statistic, [name for realm in REALMS.values() for name in realm.statistics])
    _known("dimension", dimension, realm_of(statistic).dimensions)
    _known("unit", unit, UNITS)
    asked = Question(statistic, dimension, unit, _day("--from", first), _day("--to", last), series)
    if asked.first > asked.last:
        raise ConfigurationError(f"--from {first} lies after --to {last}. Name the earlier day first.")
    return asked


def answer(source: Source, asked: Question, capacities: Capacities | None = None) -> list[Row]:
    """Return all rows of the answer: by period, then by value over all periods, the greatest first, then by name.

    Each period from the first with sessions to the last has a row for everything that the dimension names in any of
    them, 0 where there is none. `capacities`, where given, count instead of the source's own. The same rules as in
    XDMoD, whose source they are: TimeseriesQuery.php, TimeAggregationUnit.php.

    Raises ConfigurationError for a statistic or a dimension that the source has not, and for a utilization where
    nobody says what there was to use.
    """
    if isinstance(source, Wider):
        source = source.of(asked.realm)
    else:
        require_sessions(asked)
    if asked.dimension not in source.dimensions:
        raise ConfigurationError(
            f"This source has no dimension {asked.dimension} (it has: {', '.join(source.dimensions)})."
        )
    unit, realm = UNITS[asked.unit], asked.realm
    statistic = realm.statistics[asked.statistic]
    rows = source.sums(asked.dimension, unit, asked.first, asked.last, series=asked.series)
    if not rows:
        return []
    span = range(int(rows[0][4]), int(rows[0][5]) + 1)
    periods = [period for period in source.periods(unit, asked.first, asked.last) if period.id in span]
    given = _given(source, statistic, capacities, periods)
    cells = defaultdict[int | None, list[_Cell]](list)
    for period, key, label, resource, _, __, *sums in rows:
        added = realm.sums(**dict(zip(realm.summed, map(_number, sums), strict=True)))
        cell = _Cell(key, str(label), int(resource), added)
        cells[None if period is None else int(period)].append(cell)
    total = _summed([_once(cell, period, span[0]) for period, part in cells.items() for cell in part], given)
    order = sorted(total, key=lambda group: _place(group, total[group], statistic, realm.dimensions[asked.dimension]))
    if not asked.series:
        return [Row(None, group[1], statistic.of(total[group])) for group in order]
    return [
        Row(unit.label(period.id), group[1], statistic.of(part.get(group, realm.sums())))
        for period in periods
        for part in [_summed(cells[period.id], given, period.id)]
        for group in order
    ]


def require_sessions(asked: Question) -> None:
    """Raise ConfigurationError for a statistic of other records than sessions: of those event files know nothing."""
    if asked.realm is not CLOUD:
        raise ConfigurationError(
            f"{asked.statistic} is a statistic of {asked.realm.name}, and event files tell of the cloud alone. Name an"
            " XDMoD with --xdmod instead of --events."
        )


#: What the dimension says, by its id and its name: two people may have one name.
_Group = tuple[object, str]


def _given(
    source: Source, statistic: Statistic[Any], capacities: Capacities | None, periods: Sequence[Period]
) -> dict[int | None, dict[int, int]]:
    """Return the core seconds that each resource had to give, by period, and over all of them."""
    if not statistic.needs_available:
        return {}
    cores, percents = source.capacities() if capacities is None else capacities
    if not cores:
        raise ConfigurationError(
            "The utilization needs what there was to use, and nothing says so. Name the site's resource_specs.json"
            " with --resource-specs, or put files hypervisor_facts_… beside the event files."
        )
    given: dict[int | None, dict[int, int]] = {None: defaultdict(int)}
    for period in periods:
        given[period.id] = available(cores, percents, period)
        for resource, seconds in given[period.id].items():
            given[None][resource] += seconds
    return given


def _once(cell: _Cell, period: int | None, first: int) -> _Cell:
    """Count what runs in several periods in the first of all, or where it starts."""
    if period is None or period == first:
        return cell
    return cell._replace(sums=cell.sums.later())


def _summed(
    cells: Sequence[_Cell], given: Mapping[int | None, Mapping[int, int]], period: int | None = None
) -> dict[_Group, Added]:
    """Add up the cells of each group, with what the resources that it used had to give, each of them once."""
    sums: dict[_Group, Added] = {}
    resources = defaultdict[_Group, set[int]](set)
    for cell in cells:
        group = (cell.key, cell.label)
        sums[group] = sums[group] + cell.sums if group in sums else cell.sums
        resources[group].add(cell.resource)
    if not given:
        return sums
    had = given.get(period, {})
    return {
        group: total + Sums(available=sum(had.get(resource, 0) for resource in resources[group]))
        for group, total in sums.items()
    }


def _number(value: Any) -> int | float:
    """Return a sum as a number; only a share of a wall time that is not end minus start is no whole one."""
    return int(value) if value == int(value) else float(value)


def _place(group: _Group, total: Added, statistic: Statistic[Any], dimension: Dimension) -> tuple[Any, ...]:
    return (-statistic.of(total) if dimension.by_value else 0, group[0] if dimension.by_id else group[1], group[1])


def _known(what: str, name: str, there: Collection[str]) -> None:
    if name not in there:
        raise ConfigurationError(f"There is no {what} {name} (there are: {', '.join(there)}). Name one of them.")


def _day(option: str, written: str) -> date:
    try:
        return datetime.strptime(written, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ConfigurationError(
            f'{option} "{written}" is no day. Write it as YYYY-MM-DD, for example 2018-04-30.'
        ) from None
