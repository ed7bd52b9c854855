"""The four files that xdmod-import-csv reads: their rows, and all of them put in place at once.

What XDMoD takes, and what it makes of it, was measured on Open XDMoD 11.0.4.
"""

import csv
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from ledger.counts import counted
from ledger.exports import WrittenFile
from ledger.files import flush, put_whole, written_safely
from ledger.text import fitted

__all__ = ["FILES", "Row", "Rows", "group_key", "rows_of", "waits", "written"]

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
    cloud: Cloud
    item: Item
    project: Item


def rows_of(items: Iterable[Item], clouds: Sequence[Cloud]) -> Rows:
    """The rows that tell XDMoD of the items in force among these.

    Raises DataError, naming both, where one key would stand for two projects, and for a key that XDMoD cannot hold.
    """
    in_force = _in_force(items)
    levels = [item for level in _LEVELS for item in in_force.values() if item.level is level]
    lines, warnings = _lines(in_force, {cloud.name: cloud for cloud in clouds})
    by_key, alike = _distinct(lines, lambda line: line.key, of_clouds=False)
    openstack = [line for line in lines if line.cloud.kind is CloudKind.OPENSTACK]
    by_name, doubled = _distinct(openstack, lambda line: _key(line.item.display), of_clouds=True)
    files: dict[str, list[Row]] = {
        "hierarchy.csv": [(str(one.id), _shown(one.display, _NODE), str(one.parent or "")) for one in levels],
        "group.csv": [(key, str(line.project.parent)) for key, line in by_key.items()],
        "names.csv": [(key, "", _shown(line.project.display, _LAST_NAME)) for key, line in by_key.items()],
        "pi2project.csv": [(line.key, name, line.cloud.resource) for name, line in by_name.items()],
    }
    for file, rows in files.items():
        _validate(file, rows)
    return Rows(files, {key: line.item.id for key, line in by_key.items()}, [*warnings, *alike, *doubled])


def group_key(prefix: str, shown: str) -> str:
    """What group.csv calls a project of a cloud: by the cloud's prefix and the project's shown name."""
    return _key(f"{prefix}{shown}")


def written(folder: Path, files: Mapping[str, Sequence[Row]]) -> list[WrittenFile]:
    """Put all files into a folder, at once: it holds those of one export, or is not there.

    Raises SourceUnavailable for a full disk, ConfigurationError where the folder cannot be written or is another's.
    """
    whole, old = folder.with_name(f".{folder.name}.new"), _aside(folder)
    with written_safely(folder):
        if foreign := _foreign(folder):
            raise ConfigurationError(
                f"xdmod-cloud did not make {foreign}. Move it away, or name another folder with --output."
            )
        rmtree(whole, ignore_errors=True)
        whole.mkdir(parents=True)
        sums = {name: put_whole(whole / name, [_encoded(files[name])]) for name in FILES}
        # A folder that is not empty can only be moved aside; a crash in between leaves none, but never a mixture.
        if folder.exists():
            rmtree(old, ignore_errors=True)
            folder.rename(old)
        whole.rename(folder)
        flush(folder.parent)
        rmtree(old, ignore_errors=True)
    return [WrittenFile(name, len(files[name]), sums[name]) for name in FILES]


def waits(folder: Path, file: str) -> bool:
    """Whether a file that was written lies in its folder still, or where a crash has moved that aside."""
    return any((place / file).exists() for place in (folder, _aside(folder)))


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _foreign(folder: Path) -> Path | None:
    """What is in the way: the folder itself, if it is none, or a file in it that is not ours."""
    if not os.path.lexists(folder):
        return None
    if folder.is_symlink() or not folder.is_dir():
        return folder
    return next((path for path in sorted(folder.iterdir()) if path.name not in FILES), None)


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
    lines, absent, places = list[_Line](), Counter[str](), list(clouds)
    for item in in_force.values():
        if item.level is not Level.CLOUD_PROJECT or item.parent is None:
            continue
        name = item.name.partition("/")[0]
        if cloud := clouds.get(name):
            lines.append(_Line(group_key(cloud.prefix, item.display), cloud, item, in_force[item.parent]))
        else:
            absent[name] += 1
    warnings = [
        f"The files are without {counted(number, 'projects')} of {name}, which is no cloud in the configuration."
        for name, number in absent.items()
    ]
    return sorted(lines, key=lambda line: (line.key, places.index(line.cloud.name), line.item.id)), warnings


def _distinct(
    lines: Iterable[_Line], key: Callable[[_Line], str], *, of_clouds: bool
) -> tuple[dict[str, _Line], list[str]]:
    """One line for each key, and a warning for each key that stands for more. XDMoD overlooks the case of letters.

    A key of two projects stands for none; with `of_clouds`, so does one of two clouds. Raises DataError where a prefix
    would tell two projects apart.
    """
    found: dict[str, list[_Line]] = defaultdict(list)
    for line in lines:
        found[key(line).casefold()].append(line)
    distinct, warnings = dict[str, _Line](), list[str]()
    for alike in found.values():
        first = alike[0]
        name, where = key(first), " and ".join(_described(line) for line in alike)
        clouds = {line.cloud.name for line in alike}
        if len({line.project.id for line in alike}) == 1:
            distinct[name] = first
            if of_clouds and len(clouds) > 1:
                warnings.append(f'"{name}" is {where}: pi2project.csv has only the first.')
        elif of_clouds or len(clouds) == 1:
            files = "pi2project.csv is" if of_clouds else "group.csv and names.csv are"
            warnings.append(f'"{name}" is {where}: {files} without them, for XDMoD could not tell them apart.')
        else:
            raise DataError(
                f'"{name}" would stand for two projects in XDMoD: {where}. Nothing was written; set a prefix for one of'
                " their clouds in the configuration."
            )
    return dict(sorted(distinct.items())), warnings


def _described(line: _Line) -> str:
    return f'{line.item.name} of {line.project.name} "{line.project.display}"'


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
