"""Reads the site's own files: its institutions, the tree of its projects, and who pays for them."""

import csv
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs

import schemas
from collectors.told import Told
from hierarchy.names import folded
from ledger import ConfigurationError, Kind
from ledger.ownership import Organization, Owning, ProjectKey, Share, TreeProject

__all__ = ["Placed", "read_ownership_files", "told_by"]

_KINDS = frozenset({Kind.ORGANIZATION, Kind.TREE_PROJECT, Kind.SHARE})


class Placed(NamedTuple):
    """A record of a file, and where it stands there: `shares.csv, line 3`."""

    where: str
    record: Owning


def read_ownership_files(files: Iterable[Path]) -> list[Placed]:
    """Read all that the files state: TOML of everything, CSV of funding shares.

    Raises ConfigurationError, naming the file and the line or entry, for whatever cannot be taken as it is written.
    """
    placed = [one for file in files for one in _read(file)]
    seen = dict[tuple[str, str, str], str]()
    for where, record in placed:
        thing = (record.kind, record.subject, record.identity)
        if thing in seen:
            raise ConfigurationError(f"{where} states once more what {seen[thing]} does ({thing[1]}). Remove one.")
        seen[thing] = where
    _check_names(placed)
    return placed


def _check_names(placed: Sequence[Placed]) -> None:
    """Raise ConfigurationError for a name of two institutions: whose it is would be left to chance."""
    seen = dict[str, Placed]()
    for one in placed:
        if isinstance(one.record, Organization):
            for name in {folded(text) for text in (one.record.name, *one.record.aliases)}:
                before = seen.setdefault(name, one)
                if before is not one:
                    raise ConfigurationError(
                        f'{one.where} ({one.record.name}): "{name}" is a name of {before.where}, too. Remove one.'
                    )


def told_by(placed: Sequence[Placed], at: datetime) -> Told:
    """The same as what a source tells at a time (UTC)."""
    return Told("files", at, _KINDS, [one.record for one in placed], [], [])


def _read(file: Path) -> Iterator[Placed]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} of hierarchy.ownership cannot be read: {error}") from error
    if file.suffix == ".toml":
        return _toml(file, text)
    if file.suffix == ".csv":
        return _csv(file, text)
    raise ConfigurationError(f"{file} of hierarchy.ownership is neither .toml nor .csv. Name it after what it is.")


def _toml(file: Path, text: str) -> Iterator[Placed]:
    try:
        said = _without_times(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
    try:
        faults = list(schemas.validator("ownership").iter_errors(said))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{file}: a value is of a kind that no key takes: {error}.") from error
    for fault in faults:
        raise ConfigurationError(f"{file}, {_entry(said, fault.instance_path)}: {fault.message}")
    for number, entry in enumerate(said.get("organization", []), 1):
        where = f"{file}, [[organization]] {number}"
        yield Placed(where, Organization(entry["name"], tuple(entry.get("aliases", ()))))
    for number, entry in enumerate(said.get("project", []), 1):
        place = TreeProject(ProjectKey(entry["project"]), ProjectKey(entry["parent"]), entry.get("title"))
        yield Placed(f"{file}, [[project]] {number}", place)
    for number, entry in enumerate(said.get("share", []), 1):
        where = f"{file}, [[share]] {number}"
        yield Placed(where, _share(where, entry))


def _csv(file: Path, text: str) -> Iterator[Placed]:
    columns = list(schemas.load("shares-csv")["properties"])
    reader = csv.DictReader(text.splitlines(), strict=True)
    if reader.fieldnames != columns:
        raise ConfigurationError(f"{file}, line 1: the heading must be {','.join(columns)}")
    try:
        for row in reader:
            where = f"{file}, line {reader.line_num}"
            entry = {name: (value or "").strip() if name else value for name, value in row.items()}
            if None in entry:
                raise ConfigurationError(f"{where} has more fields than the heading.")
            try:
                schemas.validator("shares-csv").validate(entry)
            except jsonschema_rs.ValidationError as error:
                column = ".".join(map(str, error.instance_path))
                raise ConfigurationError(f"{where}, {column}: {error.message}") from error
            yield Placed(where, _share(where, entry))
    except csv.Error as error:
        # The reader stands behind the last line that it could read.
        raise ConfigurationError(f"{file}, line {reader.line_num + 1} is no CSV: {error}") from error


def _share(where: str, entry: dict[str, Any]) -> Share:
    since, until = _time(where, entry["from"]), _time(where, entry["until"]) if entry.get("until") else None
    if until is not None and until <= since:
        raise ConfigurationError(f"{where}: until must come after from.")
    institution = " ".join(entry["institution"].split())
    return Share(ProjectKey(entry["project"]), institution, entry["share"], since, until)


def _time(where: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f'{where}: "{text}" is no day and no instant. Write 2025-07-01.') from error
    if time.tzinfo is None and len(text) > len("2025-07-01"):
        raise ConfigurationError(f'{where}: "{text}" has no offset. Write 2025-07-01, or 2025-07-01T12:00:00Z.')
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _without_times(value: Any) -> Any:
    """TOML's times as text; JSON has none."""
    if isinstance(value, dict):
        return {name: _without_times(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_times(part) for part in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def _entry(said: dict[str, Any], path: Sequence[Any]) -> str:
    """What a fault is in: `[[share]] 3 (coldfront/17).share`."""
    if len(path) < 2:
        return ".".join(map(str, path)) or "the file"
    table, number, *rest = path
    entry = said[table][number]
    name = next((entry[key] for key in ("project", "name") if isinstance(entry, dict) and key in entry), "")
    return f"[[{table}]] {number + 1}{f' ({name})' if name else ''}{''.join(f'.{key}' for key in rest)}"
