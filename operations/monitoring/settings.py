"""What has to be told of metrics."""

from pathlib import Path

from msgspec import Struct

__all__ = ["MetricsSettings"]


class MetricsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where metrics go: the file of a textfile collector, the URL of a Pushgateway, both or neither."""

    textfile: Path | None = None
    pushgateway: str | None = None
