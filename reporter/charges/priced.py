"""The sessions of a period cut at the times of a rate card, and what each piece comes to: the table `charged`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import duckdb

from reporter.attribution import PIECES, Cut
from reporter.periods import Period
from reporter.restriction import Chosen
from reporter.sessions import CLIPPED, bounds, filled, inserted
from usage.rates import Card, Epochs, Size, Term

__all__ = ["FREE_STATE", "OUTAGE", "Tariff", "charged_query", "priced", "scoped", "told_scope"]

FREE_STATE, OUTAGE = "not charged", "outage"
STATES = ("active", "inactive", "shelved", "other")

_SIZES = f"""
CREATE OR REPLACE TABLE sizes AS
SELECT row_number() OVER (ORDER BY flavor, cores, memory_mb, disk_gb) - 1 AS size, * FROM (
    SELECT DISTINCT
        CASE WHEN cores IS NOT NULL THEN instance_type END AS flavor,
        cores,
        CASE WHEN cores IS NOT NULL THEN memory_mb END AS memory_mb,
        CASE WHEN cores IS NOT NULL THEN disk_gb END AS disk_gb
    FROM ({CLIPPED})
)
"""

#: What rounding adds to the seconds of what is rounded together, and that is added where it is charged last.
#: Source: the policies of usage.rates.bills that round time; the others round sums of units, or nothing.
_ADDED: Mapping[str, tuple[str, str]] = {
    "ceil_per_instance": ("instance", "(3600 - sum(until - since) OVER together % 3600) % 3600"),
    "min_1h_per_session": ("session", "greatest(3600 - sum(until - since) OVER together, 0)"),
}

_SUMMED = """
CREATE OR REPLACE TABLE summed AS
SELECT
    cut, project, domain, label, username, tariff,
    sum(until - since) AS seconds, sum(extra) AS extra, max(until) AS until
FROM charged GROUP BY ALL
"""


class Tariff(NamedTuple):
    """What a piece comes to; where it is not charged there is no term, and `free` says why."""

    term: Term | None
    free: str | None = None


class _Row(NamedTuple):
    size: int
    epoch: int
    state: str
    tariff: int
    counted: bool
    finding: str | None


def priced(cursor: duckdb.DuckDBPyConnection, period: Period, card: Card, resource: str) -> list[Tariff]:
    """Cut what `cut_up` told of the sessions at the times of a card, and return what its numbers `tariff` mean.

    Makes the table `charged` of stretches `[since, until)` that have a length, with what rounding adds to the seconds
    of each as `extra`; the table `summed` of their sums; and the table `sizes`.
    """
    cursor.execute(_SIZES, bounds(period))
    sizes = cursor.execute("SELECT size, flavor, cores, memory_mb, disk_gb FROM sizes ORDER BY size").fetchall()
    epochs, (first, limit) = Epochs(card), period.seconds
    within = [
        (one.number, max(first, one.since or first), min(limit, one.until or limit), one.outage) for one in epochs
    ]
    within = [one for one in within if one[1] < one[2]]
    known = {
        number: card.sized(Size(flavor, cores, memory, disk, places=(resource,)))
        for number, flavor, cores, memory, disk in sizes
    }
    tariffs, rows = dict[Tariff, int](), list[_Row]()
    for number, _, _, outage in within:
        for size, told in known.items():
            term = epochs.term(number, told)
            for state in STATES:
                one = _tariff(state, card, term, outage)
                counted = one.term is not None and one.term.count is not None
                place = tariffs.setdefault(one, len(tariffs))
                finding = one.term.finding if one.term is not None else None
                rows.append(_Row(size, number, state, place, counted, finding))
    _write(cursor, [one[:3] for one in within], rows)
    cursor.execute(charged_query(card), bounds(period))
    cursor.execute(_SUMMED)
    return list(tariffs)


def _tariff(state: str, card: Card, term: Term, outage: bool) -> Tariff:
    if state not in card.billable_states:
        return Tariff(None, FREE_STATE)
    return Tariff(None, OUTAGE) if outage else Tariff(term)


def _write(cursor: duckdb.DuckDBPyConnection, epochs: Sequence[Sequence[int]], rows: Sequence[_Row]) -> None:
    cursor.execute("CREATE OR REPLACE TABLE epochs (epoch BIGINT, since BIGINT, until BIGINT)")
    inserted(cursor, "epochs", epochs)
    cursor.execute(
        "CREATE OR REPLACE TABLE tariffs"
        " (size BIGINT, epoch BIGINT, state VARCHAR, tariff BIGINT, counted BOOLEAN, finding VARCHAR)"
    )
    inserted(cursor, "tariffs", rows)


def charged_query(card: Card) -> str:
    """Return the statement that makes the table `charged`; its parameters are those of `bounds`."""
    together, added = _ADDED.get(card.hours, ("", "0"))
    window = f"WINDOW together AS (PARTITION BY {together}, counted)" if together else ""
    last = f"row_number() OVER (PARTITION BY {together}, counted ORDER BY until DESC, since DESC) = 1"
    extra = f"CASE WHEN counted AND {last} THEN {added} ELSE 0 END" if together else "0"
    return f"""
CREATE OR REPLACE TABLE charged AS
WITH {PIECES},
priced AS (
    SELECT
        cut, project, domain, label, username, instance, session, pieces.state, size, tariff, counted, finding,
        greatest(pieces.since, epochs.since) AS since,
        least(pieces.until, epochs.until) AS until
    FROM pieces
        JOIN sizes ON sizes.flavor IS NOT DISTINCT FROM pieces.flavor
            AND sizes.cores IS NOT DISTINCT FROM pieces.cores
            AND sizes.memory_mb IS NOT DISTINCT FROM pieces.memory_mb
            AND sizes.disk_gb IS NOT DISTINCT FROM pieces.disk_gb
        JOIN epochs ON epochs.since < pieces.until AND epochs.until > pieces.since
        JOIN tariffs USING (size, epoch, state)
    WHERE pieces.seconds > 0
)
SELECT *, {extra} AS extra FROM priced {window}
"""


def scoped(cursor: duckdb.DuckDBPyConnection, cuts: Sequence[Cut], chosen: Chosen) -> tuple[str, dict[str, str | None]]:
    """Return the condition that a row is in what was chosen, with parameters.

    That is by its `cut`, `project`, `domain` and `username`.

    Makes the table `scope`.
    """
    cursor.execute("CREATE OR REPLACE TABLE scope (cut BIGINT)")
    inserted(cursor, "scope", [(number,) for number in _cuts_in(cuts, chosen)])
    conditions, values = _named(chosen)
    return " AND ".join(("cut IN (SELECT cut FROM scope)", *conditions)), values


def told_scope(cuts: Sequence[Cut], chosen: Chosen) -> str:
    """Return the same condition to be read, with all that it refers to; `true` where everything was chosen."""
    numbers = list(_cuts_in(cuts, chosen))
    conditions = [] if len(numbers) == len(cuts) else [f"cut IN ({', '.join(map(str, numbers))})"]
    named, values = _named(chosen)
    return filled(" AND ".join((*conditions, *named)) or "true", values)


def _named(chosen: Chosen) -> tuple[list[str], dict[str, str | None]]:
    asked = {"project": chosen.called, "domain": chosen.domain, "username": chosen.user}
    values = {column: name[0] for column, name in asked.items() if name is not None}
    return [f"{column} IS NOT DISTINCT FROM ${column}" for column in values], values


def _cuts_in(cuts: Sequence[Cut], chosen: Chosen) -> Iterator[int]:
    for number, cut in enumerate(cuts):
        of_key = chosen.key is None or chosen.key in cut.path
        of_pi = chosen.pis is None or cut.who in chosen.pis
        funded = chosen.institution is None or any(name == chosen.institution[0] for name, _ in cut.parts)
        if of_key and of_pi and funded:
            yield number
