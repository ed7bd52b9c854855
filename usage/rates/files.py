"""Reads a rate card: TOML, with days and instants, held against its schema."""

import tomllib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import schemas
from ledger import ConfigurationError
from ledger.times import EPOCH
from usage.rates.cards import RESOURCES, Card, Flavor, Rate, Unit, Window
from usage.rates.spans import Span, united

__all__ = ["read_rates"]

_DAY = len("2025-07-01")
_SECOND = timedelta(seconds=1)


def read_rates(file: Path) -> Card:
    """Read a rate card. Raises ConfigurationError, naming file, entry and key, for whatever is wrong in it."""
    said = _said(file)
    zone = _zone(file, said.get("time_zone", "UTC"))
    units = [_unit(where, entry, zone) for where, entry in _entries(file, said, "unit")]
    rates = [_rate(where, entry, zone) for where, entry in _entries(file, said, "rate")]
    _check_overlaps([(where, unit.name, unit.window) for where, unit in units])
    _check_overlaps([(where, rate.unit, rate.window) for where, rate in rates])
    names = {unit.name: None for _, unit in units}
    for where, rate in rates:
        if rate.unit not in names:
            raise ConfigurationError(
                f'{where}.unit: there is no [[unit]] "{rate.unit}" (there is: {", ".join(names)}).'
            )
    return Card(
        currency=said["currency"],
        units=tuple(unit for _, unit in units),
        rates=tuple(rate for _, rate in rates),
        outages=united(_outage(where, entry, zone) for where, entry in _entries(file, said, "outage")),
        billable_states=frozenset(said.get("billable_states", ["active"])),
        hours=said.get("hours", "exact"),
        flavors=tuple(_flavor(where, entry) for where, entry in _entries(file, said, "flavor")),
        resources=frozenset(said.get("resources", ())),
    )


def _said(file: Path) -> dict[str, Any]:
    try:
        said: dict[str, Any] = _without_times(tomllib.loads(file.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}. Name another rate card.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
    for fault in schemas.validator("rates").iter_errors(said):
        raise ConfigurationError(f"{_place(file, said, fault.instance_path)}: {fault.message}")
    return said


def _unit(where: str, entry: dict[str, Any], zone: tzinfo) -> tuple[str, Unit]:
    if "storage_gib" in entry["per"] and "gpu_types" in entry:
        raise ConfigurationError(f"{where}.gpu_types: storage has no GPUs. Name its kinds in flavors, or none.")
    # An integer may be written 1.0, which is a float to TOML.
    per = tuple((resource, int(entry["per"][resource])) for resource in RESOURCES if resource in entry["per"])
    unit = Unit(
        name=entry["name"],
        per=per,
        rounding=entry.get("round", "exact"),
        scale={place: Decimal(factor) for place, factor in entry.get("scale", {}).items()},
        flavors=tuple(entry.get("flavors", ())),
        gpu_types=tuple(entry.get("gpu_types", ())),
        window=_window(where, entry, zone),
    )
    return where, unit


def _flavor(where: str, entry: dict[str, Any]) -> Flavor:
    if "gpu_type" in entry and not entry["gpus"]:
        raise ConfigurationError(f"{where}.gpu_type: what has no GPU has no type of it. Leave it out.")
    return Flavor(tuple(entry["names"]), int(entry["gpus"]), entry.get("gpu_type"))


def _rate(where: str, entry: dict[str, Any], zone: tzinfo) -> tuple[str, Rate]:
    return where, Rate(entry["unit"], Decimal(entry["price"]), _window(where, entry, zone))


def _window(where: str, entry: dict[str, Any], zone: tzinfo) -> Window:
    since, until = (_second(f"{where}.{key}", entry[key], zone) if key in entry else None for key in ("from", "until"))
    if since is not None and until is not None and until <= since:
        raise ConfigurationError(f"{where}.until: {entry['until']} does not come after from, {entry['from']}.")
    return Window(since, until)


def _outage(where: str, entry: dict[str, str], zone: tzinfo) -> Span:
    keys = ("first_day", "last_day") if "first_day" in entry else ("from", "until")
    start, end = (_time(f"{where}.{key}", entry[key]) for key in keys)
    if "first_day" in entry:
        try:
            end += timedelta(days=1)
        except OverflowError as error:
            raise ConfigurationError(f"{where}.last_day: {entry['last_day']} is the last day there is.") from error
    since, until = _since_1970(start, zone), _since_1970(end, zone)
    if until <= since:
        raise ConfigurationError(f"{where}.{keys[1]}: {entry[keys[1]]} does not come after {entry[keys[0]]}.")
    return since, until


def _check_overlaps(stated: Sequence[tuple[str, str, Window]]) -> None:
    for (where, name, window), (other_where, other_name, other) in combinations(stated, 2):
        if name == other_name and window.overlaps(other):
            raise ConfigurationError(
                f"{other_where} holds at times at which {where} does, too. End the earlier one with an until: the first"
                " day or instant of the later."
            )


def _second(where: str, text: str, zone: tzinfo) -> int:
    return _since_1970(_time(where, text), zone)


def _time(where: str, text: str) -> datetime:
    """A day as its midnight without an offset, or an instant with one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f'{where}: "{text}" is no day and no instant. Write 2025-07-01.') from error
    if moment.tzinfo is None and len(text) > _DAY:
        raise ConfigurationError(f'{where}: "{text}" has no offset. Write 2025-07-01, or 2025-07-01T12:00:00-04:00.')
    if moment.microsecond:
        raise ConfigurationError(f'{where}: "{text}" has parts of a second. Write whole seconds.')
    return moment


def _since_1970(moment: datetime, zone: tzinfo) -> int:
    return ((moment if moment.tzinfo else moment.replace(tzinfo=zone)) - EPOCH) // _SECOND


def _zone(file: Path, name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigurationError(f'{file}, time_zone: "{name}" is no time zone. Write America/New_York.') from error


def _entries(file: Path, said: dict[str, Any], table: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, entry in enumerate(said.get(table, ())):
        yield _place(file, said, [table, number]), entry


def _place(file: Path, said: dict[str, Any], path: Sequence[Any]) -> str:
    """Where something stands: `rates.toml, [[rate]] 3 (OpenStack CPU).price`."""
    if len(path) < 2 or not isinstance(path[1], int) or path[0] not in ("unit", "rate", "outage", "flavor"):
        return f"{file}, {'.'.join(map(str, path))}" if path else f"{file}"
    table, number, *keys = path
    entry = said[table][number]
    name = entry.get({"unit": "name", "rate": "unit"}.get(table, "")) if isinstance(entry, dict) else None
    return f"{file}, [[{table}]] {number + 1}{f' ({name})' if name else ''}{''.join(f'.{key}' for key in keys)}"


def _without_times(value: Any) -> Any:
    """TOML's times as text; JSON has none."""
    if isinstance(value, dict):
        return {name: _without_times(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_times(part) for part in value]
    return value.isoformat() if isinstance(value, date | datetime | time) else value
