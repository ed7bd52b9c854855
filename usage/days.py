"""The table `sessions` into days: what XDMoD adds up for each day, flavor and state."""

from usage import rules

__all__ = ["DAYS"]

#: A session that ends on a later day has the last second of this one too, hence the `+ 1`. XDMoD rounds each sum once,
#: per day and group of all its dimensions; each term is a whole number, so that nothing is left to round.
DAYS = f"""
WITH counted AS (
    SELECT *, unnest(generate_series(
        to_timestamp(start_time_ts)::DATE::TIMESTAMP, to_timestamp(end_time_ts)::DATE::TIMESTAMP, INTERVAL 1 DAY
    )) AS day
    FROM sessions
    WHERE instance_state_id <> {rules.UNKNOWN_STATE} AND num_cores > 0
),
shares AS (
    SELECT *,
        year(day) * 100000 + dayofyear(day) AS day_id,
        start_day_id = day_id AS starts_here,
        instance_state_id = {rules.ACTIVE} AS is_active,
        epoch(day)::BIGINT AS first_second,
        first_second + 86399 AS last_second,
        CASE WHEN end_time_ts <= last_second THEN end_time_ts - greatest(start_time_ts, first_second)
             ELSE last_second - greatest(start_time_ts, first_second) + 1 END AS share
    FROM counted
)
SELECT
    day_id,
    instance_type,
    instance_state_id,
    count(*) FILTER (is_active AND starts_here AND start_event_type_id <> {rules.RESIZED}) AS started,
    count(*) FILTER (is_active AND end_day_id = day_id AND end_event_type_id <> {rules.RESIZED}) AS ended,
    count(*) FILTER (is_active AND NOT (starts_here AND start_event_type_id = {rules.RESIZED})) AS running,
    sum(share) AS wall_s,
    sum(share * num_cores) AS core_s,
    sum(share::HUGEINT * memory_mb * 1048576) AS mem_s,
    sum(share::HUGEINT * disk_gb * 1073741824) AS rv_s
FROM shares
GROUP BY day_id, instance_type, instance_state_id
ORDER BY day_id, instance_type, instance_state_id
"""
