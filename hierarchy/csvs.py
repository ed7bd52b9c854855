"""The four files that xdmod-import-csv reads: their rows, and all of them put in place at once.

What XDMoD takes, and what it makes of it, was measured on Open XDMoD 11.0.4.
"""

import csv
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

import jsonschema_rs

import schemas
from hierarchy.names import clean
from hierarchy.records import Item, ItemId, Level
from hierarchy.settings import Cloud, CloudKind
from ledger import ConfigurationError, DataError
from ledger.exports import WrittenFile
from ledger.files import keep_names, put_whole, written_safely
from ledger.text import fitted

__all__ = ["FILES", "Row", "Rows", "rows_of", "waiting_keys", "written"]

Row = tuple[str, ...]

#: The files, in the order in which they are to be imported, and the schema of a row of each.
FILES = {
    "hierarchy.csv": "hierarchy-csv",
    "group.csv": "group-csv",
    "names.csv": "names-csv",
    "pi2project.csv": "pi2project-csv",
}
#: So many characters are shown of a node's name, and of a project's; so many may a key have.
_NODE, _LAST_NAME, _WIDTH = 200, 100, 225
_LEVELS = (Level.INSTITUTION, Level.FIELD, Level.PI)
_ESCAPING = re.compile(r'\\+(?="|$)')


class Rows(NamedTuple):
    """The rows of each file; whose they are, by the key of group.csv; and what has to be said of them."""

    files: dict[str, list[Row]]
    owners: dict[str, ItemId]
    warnings: list[str]


class _Line(NamedTuple):
    """A project of a cloud that XDMoD is to be told of."""

    key: str
    cloud: Cloud | None
    item: Item
    project: Item


def rows_of(items: Iterable[Item], clouds: Sequence[Cloud]) -> Rows:
    """The rows that tell XDMoD of the items in force among these.

    Raises DataError, naming both, where one key would stand for two projects, and for a key that XDMoD cannot hold.
    """
    in_force = _in_force(items)
    levels = [item for level in _LEVELS for item in in_force.values() if item.level is level]
    lines, warnings = _lines(in_force, {cloud.name: cloud for cloud in clouds})
    by_key = _distinct(lines, lambda line: line.key, _PREFIX)
    openstack = [line for line in lines if line.cloud and line.cloud.kind is CloudKind.OPENSTACK]
    by_name = _distinct(openstack, lambda line: _key(line.item.display), _RENAME)
    files: dict[str, list[Row]] = {
        "hierarchy.csv": [(str(one.id), _shown(one.display, _NODE), str(one.parent or "")) for one in levels],
        "group.csv": [(key, str(line.project.parent)) for key, line in by_key.items()],
        "names.csv": [(key, "", _shown(line.project.display, _LAST_NAME)) for key, line in by_key.items()],
        "pi2project.csv": [
            (line.key, name, line.cloud.resource) for name, line in by_name.items() if line.cloud is not None
        ],
    }
    for file, rows in files.items():
        _validate(file, rows)
    return Rows(files, {key: line.item.id for key, line in by_key.items()}, [*warnings, *_on_two(openstack)])


def written(folder: Path, files: Mapping[str, Sequence[Row]]) -> list[WrittenFile]:
    """Put all files into a folder, at once: it holds those of one export, or is not there.

    Raises SourceUnavailable for a full disk, ConfigurationError where the folder cannot be written or is another's.
    """
    whole, old = (folder.with_name(f".{folder.name}.{state}") for state in ("new", "old"))
    with written_safely(folder):
        if os.path.lexists(folder) and not _is_ours(folder):
            raise ConfigurationError(
                f"{folder} is something that xdmod-cloud did not make. Move it away, or name another with --output."
            )
        rmtree(whole, ignore_errors=True)
        whole.mkdir(parents=True)
        sums = {name: put_whole(whole / name, [_encoded(files[name])]) for name in FILES}
        # A folder that is not empty can only be moved aside; a crash in between leaves none, but never a mixture.
        if folder.exists():
            rmtree(old, ignore_errors=True)
            folder.rename(old)
        whole.rename(folder)
        keep_names(folder.parent)
        rmtree(old, ignore_errors=True)
    return [WrittenFile(name, len(files[name]), sums[name]) for name in FILES]


def waiting_keys(folder: Path, file: str) -> set[str]:
    """The keys of a file that was written and lies in its folder still; also where a crash has moved that aside."""
    for place in (folder, folder.with_name(f".{folder.name}.old")):
        try:
            with (place / file).open(encoding="utf-8", newline="") as text:
                return {row[0] for row in csv.reader(text)}
        except FileNotFoundError:
            continue
    return set()


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink() and {path.name for path in folder.iterdir()} <= FILES.keys()


def _in_force(items: Iterable[Item]) -> dict[ItemId, Item]:
    """The active items below active ones only, by id."""
    active = {item.id: item for item in items if item.active}
    for level in Level:
        for item in [one for one in active.values() if one.level is level]:
            if level is not Level.INSTITUTION and item.parent not in active:
                del active[item.id]
    return active


def _lines(in_force: Mapping[ItemId, Item], clouds: Mapping[str, Cloud]) -> tuple[list[_Line], list[str]]:
    """The projects of clouds, by key and cloud, and a warning for each cloud that the configuration no longer has."""
    lines, absent = list[_Line](), Counter[str]()
    for item in in_force.values():
        if item.level is not Level.CLOUD_PROJECT or item.parent is None:
            continue
        name = item.name.partition("/")[0]
        cloud = clouds.get(name)
        if cloud is None:
            absent[name] += 1
        key = _key(f"{cloud.prefix if cloud else ''}{item.display}")
        lines.append(_Line(key, cloud, item, in_force[item.parent]))
    warnings = [
        f"{number} projects are of the cloud {name}, which the configuration no longer has: they are not in"
        " pi2project.csv."
        for name, number in absent.items()
    ]
    places = {name: place for place, name in enumerate(clouds)}
    order = [(line.key, places.get(line.cloud.name if line.cloud else "", -1), line.item.id) for line in lines]
    return [line for _, line in sorted(zip(order, lines, strict=True), key=lambda pair: pair[0])], warnings


_PREFIX = "set a prefix for one of their clouds in the configuration, or rename one"
_RENAME = "rename one in OpenStack, for XDMoD knows its projects by name alone, whatever their cloud"


def _distinct(lines: Iterable[_Line], key: Callable[[_Line], str], way_out: str) -> dict[str, _Line]:
    """One line for each key. XDMoD takes keys for equal that differ in the case of letters."""
    found = dict[str, tuple[str, _Line]]()
    for line in lines:
        _, first = found.setdefault(key(line).casefold(), (key(line), line))
        if first.project.id != line.project.id:
            raise DataError(
                f'"{key(line)}" would stand for two projects in XDMoD: {first.item.name} belongs to'
                f' {first.project.name} "{first.project.display}", and {line.item.name} to {line.project.name}'
                f' "{line.project.display}". Nothing was written; {way_out}.'
            )
    return dict(sorted(found.values(), key=lambda pair: pair[0]))


def _on_two(openstack: Iterable[_Line]) -> Iterator[str]:
    """XDMoD knows the projects of OpenStack by name alone."""
    clouds: dict[str, list[_Line]] = defaultdict(list)
    for line in openstack:
        clouds[line.item.display.casefold()].append(line)
    for lines in clouds.values():
        if len({line.cloud.resource for line in lines if line.cloud}) > 1:
            where = " and ".join(line.item.name for line in lines)
            yield f'{where} are both called "{lines[0].item.display}": pi2project.csv has only the first.'


def _shown(text: str, width: int) -> str:
    """A name on one line, cut to what XDMoD shows, without what its reader of CSV stumbles over."""
    plain = "".join(char if char <= "\uffff" else "\N{REPLACEMENT CHARACTER}" for char in clean(text))
    return _readable(plain if len(plain) <= width else f"{plain[: width - 1]}…")


def _key(text: str) -> str:
    """What a project is told apart by, in XDMoD's width and without what its reader of CSV stumbles over."""
    return _readable(fitted(text, _WIDTH))


def _readable(text: str) -> str:
    """PHP takes a backslash before a quote, its own or that of the field, for part of the field."""
    return _ESCAPING.sub(lambda found: "/" * len(found[0]), text)


def _validate(file: str, rows: Iterable[Row]) -> None:
    schema = schemas.load(FILES[file])
    names, validator = list(schema["properties"]), schemas.validator(FILES[file])
    for row in rows:
        try:
            validator.validate(dict(zip(names, row, strict=True)))
        except jsonschema_rs.ValidationError as error:
            raise DataError(
                f'{file} cannot have the line of "{row[0][:80]}": {".".join(map(str, error.instance_path))}:'
                f" {error.message[:200]}. Nothing was written; rename it where it comes from."
            ) from error


def _encoded(rows: Iterable[Row]) -> bytes:
    text = StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
