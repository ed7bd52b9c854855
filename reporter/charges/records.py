"""What usage costs, as typed records: reckoned exactly, and rounded here so that parts add up."""

from decimal import Decimal

from msgspec import Struct

__all__ = ["ChargeLine", "ChargePart", "Charges", "InstitutionCharge", "Unpriced"]


class ChargeLine(Struct, frozen=True):
    """What a project comes to for one unit at one price, of all institutions together.

    `seconds` are those that are charged, `units` the unit hours after rounding as the card says. Where there is no
    price, `finding` says why; None is unknown. Amounts have two places, and the costs of a project's lines add up to
    what it costs as a whole.
    """

    project: str | None
    unit: str | None
    price: Decimal | None
    finding: str | None
    seconds: int
    units: Decimal | None
    cost: Decimal | None


class ChargePart(Struct, frozen=True):
    """What one institution has of a line by its share, while the project was one PI's; parts add up to the line.

    The share is None where none are stated.
    """

    institution: str | None
    pi: str | None
    project: str | None
    share: str | None
    unit: str | None
    price: Decimal | None
    finding: str | None
    seconds: int
    units: Decimal | None
    cost: Decimal | None


class InstitutionCharge(Struct, frozen=True):
    """What one institution comes to for one unit: the sum of its parts that have a price; none: no cost."""

    institution: str | None
    unit: str | None
    units: Decimal | None
    cost: Decimal | None


class Unpriced(Struct, frozen=True):
    """How long what is charged has no price for one reason, and on how many servers."""

    finding: str
    seconds: int
    servers: int


class Charges(Struct, frozen=True):
    """What the usage of a period costs by one rate card.

    `rates` is the card's file and `digest` its SHA-256 in hexadecimal. `states` are those that are charged, `rounding`
    is the card's rule for hours. `total` is of unrounded amounts, so that the costs of projects, or of institutions,
    may differ from it in the last place; so are the unit hours of `units`, by unit. Where a project is there in part
    only, as of one institution, PI or user, they are the sums of the parts. `institutions` are there where it is known
    who owns the projects.
    """

    currency: str
    rates: str
    digest: str
    states: tuple[str, ...]
    rounding: str
    total: Decimal
    units: tuple[tuple[str, Decimal], ...]
    lines: tuple[ChargeLine, ...]
    parts: tuple[ChargePart, ...]
    institutions: tuple[InstitutionCharge, ...]
    findings: tuple[Unpriced, ...]
