"""What went wrong in a part of the way into XDMoD, kept so that the other parts still have their turn."""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from ledger import XdmodCloudError

__all__ = ["Trouble", "trouble"]


class Trouble(Struct, frozen=True):
    """Where it went wrong, what was wrong, and the exit code that it asks for."""

    where: str
    error: str
    exit_code: int

    @classmethod
    def of(cls, where: str, error: XdmodCloudError) -> "Trouble":
        """What an error says."""
        return cls(where, str(error), error.exit_code)


@contextmanager
def trouble(
    troubles: list[Trouble], where: str, *, through: type[XdmodCloudError] | tuple[type[XdmodCloudError], ...] = ()
) -> Iterator[None]:
    """Note what goes wrong in the block, and go on after it; errors `through` are raised all the same."""
    try:
        yield
    except through:
        raise
    except XdmodCloudError as error:
        troubles.append(Trouble.of(where, error))
