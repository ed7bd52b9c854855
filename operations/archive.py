"""Archive: what is older than a policy leaves the ledger."""

import re
from datetime import UTC, datetime

from ledger import ConfigurationError, Ledger
from ledger.archiving import Archived, archive_source
from operations.configuration import Configuration

__all__ = ["archive", "cut"]

_AGO = re.compile(r"([1-9]\d{0,3})(mo|y)")
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


def archive(
    ledger: Ledger, configuration: Configuration, older_than: str, now: datetime | None = None
) -> list[Archived]:
    """Archive the records of servers and pods that were gone in whole months before a policy says, of every cloud.

    Raises ConfigurationError for a policy that is none, and what archiving raises; months that were done stay done.
    """
    before = cut(older_than, now or datetime.now(UTC))
    return [
        one
        for cloud in configuration.clouds
        if cloud.name in ledger.sources()
        for one in archive_source(ledger, cloud.name, configuration.ledger_archive, before)
    ]


def cut(older_than: str, now: datetime) -> datetime:
    """The start (UTC) of the first month that stays: so many months or years before the present one, or one named."""
    if found := _AGO.fullmatch(older_than):
        months = now.year * 12 + now.month - 1 - int(found[1]) * (12 if found[2] == "y" else 1)
        if months > 12:
            return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)
    elif found := _MONTH.fullmatch(older_than):
        before = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC) if int(found[1]) else now
        if before <= datetime(now.year, now.month, 1, tzinfo=UTC):
            return before
    raise ConfigurationError(f'"{older_than}" is no age, or not over yet. Write 24mo, 2y or a past month as 2024-11.')
