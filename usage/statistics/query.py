"""The one grouped query of every statistic of sessions, in words that DuckDB and MariaDB both take.

What it does with the shares that periods have in sessions, it does with those in other records.
"""

from collections.abc import Mapping

from usage import rules
from usage.statistics.formulas import Sums
from usage.statistics.periods import Unit

__all__ = ["OVERLAP", "SUMMED", "grouped", "query", "summed_by"]

_ACTIVE = f"s.state = {rules.ACTIVE}"
_AGGREGATED = (rules.ACTIVE, rules.INACTIVE, rules.SHELVED)

#: By day XDMoD leaves out sessions that end in a resize, by all longer units those that begin with one.
#: Source: num_sessions_ended in cloud_metrics_aggregation_by_day.json and in cloud_metrics_aggregation.json.
_ENDED_BUT = {"day": "end_event", "month": "start_event", "quarter": "start_event", "year": "start_event"}

#: The seconds that a period `p` has of what runs, `s`. What ends on a later day has the period's last second too, hence
#: the `+ 1`. Source: XDMoD's statistic_ratio_case.sql.
OVERLAP = """CASE WHEN s.end_second <= p.last_second THEN s.end_second - GREATEST(s.start_second, p.first_second)
         ELSE p.last_second - GREATEST(s.start_second, p.first_second) + 1 END"""

#: What is added up, by the name of its sum. Each term is a whole number, so that nothing is left of the rounding that
#: XDMoD does once for each group of all its dimensions: what it rounds off is what its own division left over.
#: Bytes are multiplied in later: a sum of them would not fit into the integers of either engine.
_TERMS = {
    "wall": "SUM(seconds)",
    "core": "SUM(seconds * cores)",
    "memory": "SUM(seconds * memory_mb)",
    "disk": "SUM(seconds * disk_gb)",
    "active_wall": f"SUM(CASE WHEN state = {rules.ACTIVE} THEN seconds ELSE 0 END)",
    "started": "SUM(started)",
    "ended": "SUM(ended)",
    "running": "SUM(running)",
}

#: The columns that follow period, dimension, label, resource, first and last period in each row of an answer.
SUMMED = tuple(name for name in Sums.__struct_fields__ if name in _TERMS)


def _shares(sessions: str, periods: str, unit: Unit) -> str:
    """Return the SQL of a row for each session and period that it touches.

    Source: the two aggregations named above. In the comment is what MariaDB does and DuckDB passes over: to go through
    the sessions once, and find the days of each by their ids, instead of the other way round.
    """
    return f"""
SELECT /*! STRAIGHT_JOIN */
    s.dimension_id, s.label, s.resource_id, s.state, s.cores, s.memory_mb, s.disk_gb, p.period_id,
    {OVERLAP} AS seconds,
    CASE WHEN {_ACTIVE} AND s.start_day BETWEEN p.first_day AND p.last_day AND s.start_event <> {rules.RESIZED}
         THEN 1 ELSE 0 END AS started,
    CASE WHEN {_ACTIVE} AND s.end_day BETWEEN p.first_day AND p.last_day
              AND s.{_ENDED_BUT[unit.name]} <> {rules.RESIZED}
         THEN 1 ELSE 0 END AS ended,
    CASE WHEN {_ACTIVE} AND NOT (s.start_day = p.first_day AND s.start_event = {rules.RESIZED})
         THEN 1 ELSE 0 END AS running
FROM ({sessions}) AS s
JOIN ({periods}) AS p ON s.start_day <= p.last_day AND s.end_day >= p.first_day
WHERE s.state IN {_AGGREGATED} AND s.cores <> 0
"""


def query(sessions: str, periods: str, unit: Unit, *, series: bool) -> str:
    """Return the SQL of what sessions add up to, by dimension and resource, and with `series` by period.

    `sessions` is the SQL of a row for each session: `dimension_id` and `label` (NULL where XDMoD has no name for what
    the dimension says), `resource_id`, `start_second`, `end_second` (since 1970, UTC), `start_day`, `end_day` (ids),
    `start_event`, `end_event`, `state`, `cores`, `memory_mb` (MiB), `disk_gb`. `periods` is that of a row for each
    period: `period_id` and the fields of Period.

    Rows are, in order of periods, period (NULL unless `series`), dimension, label, resource, the first and the last
    period in which there is any session, and SUMMED: seconds, core, MiB and GB seconds, active seconds, sessions. Over
    several periods a session counts as running in the first period with sessions, or when it starts later, as in
    XDMoD's aggregate_formula; what XDMoD has no name for has its place in time, but no row.
    """
    return summed_by(grouped(_shares(sessions, periods, unit), _TERMS), SUMMED, series=series)


def grouped(shares: str, terms: Mapping[str, str]) -> str:
    """Return the SQL of what the shares of each period add up to, by dimension and resource."""
    return f"""
SELECT period_id, dimension_id, label, resource_id, {", ".join(f"{term} AS {name}" for name, term in terms.items())}
FROM ({shares}) AS shares
GROUP BY period_id, dimension_id, label, resource_id
"""


def summed_by(facts: str, summed: tuple[str, ...], *, series: bool) -> str:
    """Return the SQL of rows as `query` describes them, of what `grouped` has returned the SQL of.

    A MIN over all rows would be plainer; MariaDB takes half a minute for it at 20,000 rows, and two minutes at twice
    as many.
    """
    placed = f"""
SELECT facts.*, FIRST_VALUE(period_id) OVER (ORDER BY period_id) AS first_period,
    FIRST_VALUE(period_id) OVER (ORDER BY period_id DESC) AS last_period
FROM ({facts}) AS facts
"""
    keys = "dimension_id, label, resource_id, first_period, last_period"
    if series:
        of_each = f"SELECT period_id, {keys}, {', '.join(summed)} FROM ({placed}) AS placed"
        return f"{of_each} WHERE label IS NOT NULL ORDER BY period_id"
    whole = {name: name for name in summed}
    if "running" in whole:
        whole["running"] = "CASE WHEN period_id = first_period THEN running ELSE started END"
    sums = ", ".join(f"SUM({expression}) AS {name}" for name, expression in whole.items())
    return f"SELECT NULL AS period_id, {keys}, {sums} FROM ({placed}) AS placed WHERE label IS NOT NULL GROUP BY {keys}"
