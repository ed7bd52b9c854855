"""The table `events` into the table `sessions`: XDMoD's state machine, in SQL."""

from collections.abc import Sequence
from datetime import date

import duckdb

from usage import rules

__all__ = ["rebuild"]

_MACROS = """
CREATE OR REPLACE MACRO seconds(instant) AS epoch_us(instant) // 1000000;
CREATE OR REPLACE MACRO day_id(instant) AS year(instant) * 100000 + dayofyear(instant);
"""

#: Between two events of an instance that are no heartbeats, only the first and the last heartbeat can matter. Which
#: those are is found by counting, week by week and without sorting, so that little is left to sort however many days
#: there are. Each step is a table of its own: the engine joins well only what it knows the size of.
_TELLING = f"""
CREATE OR REPLACE VIEW placed AS
SELECT *, date_trunc('week', instant) AS week, epoch_us(instant) * 100 - type AS place
FROM events WHERE type IS NOT NULL AND instance IS NOT NULL;

CREATE OR REPLACE TABLE turns AS
SELECT instance, week, list(place) AS places FROM placed WHERE type <> {rules.HEARTBEAT} GROUP BY instance, week;

CREATE OR REPLACE TABLE ends AS
WITH stretches AS (
    SELECT instance, min(instant) AS first, max(instant) AS last
    FROM placed LEFT JOIN turns USING (instance, week)
    WHERE type = {rules.HEARTBEAT}
    GROUP BY instance, week, len(list_filter(places, lambda turn: turn < place))
)
SELECT instance, first AS instant FROM stretches UNION SELECT instance, last FROM stretches;

CREATE OR REPLACE TABLE telling AS
WITH kept AS (
    SELECT * FROM placed WHERE type <> {rules.HEARTBEAT}
    UNION ALL
    SELECT * FROM placed SEMI JOIN ends USING (instance, instant) WHERE type = {rules.HEARTBEAT}
)
SELECT * EXCLUDE (week, place) FROM kept
QUALIFY row_number() OVER (PARTITION BY instance, instant, type, host ORDER BY file DESC) = 1;
"""

#: At equal time the higher id comes first. The file and the host only make the order certain.
_SPANS = f"""
CREATE OR REPLACE TABLE spans AS
WITH ordered AS (
    SELECT *,
        lag(type) OVER history AS before,
        last_value(instant) OVER whole AS last_at,
        row_number() OVER history AS place,
        count(*) OVER whole AS places
    FROM telling
    WINDOW history AS (PARTITION BY instance ORDER BY instant, type DESC, file, coalesce(host, '')),
        whole AS (history ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
),
turns AS (
    SELECT *, lead(instant) OVER later AS next_at, lead(type) OVER later AS next_type
    FROM ordered
    WHERE type <> {rules.HEARTBEAT} OR before IS NULL OR before IN {(*rules.CLOSED_BY_HEARTBEAT, rules.TERMINATED)}
    WINDOW later AS (PARTITION BY instance ORDER BY place)
)
SELECT * EXCLUDE (before, last_at, places, next_at, next_type),
    coalesce(next_at, last_at) AS until,
    CASE WHEN next_at IS NOT NULL THEN next_type
         WHEN place = places THEN {rules.STOPPED}
         ELSE {rules.HEARTBEAT} END AS end_type
FROM turns WHERE type <> {rules.TERMINATED};
"""

#: Of two definitions of one flavor at one instant, one hides the other; XDMoD leaves open which, here the larger
#: stays. Of two sessions that differ in less than a second, the later one stays.
_SIZED = """
CREATE OR REPLACE TABLE sized AS
WITH named AS (
    SELECT * FROM spans
    WHERE flavor NOT IN ('""', '"Unknown"') AND cores IS NOT NULL AND memory_mb IS NOT NULL
        AND instant > TIMESTAMP 'epoch' AND instant < $today::DATE + INTERVAL 1 DAY
),
redefined AS (
    SELECT flavor FROM events GROUP BY flavor HAVING min(cores) <> max(cores) OR min(memory_mb) <> max(memory_mb)
),
largest AS (
    SELECT flavor, instant, max((cores, memory_mb)) AS size
    FROM events SEMI JOIN redefined USING (flavor) SEMI JOIN named USING (flavor, instant)
    WHERE cores IS NOT NULL AND memory_mb IS NOT NULL
    GROUP BY flavor, instant
)
SELECT named.* FROM named LEFT JOIN largest USING (flavor, instant)
WHERE largest.size IS NULL OR largest.size = (cores, memory_mb)
QUALIFY row_number() OVER (PARTITION BY instance, seconds(instant), type ORDER BY place DESC) = 1;
"""


def _bucket(value: str, buckets: Sequence[rules.Bucket]) -> str:
    whens = " ".join(f"WHEN {value} >= {bucket.least} THEN {bucket.id}" for bucket in reversed(buckets))
    return f"CASE {whens} ELSE 0 END"


#: A project is told by its id and called what it was first called; an instance is of its earliest event's project.
_SESSIONS = f"""
CREATE OR REPLACE TABLE sessions AS
WITH states (type, state) AS (VALUES {", ".join(f"({event.id}, {event.state})" for event in rules.EVENT_TYPES)}),
seen AS (
    SELECT text(project_id, 64) AS project_id, text(project_name, 256) AS project, min(instant) AS since
    FROM events WHERE project_id IS NOT NULL AND project_name IS NOT NULL GROUP BY events.project_id, project_name
),
named AS (SELECT project_id, first(project ORDER BY since, project) AS project FROM seen GROUP BY project_id),
starts AS (SELECT instance, min(instant) AS instant FROM events WHERE instance IS NOT NULL GROUP BY instance),
owned AS (
    SELECT instance, first(text(project_id, 64) ORDER BY file, type NULLS LAST, host) AS project_id
    FROM events SEMI JOIN starts USING (instance, instant) GROUP BY instance
),
-- A resize has the state of the latest session that was over when it came, itself no resize.
resized AS (
    SELECT resize.instance, resize.instant, resize.type,
        arg_max(state, (
            seconds(earlier.instant), seconds(earlier.until), earlier.place < resize.place, earlier.place
        )) AS state
    FROM sized AS resize JOIN sized AS earlier ON earlier.instance = resize.instance
        AND seconds(earlier.instant) <= seconds(resize.instant) AND seconds(earlier.until) <= seconds(resize.instant)
    JOIN states ON states.type = earlier.type
    WHERE resize.type = {rules.RESIZED} AND earlier.type <> {rules.RESIZED}
    GROUP BY ALL
)
SELECT
    instance,
    seconds(instant) AS start_time_ts,
    seconds(until) AS end_time_ts,
    type::INTEGER AS start_event_type_id,
    end_type::INTEGER AS end_event_type_id,
    seconds(until) - seconds(instant) AS wallduration,
    text(flavor, 64) AS instance_type,
    cores AS num_cores,
    memory_mb,
    disk_gb,
    {_bucket("cores", rules.PROCESSOR_BUCKETS)} AS processorbucket_id,
    {_bucket("memory_mb", rules.MEMORY_BUCKETS)} AS memorybucket_id,
    day_id(instant) AS start_day_id,
    day_id(until) AS end_day_id,
    coalesce(resized.state, states.state) AS instance_state_id,
    text(host, 64) AS host,
    project,
    text(user_name, 255) AS username,
    text(domain, 64) AS domain
FROM sized
    JOIN states USING (type)
    LEFT JOIN resized USING (instance, instant, type)
    LEFT JOIN owned USING (instance)
    LEFT JOIN named ON named.project_id = owned.project_id;
"""


def rebuild(connection: duckdb.DuckDBPyConnection, today: date) -> int:
    """Make the table `sessions` of the view `events` and return how many there are.

    `today` is the day, in UTC, on which XDMoD would ingest: it drops what starts after it.
    """
    for step in (_MACROS, _TELLING, _SPANS):
        connection.execute(step)
    connection.execute(_SIZED, {"today": today.isoformat()})
    connection.execute(_SESSIONS)
    connection.execute(
        "DROP VIEW placed; DROP TABLE turns; DROP TABLE ends; DROP TABLE telling; DROP TABLE spans; DROP TABLE sized"
    )
    ((count,),) = connection.execute("SELECT count(*) FROM sessions").fetchall()
    return int(count)
