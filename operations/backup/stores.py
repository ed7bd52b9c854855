"""Where backups lie: a folder, or a bucket of S3. A backup is there when its manifest is."""

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Protocol

from ledger import ConfigurationError, DataError, SourceUnavailable
from ledger.files import flush, put_whole, written_safely
from ledger.locks import file_lock
from operations.backup.manifest import MANIFEST
from operations.backup.pipes import CHUNK

__all__ = ["NAME", "Draft", "FolderStore", "Store", "Stored"]

#: What backups are called; nothing else in their place is ever touched.
NAME = re.compile(r"xdmod-cloud-\d{8}T\d{6}Z")


class Stored(NamedTuple):
    """The size of a file that was written, and its SHA-256."""

    size: int
    sha256: str


class Draft(Protocol):
    """A backup that is being made."""

    def put(self, file: str, chunks: Iterable[bytes]) -> Stored:
        """Write one of its files."""


class Store(Protocol):
    """A place for backups. `place` names it."""

    place: str

    def names(self) -> list[str]:
        """The backups that are there and whole, the oldest first."""

    def draft(self, name: str) -> AbstractContextManager[Draft]:
        """Make a backup: it is there when the block ends well, and nothing of it when it does not."""

    def fetch(self, name: str, file: str) -> Iterator[bytes]:
        """The bytes of one of a backup's files. Raises DataError where it is missing."""

    def note(self, name: str, file: str, body: bytes) -> None:
        """Write a file beside those of a backup."""

    def remove(self, name: str) -> None:
        """Delete a backup."""

    def alone(self) -> AbstractContextManager[None]:
        """Be the only one who writes here. Raises SourceUnavailable where another process does."""


class FolderStore:
    """A folder with backups, each a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.place = folder, str(folder)

    def names(self) -> list[str]:
        """The backups that are there and whole, the oldest first."""
        with written_safely(self._folder, "[backup] output"):
            if not self._folder.is_dir():
                return []
            found = [path for path in self._folder.iterdir() if NAME.fullmatch(path.name)]
            return sorted(path.name for path in found if (path / MANIFEST).is_file())

    @contextmanager
    def draft(self, name: str) -> Iterator[Draft]:
        """Write into a hidden folder, which gets its name at the end."""
        folder, part = self._folder / name, self._folder / f".{name}.part"
        with written_safely(folder, "[backup] output"):
            if folder.exists():
                raise SourceUnavailable(f"{folder} was made in this second. Run again.")
            # What is in a backup is nobody else's business.
            part.mkdir(mode=0o700)
            try:
                yield _FolderDraft(part)
                flush(part)
                part.rename(folder)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
            flush(self._folder)

    def fetch(self, name: str, file: str) -> Iterator[bytes]:
        """The bytes of one of a backup's files. Raises DataError where it is missing."""
        path = self._folder / name / file
        try:
            with path.open("rb") as opened:
                while chunk := opened.read(CHUNK):
                    yield chunk
        except FileNotFoundError as error:
            raise DataError(f"{path} is missing: the backup is not whole. Use another one.") from error
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be read: {error.strerror}. Give this account the right."
            ) from error

    def note(self, name: str, file: str, body: bytes) -> None:
        """Write a file beside those of a backup."""
        path = self._folder / name / file
        with written_safely(path, "[backup] output"):
            put_whole(path, [body])

    def remove(self, name: str) -> None:
        """Take a backup's name away, then delete it: a half of it is never taken for one."""
        part = self._folder / f".{name}.part"
        with written_safely(part, "[backup] output"):
            (self._folder / name).rename(part)
            shutil.rmtree(part)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder's lock, and delete what a process left that died."""
        with written_safely(self._folder, "[backup] output"):
            self._folder.mkdir(parents=True, exist_ok=True)
        busy = SourceUnavailable(f"Another xdmod-cloud is writing a backup to {self._folder}. Wait for it to end.")
        with file_lock(self._folder / ".xdmod-cloud.lock", busy):
            for left in self._folder.glob(".xdmod-cloud-*.part"):
                shutil.rmtree(left, ignore_errors=True)
            yield


class _FolderDraft:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, file: str, chunks: Iterable[bytes]) -> Stored:
        """Write one of its files."""
        path, size, digest = self._folder / file, 0, sha256()
        path.touch(mode=0o600)
        with path.open("wb") as opened:
            for chunk in chunks:
                opened.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        flush(path)
        return Stored(size, digest.hexdigest())
