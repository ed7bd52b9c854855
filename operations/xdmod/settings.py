"""What has to be told of the XDMoD on this host."""

from pathlib import Path

from msgspec import Struct

__all__ = ["XdmodSettings"]


class XdmodSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where XDMoD is.

    `bin` is the folder of its commands, which are looked for in PATH otherwise; `configuration` that of resources.json.
    Files that it has read go into `archive`. `url`, or the file `url_file`, tells of its database, which is only read.
    A command of it that is not done after `time_limit_hours` is stopped.
    """

    archive: Path
    bin: Path | None = None
    configuration: Path = Path("/etc/xdmod")
    url: str | None = None
    url_file: Path | None = None
    time_limit_hours: float = 12
