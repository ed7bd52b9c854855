"""Verify: whether the reports of a period agree with themselves, and with all that they are made of."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import jsonschema_rs
import msgspec
from msgspec import Struct

import schemas
from collectors.openstack import OpenStackSource
from ledger import DataError, Ledger
from operations.verification.checks import CHECKS, Checked, Limits, opened
from reporter import Period

__all__ = ["VerifiedReports", "as_document", "verify_reports"]

_SCHEMA = "verify-reports"


class VerifiedReports(Struct, frozen=True):
    """What the checks say of one cloud and the period `[start, end)` (UTC), by their numbers."""

    source: str
    period: str
    start: datetime
    end: datetime
    checks: dict[str, Checked]

    @property
    def errors(self) -> int:
        """How many errors there are in all."""
        return sum(one.errors for one in self.checks.values())


def verify_reports(
    ledger: Ledger,
    settings: OpenStackSource,
    period: Period,
    folders: Sequence[Path] = (),
    limits: Limits | None = None,
    now: datetime | None = None,
) -> VerifiedReports:
    """Check the reports of one cloud and period. `folders` hold its event files; `now` is the time (UTC), if another.

    Raises DataError for a cloud or a period of which nothing is known.
    """
    with opened(ledger, settings, period, folders, limits, now) as books:
        found = {number: check(books) for number, check in CHECKS.items()}
    return VerifiedReports(settings.name, period.name, period.start, period.end, found)


def as_document(verified: Sequence[VerifiedReports]) -> object:
    """What was found as JSON's own types, as the schema has it. Raises DataError for what it forbids."""
    document = msgspec.to_builtins(verified)
    try:
        schemas.validator(_SCHEMA).validate(document)
    except jsonschema_rs.ValidationError as error:
        raise DataError(f"What the checks found is not as {_SCHEMA}.schema.json has it: {error.message}") from error
    return document
