"""Backups in a bucket of S3, or of another server that speaks as S3 does."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BufferedReader
from typing import Any

from ledger import ConfigurationError, DataError, SourceUnavailable, XdmodCloudError
from operations.backup.manifest import MANIFEST
from operations.backup.pipes import CHUNK, Stream
from operations.backup.stores import NAME, Draft, Stored

__all__ = ["S3Store"]

_ABSENT = {"NoSuchKey", "404", "NoSuchBucket"}
_DENIED = {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "NoSuchBucket"}
#: Files of a backup without manifest are deleted when no process can still be at it.
_ABANDONED_SECONDS = 3 * 86_400
#: So large may each of the 10,000 pieces of an object be, that one of 1.2 TB fits.
_PIECE = 128 << 20


class S3Store:
    """The backups below a prefix of a bucket. The account is that of the AWS environment, file or pod."""

    def __init__(self, url: str, endpoint: str | None) -> None:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        if not bucket:
            raise ConfigurationError(f"{url} names no bucket. Write s3://BUCKET/PREFIX")
        self._bucket, self._prefix, self.place = bucket, prefix.strip("/"), url.rstrip("/")
        self._client = _client(endpoint)

    def names(self) -> list[str]:
        """The backups that are there and whole, the oldest first."""
        return sorted(name for name, files in self._listed().items() if MANIFEST in files)

    @contextmanager
    def draft(self, name: str) -> Iterator[Draft]:
        """Write its files; the manifest is the last one, and before it is there, nothing is."""
        try:
            yield _S3Draft(self, name)
        except BaseException:
            with _explained(self.place):
                self._delete(name, self._listed().get(name, {}))
            raise

    def put(self, name: str, file: str, chunks: Iterable[bytes]) -> Stored:
        """Write one object, in pieces where it is large."""
        from boto3.s3.transfer import TransferConfig

        size, digest = 0, sha256()

        def counted() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                size += len(chunk)
                digest.update(chunk)
                yield chunk

        config = TransferConfig(multipart_threshold=_PIECE, multipart_chunksize=_PIECE, use_threads=False)
        key, stream = self._key(name, file), BufferedReader(Stream(counted()), CHUNK)
        with _explained(f"{self.place}/{name}/{file}"):
            self._client.upload_fileobj(stream, self._bucket, key, Config=config)
        return Stored(size, digest.hexdigest())

    def fetch(self, name: str, file: str) -> Iterator[bytes]:
        """The bytes of one of a backup's files. Raises DataError where it is missing."""
        with _explained(f"{self.place}/{name}/{file}"):
            body = self._client.get_object(Bucket=self._bucket, Key=self._key(name, file))["Body"]
            yield from body.iter_chunks(CHUNK)

    def note(self, name: str, file: str, body: bytes) -> None:
        """Write a file beside those of a backup."""
        self.put(name, file, [body])

    def remove(self, name: str) -> None:
        """Delete a backup, its manifest first."""
        with _explained(f"{self.place}/{name}"):
            self._delete(name, self._listed().get(name, {}))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Delete what was left by processes that died. A bucket knows no locks: names tell backups apart."""
        for name, files in self._listed().items():
            if MANIFEST not in files and max(files.values()) < time.time() - _ABANDONED_SECONDS:
                self._delete(name, files)
        yield

    def _listed(self) -> dict[str, dict[str, float]]:
        """The files of each backup, and when (seconds since 1970) each was written."""
        found = dict[str, dict[str, float]]()
        base = f"{self._prefix}/" if self._prefix else ""
        with _explained(self.place):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=base):
                for item in page.get("Contents", ()):
                    name, _, file = item["Key"].removeprefix(base).partition("/")
                    if NAME.fullmatch(name) and file and "/" not in file:
                        found.setdefault(name, {})[file] = item["LastModified"].timestamp()
        return found

    def _delete(self, name: str, files: Iterable[str]) -> None:
        for file in sorted(files, key=lambda file: file != MANIFEST):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name, file))

    def _key(self, name: str, file: str) -> str:
        return "/".join(part for part in (self._prefix, name, file) if part)


class _S3Draft:
    def __init__(self, store: S3Store, name: str) -> None:
        self._store, self._name = store, name

    def put(self, file: str, chunks: Iterable[bytes]) -> Stored:
        """Write one of its files."""
        return self._store.put(self._name, file, chunks)


def _client(endpoint: str | None) -> Any:
    # It is large, and only those need it who keep backups there.
    try:
        import boto3
    except ImportError as error:
        raise ConfigurationError("Backups in S3 need boto3. Install it with: pip install xdmod-cloud[s3]") from error
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.client("s3", endpoint_url=endpoint)
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(
            f"S3 cannot be used: {error}. Correct [backup] s3_endpoint or the AWS settings."
        ) from error


@contextmanager
def _explained(place: str) -> Iterator[None]:
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError as error:
        raise ConfigurationError("There is no account for S3. Set it as AWS's own programs expect it.") from error
    except ClientError as error:
        raise _error(place, str(error.response.get("Error", {}).get("Code", "")), str(error)) from error
    except (BotoCoreError, S3UploadFailedError) as error:
        denied = next((code for code in _DENIED if code in str(error)), "")
        raise _error(place, denied, str(error)) from error


def _error(place: str, code: str, said: str) -> XdmodCloudError:
    if code in _DENIED:
        return ConfigurationError(f"{place} cannot be used: {said}. Correct [backup] output or the account's rights.")
    if code in _ABSENT:
        return DataError(f"{place} is missing: the backup is not whole. Use another one.")
    return SourceUnavailable(f"{place} could not be used just now: {said}. Run again later.")
