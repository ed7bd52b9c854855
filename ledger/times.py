"""UTC, in and out: every time in memory is timezone-aware, every time in a table counts microseconds since 1970."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, DateTime, Dialect
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["EPOCH", "UtcDateTime", "UtcTime", "from_microseconds", "iso_seconds", "microseconds"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(time: datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    return (time - EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """Return the UTC time of so many microseconds since 1970."""
    return EPOCH + timedelta(microseconds=value)


def iso_seconds(time: datetime) -> str:
    """Return `2026-10-01T08:00:00Z`, as OpenStack takes it; fractions are cut."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time, kept as an integer so that SQLite and MariaDB order and compare it alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else from_microseconds(value)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time in a column of dates, exact to the microsecond, where other programs read the table."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        return dialect.type_descriptor(DATETIME(fsp=6) if dialect.name in ("mysql", "mariadb") else DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=UTC)
