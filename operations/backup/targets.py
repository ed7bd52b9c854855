"""Where the parts of a backup are restored to: each is filled with what was proven, or says what differs."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from ledger import DataError
from ledger.files import flush, written_safely
from operations.backup import folders as packing
from operations.backup import sqlite
from operations.backup.dumps import DumpTally, renamed
from operations.backup.manifest import Content, Part
from operations.backup.servers import Server

__all__ = ["FolderTarget", "ServerTarget", "Source", "SqliteTarget", "Target"]

#: What may lie in a folder that is taken for empty.
_NOBODYS = (".lock", ".part", "lost+found")


class Source(NamedTuple):
    """A part, how to read what is in it, and what it is called."""

    part: Part
    chunks: Callable[[], Iterator[bytes]]
    place: str

    def compare(self, found: Mapping[str, Content], objects: int = 0) -> None:
        """Raise DataError where something else was restored than the manifest says, naming the first differences."""
        said = self.part.contents
        differ = [name for name in sorted({*said, *found}) if said.get(name) != found.get(name)]
        faults = [f"{name}: {_told(said.get(name))} saved, {_told(found.get(name))} restored" for name in differ]
        if objects != self.part.objects:
            faults.append(f"views, triggers and routines: {self.part.objects} saved, {objects} restored")
        if faults:
            more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
            raise DataError(f"{self.place} does not restore to what was saved: {'; '.join(faults[:3])}{more}.")


class Target(Protocol):
    """Where one part goes."""

    def holds(self) -> str | None:
        """What is there that would be lost; none where nothing is."""

    def take(self, source: Source) -> None:
        """Restore, in place of what is there. Raises DataError where that is not what was saved."""


class FolderTarget:
    """A folder; what is in it gives way when its successor is whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def holds(self) -> str | None:
        """What is there that would be lost; none where nothing is."""
        return str(self._folder) if self._entries() else None

    def take(self, source: Source) -> None:
        """Unpack beside, compare, then move in. The folder itself stays: it may be a mounted volume."""
        part = self._folder / ".restoring.part"
        with written_safely(self._folder, "where it is to go"):
            shutil.rmtree(part, ignore_errors=True)
            try:
                packing.unpacked(source.chunks(), part, source.place)
                source.compare({source.part.name: packing.tallied(part)})
                for path in self._entries():
                    _delete(path)
                for path in sorted(part.iterdir()):
                    path.rename(self._folder / path.name)
            finally:
                shutil.rmtree(part, ignore_errors=True)
            flush(self._folder)

    def _entries(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(path for path in self._folder.iterdir() if not path.name.endswith(_NOBODYS))


class SqliteTarget:
    """The file of a ledger."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def holds(self) -> str | None:
        """What is there that would be lost; none where nothing is."""
        return str(self._file) if self._file.exists() else None

    def take(self, source: Source) -> None:
        """Write beside, compare, then rename."""
        part = self._file.with_name(f"{self._file.name}.restoring.part")
        with written_safely(self._file, "[ledger] url"):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.unlink(missing_ok=True)
                part.touch(mode=0o600)
                with part.open("wb") as file:
                    for chunk in source.chunks():
                        file.write(chunk)
                    os.fsync(file.fileno())
                source.compare(sqlite.tallied(part, source.place))
                # What the old file still had to take over must not be taken over by the new one.
                for suffix in ("-wal", "-shm"):
                    Path(f"{self._file}{suffix}").unlink(missing_ok=True)
                part.replace(self._file)
            finally:
                part.unlink(missing_ok=True)
            flush(self._file.parent)


class ServerTarget:
    """Databases of a server: for each that was saved, the one that it goes to. With `scratch`, they go afterwards."""

    def __init__(self, server: Server, names: Mapping[str, str], *, scratch: bool) -> None:
        self._server, self._names, self._scratch = server, names, scratch

    def holds(self) -> str | None:
        """What is there that would be lost; none where nothing is."""
        filled = self._server.filled(self._names.values())
        return f"{', '.join(filled)} on {self._server.place}" if filled else None

    def take(self, source: Source) -> None:
        """Load the dump, then dump it again: the same rows must come out."""
        try:
            self._server.drop(self._server.filled(self._names.values()))
            self._server.load(renamed(source.chunks(), self._names))
            self._compare(source)
        finally:
            if self._scratch:
                self._server.drop(self._names.values())

    def _compare(self, source: Source) -> None:
        tally, saved = DumpTally(), {there: name for name, there in self._names.items()}
        for _ in tally.through(self._server.dump(list(self._names.values()))):
            pass
        found = {}
        for name, content in tally.contents.items():
            database, _, table = name.partition(".")
            found[f"{saved[database]}.{table}"] = content
        source.compare(found, tally.objects)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _told(content: Content | None) -> str:
    return "nothing" if content is None else f"{content.count:,} with checksum {content.sha256[:8]}"
