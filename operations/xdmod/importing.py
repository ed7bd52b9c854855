"""Import: tell XDMoD who owns what, by the four CSVs that lie in the outbox."""

import csv
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from hierarchy.csvs import FILES
from ledger import ConfigurationError, Ledger
from ledger.files import flush, written_safely
from ledger.locks import sole_writer
from operations.configuration import Configuration
from operations.xdmod.commands import Commands, patient
from operations.xdmod.folders import move
from operations.xdmod.pending import Pending

__all__ = ["Imported", "configured_resources", "import_hierarchy"]

#: What xdmod-import-csv calls each file, in the order in which they are to be imported.
_TYPES = dict(
    zip(FILES, ("hierarchy", "group-to-hierarchy", "names", "cloud-project-to-pi"), strict=True),
)
_FOLDER = "hierarchy"


class Imported(Struct, frozen=True):
    """A file that XDMoD imported, and its lines."""

    file: str
    lines: int


def import_hierarchy(
    ledger: Ledger, configuration: Configuration, commands: Commands, pending: Pending
) -> list[Imported]:
    """Import the files of the hierarchy that tell XDMoD something new; first those of an import that did not end.

    Returns what was imported, in order; nothing where XDMoD knows it all. Raises DataError where XDMoD does not take
    all of a file, and ConfigurationError for a project of a resource that XDMoD does not have: the file and those after
    it stay, to be imported first next time.
    """
    archive = configuration.xdmod.archive / _FOLDER
    done = [one for folder in _under_way(configuration.outbox) for one in _import(configuration, commands, folder)]
    waiting = configuration.outbox / _FOLDER
    if all((waiting / name).is_file() for name in FILES) and _tells_news(waiting, archive):
        pending.acl(wanted=True)
        done += _import(configuration, commands, _claim(ledger, waiting))
    return done


def _under_way(outbox: Path) -> list[Path]:
    return sorted(path for path in outbox.glob("importing-*") if path.is_dir())


def _claim(ledger: Ledger, waiting: Path) -> Path:
    """Take the folder out of the outbox: whoever writes the next one counts on its being told."""
    claimed = waiting.with_name(f"importing-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")

    def claim() -> None:
        with sole_writer(ledger.engine, "the files of the hierarchy"), written_safely(claimed):
            waiting.rename(claimed)
            flush(claimed.parent)

    patient(claim)
    return claimed


def _import(configuration: Configuration, commands: Commands, folder: Path) -> Iterator[Imported]:
    """Import what is left in a folder; a file goes as soon as XDMoD has it, for names are made anew each time."""
    archive = configuration.xdmod.archive / _FOLDER / folder.name.removeprefix("importing-")
    for name, kind in _TYPES.items():
        file = folder / name
        if not file.is_file():
            continue
        if name == "pi2project.csv":
            _check_resources(configuration, file)
        lines = _lines(file)
        if lines:
            commands.must("xdmod-import-csv", "-v", "-t", kind, "-i", str(file))
        move([file], archive)
        yield Imported(name, lines)
    with suppress(OSError):  # somebody keeps something in it
        folder.rmdir()


def _tells_news(waiting: Path, archive: Path) -> bool:
    """Whether any file has lines, and not those that were imported last."""
    for name in FILES:
        body = (waiting / name).read_bytes()
        before = sorted(archive.glob(f"*/{name}"))
        if body and not (before and before[-1].read_bytes() == body):
            return True
    return False


def _check_resources(configuration: Configuration, file: Path) -> None:
    """An unknown resource in this file kills XDMoD's next ingest."""
    known = configured_resources(configuration)
    if known is None:
        return
    with file.open(encoding="utf-8", newline="") as rows:
        unknown = sorted({row[2] for row in csv.reader(rows)} - known)
    if unknown:
        raise ConfigurationError(
            f'{file} names the resource "{unknown[0]}", which XDMoD does not have (it has:'
            f" {', '.join(sorted(known)) or 'none'}). Nothing of it was imported; add it with xdmod-setup, or correct"
            " resource in the configuration and export the hierarchy again."
        )


class _Resource(Struct):
    resource: str


def configured_resources(configuration: Configuration) -> set[str] | None:
    """The resources of XDMoD's resources.json; none where that file cannot be read here."""
    file = configuration.hierarchy.resources or configuration.xdmod.configuration / "resources.json"
    try:
        return {one.resource for one in msgspec.json.decode(file.read_bytes(), type=list[_Resource])}
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _lines(file: Path) -> int:
    with file.open(encoding="utf-8", newline="") as rows:
        return sum(1 for _ in csv.reader(rows))
