"""What jobs add up to: as with sessions, but every job counts, and its wall time is what its scheduler said."""

from usage.statistics.periods import Unit
from usage.statistics.query import OVERLAP, grouped, summed_by

__all__ = ["SUMMED", "query"]

#: What is added up, by the name of its sum. Where a scheduler's wall time is not end minus start, a share of it may be
#: no whole number; XDMoD rounds once for each group of all its dimensions, and nothing is rounded here.
_TERMS = {
    "wall": "SUM(seconds)",
    "core": "SUM(cores * seconds)",
    "started": "SUM(started)",
    "ended": "SUM(ended)",
    "running": "SUM(1)",
    "gpu": "SUM(gpus * seconds)",
}

#: The sums in each row of an answer.
SUMMED = tuple(_TERMS)


def query(jobs: str, periods: str, _: Unit, *, series: bool) -> str:
    """Return the SQL of what jobs add up to, in rows like those of sessions.

    `jobs` is the SQL of a row for each job, with `dimension_id`, `label`, `resource_id`, `start_second`, `end_second`,
    `start_day`, `end_day` as of a session, `wall` (seconds), `cores` and `gpus`.

    Source: XDMoD's hpc-aggregation.json and its statistic_ratio_case.sql. Only jobs within reach of the periods are
    read, for there may be millions of others; MariaDB is told to begin with them, and to find the days of each.
    """
    shares = f"""
SELECT /*! STRAIGHT_JOIN */
    s.dimension_id, s.label, s.resource_id, s.cores, s.gpus, p.period_id,
    CASE WHEN s.start_second >= p.first_second AND s.end_second <= p.last_second THEN s.wall
         ELSE s.wall * ({OVERLAP}) / (s.end_second - s.start_second) END AS seconds,
    CASE WHEN s.start_day BETWEEN p.first_day AND p.last_day THEN 1 ELSE 0 END AS started,
    CASE WHEN s.end_day BETWEEN p.first_day AND p.last_day THEN 1 ELSE 0 END AS ended
FROM ({jobs}) AS s
JOIN ({periods}) AS p ON s.start_day <= p.last_day AND s.end_day >= p.first_day
WHERE s.end_day >= (SELECT MIN(first_day) FROM ({periods}) AS there)
  AND s.start_day <= (SELECT MAX(last_day) FROM ({periods}) AS there)
"""
    return summed_by(grouped(shares, _TERMS), SUMMED, series=series)
