"""Lists as ColdFront answers them: read at once, and row by row only where one cannot be read."""

from typing import Annotated, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from collectors.http import Service
from ledger import Rejected

__all__ = ["Id", "Rows", "Scalar", "Table", "text"]

T = TypeVar("T")

#: By what ColdFront knows its things.
Id = Annotated[int, Meta(ge=0)] | Annotated[str, Meta(min_length=1)]
#: The value of an attribute.
Scalar = str | int | float | bool | None


class Rows(NamedTuple, Generic[T]):
    """The rows of one list, and those that are none of its kind."""

    read: list[T]
    rejected: list[Rejected]


class Table(Generic[T]):
    """A kind of list: what messages call a row of it, and how one row and the whole are read."""

    def __init__(self, what: str, row: msgspec.json.Decoder[T], whole: msgspec.json.Decoder[list[T]]) -> None:
        self._what, self._row, self._whole = what, row, whole

    def rows(self, service: Service, path: str, body: bytes) -> Rows[T]:
        """Read an answer of the service. Raises SourceUnavailable where it is no list."""
        try:
            return Rows(self._whole.decode(body), [])
        except (msgspec.DecodeError, UnicodeDecodeError):
            told = Rows[T]([], [])
        for raw in service.read(path, body, list[Raw]):
            try:
                told.read.append(self._row.decode(raw))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                reason = f"{self._what} {_id(raw) or 'without an id'} of {service.name} cannot be used: {error}"
                told.rejected.append(Rejected(reason, bytes(raw).decode(errors="replace")))
        return told


class _Identified(Struct):
    id: Id | None = None


def _id(raw: Raw) -> str:
    try:
        found = msgspec.json.decode(raw, type=_Identified).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return "" if found is None else str(found)


def text(value: Scalar) -> str | None:
    """A value as text without blanks at its ends; none for one that says nothing."""
    return (str(value).strip() or None) if value is not None else None
