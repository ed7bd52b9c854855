"""What XDMoD has yet to do, kept on disk: whoever comes after a crash does no less than was begun."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import jsonschema_rs
import msgspec
from msgspec import Struct

import schemas
from ledger import ConfigurationError
from ledger.files import put_whole, written_safely

__all__ = ["Pending", "Todo"]

#: Clocks of two machines differ. Whatever is aggregated once more stays the same.
_MARGIN = timedelta(minutes=1)


class Todo(Struct, frozen=True):
    """What is left: realms to aggregate, with a time before their ingest; a first day to ingest again from; acl-config.

    The times are those of XDMoD's host or UTC, whichever is earlier, as nothing tells the time zone of its database.
    """

    aggregate: dict[str, str] = {}
    again_from: date | None = None
    acl: bool = False


class Pending:
    """The list of one outbox. One process at a time may write it."""

    def __init__(self, outbox: Path) -> None:
        self._path = outbox / ".pending.json"
        self.todo = self._read()

    def ingested(self, realms: Iterable[str]) -> None:
        """Note that realms are about to be ingested, so that what is now modified will be aggregated."""
        now = datetime.now(UTC)
        earlier = min(now.replace(tzinfo=None), now.astimezone().replace(tzinfo=None)) - _MARGIN
        since = dict.fromkeys(realms, f"{earlier:%Y-%m-%d %H:%M:%S}")
        self._write(aggregate={**since, **self.todo.aggregate})

    def aggregated(self, realm: str) -> None:
        """Note that a realm is aggregated."""
        self._write(aggregate={name: since for name, since in self.todo.aggregate.items() if name != realm})

    def again(self, day: date) -> None:
        """Note that everything is to be ingested again from a day on, unless it is already, from an earlier one on."""
        self._write(again_from=min(day, self.todo.again_from or day))

    def done_again(self, up_to: date | None) -> None:
        """Note up to which day, excluded, that is done; none where there is nothing left."""
        self._write(again_from=up_to)

    def acl(self, *, wanted: bool) -> None:
        """Note whether acl-config has to be run."""
        self._write(acl=wanted)

    def _write(self, **changed: object) -> None:
        todo = msgspec.structs.replace(self.todo, **changed)
        if todo == self.todo:
            return
        document = msgspec.to_builtins(todo)
        schemas.validator("xdmod-pending").validate(document)
        with written_safely(self._path):
            if todo == Todo():
                self._path.unlink(missing_ok=True)
            else:
                put_whole(self._path, [msgspec.json.encode(document) + b"\n"])
        self.todo = todo

    def _read(self) -> Todo:
        try:
            body = self._path.read_bytes()
            schemas.validator("xdmod-pending").validate(msgspec.json.decode(body))
            return msgspec.json.decode(body, type=Todo)
        except FileNotFoundError:
            return Todo()
        except (OSError, msgspec.MsgspecError, jsonschema_rs.ValidationError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{self._path} cannot be read ({str(error).splitlines()[0]}). Delete it, then have XDMoD ingest once"
                " more: xdmod-cloud ingest --from DAY"
            ) from error
