"""Folders as one stream, and back: an archive that tar reads."""

import os
import tarfile
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath

from ledger import ConfigurationError, DataError, SourceUnavailable
from ledger.files import written_safely
from operations.backup.manifest import Content
from operations.backup.pipes import CHUNK, Stream

__all__ = ["FolderTally", "tallied", "unpacked"]

_BLOCK = tarfile.BLOCKSIZE
#: What is not to be kept: files that are being written, and locks.
_PASSING = (".part", ".lock")


class FolderTally:
    """Counts the files of a folder, and takes the checksum of their names and bytes, while they go by."""

    def __init__(self) -> None:
        self._count, self._digest = 0, sha256()

    @property
    def content(self) -> Content:
        """What has gone by so far."""
        return Content(self._count, self._digest.hexdigest())

    def packed(self, folder: Path) -> Iterator[bytes]:
        """The folder as a tar archive. What links lead to is taken in their place.

        Raises SourceUnavailable where a file changes meanwhile, ConfigurationError where one cannot be read.
        """
        for path in _walk(folder):
            try:
                yield from self._packed(folder, path)
            except (FileNotFoundError, _Changed) as error:
                raise SourceUnavailable(f"{path} changed while it was copied. Run again later.") from error
            except OSError as error:
                raise ConfigurationError(
                    f"{path} cannot be read: {error.strerror}. Give this account the right."
                ) from error
        yield bytes(2 * _BLOCK)

    def _packed(self, folder: Path, path: Path) -> Iterator[bytes]:
        about = tarfile.TarInfo(path.relative_to(folder).as_posix())
        if path.is_dir():
            about.type, about.mode = tarfile.DIRTYPE, path.stat().st_mode & 0o7777
            yield about.tobuf(tarfile.PAX_FORMAT)
            return
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            about.size, about.mode, about.mtime = stat.st_size, stat.st_mode & 0o7777, int(stat.st_mtime)
            yield about.tobuf(tarfile.PAX_FORMAT)
            self._begin(about.name, about.size)
            left = about.size
            while left:
                chunk = file.read(min(left, CHUNK))
                if not chunk:
                    raise _Changed
                left -= len(chunk)
                self._digest.update(chunk)
                yield chunk
            yield bytes(-about.size % _BLOCK)

    def _begin(self, name: str, size: int) -> None:
        self._count += 1
        self._digest.update(f"{name}\0{size}\0".encode())


class _Changed(Exception):
    """A file became shorter."""


def tallied(folder: Path) -> Content:
    """What a folder holds."""
    tally = FolderTally()
    for _ in tally.packed(folder):
        pass
    return tally.content


def unpacked(chunks: Iterable[bytes], folder: Path, place: str) -> None:
    """Lay the files of an archive into a new folder. Raises DataError for one that is no archive of ours."""
    try:
        with written_safely(folder, "where it is to go"), tarfile.open(fileobj=Stream(chunks), mode="r|") as archive:
            folder.mkdir(parents=True)
            for member in archive:
                _lay(archive, member, folder)
    except tarfile.TarError as error:
        raise DataError(f"{place} is no archive of a folder: {error}. Use another backup.") from error


def _lay(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    # Done by hand, as Debian 12's tarfile knows no filters. Nothing leaves the folder, and nobody else may write.
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not (member.isreg() or member.isdir()):
        raise tarfile.ExtractError(f'"{member.name}" is neither a file nor a folder in it')
    target = folder / name
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    source = archive.extractfile(member)
    with target.open("wb") as file:
        while source and (chunk := source.read(CHUNK)):
            file.write(chunk)
    target.chmod(member.mode & 0o755 | 0o600)
    os.utime(target, (member.mtime, member.mtime))


def _walk(folder: Path) -> Iterator[Path]:
    """What lies below a folder, by name. A mounted volume has names that begin with two dots for its own use."""
    seen = set[tuple[int, int]]()
    for where, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        stat = Path(where).stat()
        if (stat.st_dev, stat.st_ino) in seen:
            folders.clear()
            continue
        seen.add((stat.st_dev, stat.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("..") and name != "lost+found")
        yield from (Path(where, name) for name in folders)
        yield from (
            path
            for name in sorted(files)
            if not name.startswith("..") and not name.endswith(_PASSING) and (path := Path(where, name)).is_file()
        )


def _refuse(error: OSError) -> None:
    raise ConfigurationError(
        f"{error.filename} cannot be read: {error.strerror}. Give this account the right."
    ) from error
