"""What storage is in use: the averages of what was seen in a period, added up over what was seen."""

from usage.statistics.formulas import Usage
from usage.statistics.periods import Unit
from usage.statistics.query import grouped, summed_by

__all__ = ["SUMMED", "query"]

#: The sums in each row of an answer.
SUMMED = Usage.__struct_fields__
_MEASURED = SUMMED[:-1]


def query(facts: str, periods: str, _: Unit, *, series: bool) -> str:
    """Return the SQL of the averages of storage, in rows like those of sessions, whatever the resource.

    `facts` is the SQL of a row for each fact: `dimension_id`, `label`, `second` (since 1970, UTC), `day` (its id),
    `whose` (what a fact is of: two of one thing differ in their second alone), `files`, `logical`, `physical`, `soft`
    and `hard`.

    XDMoD averages over what was seen of one thing in the period, not over the period, and stores the average whole;
    what is not seen for a part of the period counts no less. Source: its storagefact.aggregation.json. Only facts of
    the periods are read, and days are placed in periods once for all the facts of a day, for that takes longest.
    """
    within = f"""
    second >= (SELECT MIN(first_second) FROM ({periods}) AS there)
    AND second <= (SELECT MAX(last_second) FROM ({periods}) AS there)
"""
    placed = f"""
SELECT /*! STRAIGHT_JOIN */ DISTINCT seen.day, p.period_id
FROM (SELECT DISTINCT day FROM ({facts}) AS every WHERE {within}) AS seen
JOIN ({periods}) AS p ON seen.day BETWEEN p.first_day AND p.last_day
"""
    averages = f"""
SELECT /*! STRAIGHT_JOIN */ d.period_id, s.dimension_id, s.label, 0 AS resource_id,
    {", ".join(f"ROUND(AVG(s.{name})) AS {name}" for name in _MEASURED)}
FROM ({facts}) AS s
JOIN ({placed}) AS d ON d.day = s.day
WHERE {within}
GROUP BY d.period_id, s.dimension_id, s.label, s.whose
"""
    terms = {name: f"SUM({name})" for name in _MEASURED} | {"periods": "1"}
    return summed_by(grouped(averages, terms), SUMMED, series=series)
