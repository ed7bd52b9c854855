"""Every job of a period as CSV, from those that an XDMoD's shredder has taken in."""

from collections.abc import Iterator, Sequence

from reporter import listing
from reporter.listing import Form, lines
from reporter.periods import Period
from reporter.quantities import touching
from reporter.sessions import queried
from reporter.xdmod.reading import read_texts
from reporter.xdmod.warehouse import Warehouse
from usage import Engine

__all__ = ["heading", "job_lines", "job_names", "job_resources"]

_FORM = Form(
    "job-list-csv",
    texts={
        "resource": "resource",
        "user": "username",
        "person": "person",
        "pi": "pi",
        "project": "project",
        "name": "name",
        "queue": "queue",
        "state": "state",
    },
    numbers={
        "id": "id",
        "job": "CASE WHEN array_index < 0 THEN CAST(job AS VARCHAR) ELSE concat(job, '_', array_index) END",
        "seconds": "end_time - start_time",
        "seconds_in_period": "seconds",
        "nodes": "nodes",
        "cores": "cores",
        "gpus": "gpus",
        "core_seconds_in_period": "seconds * cores",
        "gpu_seconds_in_period": "seconds * gpus",
    },
    times={"submitted": "submitted", "start": "start_time", "end": "end_time"},
)

#: Texts stand first; a job of an array has its index, another one -1.
_COLUMNS = {
    **{
        "resource": "r.resource_code",
        "username": "j.username",
        "person": "CONCAT_WS(', ', p.last_name, NULLIF(p.first_name, ''))",
        "pi": "CONCAT_WS(', ', o.last_name, NULLIF(o.first_name, ''))",
        "project": "a.account_name",
        "name": "j.jobname",
        "queue": "j.queue",
        "state": "j.exit_state",
    },
    **{
        "id": "j.job_id",
        "job": "j.local_jobid",
        "array_index": "j.local_job_array_index",
        "submitted": "j.submit_time",
        "start_time": "j.start_time",
        "end_time": "j.end_time",
        "nodes": "j.nodecount",
        "cores": "COALESCE(j.processors, '')",
        "gpus": "j.gpucount",
    },
}
_TEXTS = 8

#: A project has its first PI, where XDMoD has several. Source: XDMoD's tables of requests and their investigators.
_JOBS = """
FROM mod_hpcdb.hpcdb_jobs AS j
JOIN mod_hpcdb.hpcdb_resources AS r ON r.resource_id = j.resource_id
LEFT JOIN mod_hpcdb.hpcdb_accounts AS a ON a.account_id = j.account_id
LEFT JOIN mod_hpcdb.hpcdb_people AS p ON p.person_id = j.person_id
LEFT JOIN (
    SELECT q.account_id, MIN(i.person_id) AS person_id
    FROM mod_hpcdb.hpcdb_requests AS q
    JOIN mod_hpcdb.hpcdb_principal_investigators AS i ON i.request_id = q.request_id
    GROUP BY q.account_id
) AS led ON led.account_id = j.account_id
LEFT JOIN mod_hpcdb.hpcdb_people AS o ON o.person_id = led.person_id
"""

_LISTED = """
SELECT jobs.*, least(end_time, $limit) - greatest(start_time, $first) AS seconds FROM jobs
WHERE ($project IS NULL OR project = $project) AND ($user IS NULL OR username = $user)
"""
_LINES_AT_ONCE = 50_000

#: By bytes, for the tables' collation takes letters of either case for the same.
_USERS = "SELECT DISTINCT CAST(username AS BINARY) FROM mod_hpcdb.hpcdb_jobs"
_PROJECTS = """
SELECT DISTINCT CAST(account_name AS BINARY) FROM mod_hpcdb.hpcdb_accounts
JOIN (SELECT DISTINCT account_id FROM mod_hpcdb.hpcdb_jobs{of_these}) AS used USING (account_id)
"""


def heading() -> str:
    """Return the first line of the list, with its end."""
    return listing.heading(_FORM)


def job_resources(warehouse: Warehouse) -> dict[str, int]:
    """Return the ids that jobs have for what resources.json calls their resources."""
    asked = "SELECT resource_code, resource_id FROM mod_hpcdb.hpcdb_resources"
    return {str(code): int(key) for code, key in warehouse.ask(asked)}


def job_names(warehouse: Warehouse, resources: Sequence[int]) -> tuple[set[str], set[str]]:
    """Return what the projects and the users are called that ever had a job; of some resources, or of all."""
    of_these = _of(resources, " WHERE resource_id")
    asked = _PROJECTS.format(of_these=of_these), f"{_USERS}{of_these}"
    projects, users = ({name.decode() for (name,) in warehouse.ask(statement) if name} for statement in asked)
    return projects, users


def job_lines(
    warehouse: Warehouse, resources: Sequence[int], period: Period, project: str | None, user: str | None
) -> Iterator[str]:
    """Yield the lines of the jobs that touch a period, many at once, by XDMoD's id; of some resources, or of all.

    Raises DataError for a row that its schema forbids.
    """
    first, limit = period.seconds
    query = listing.listing(_FORM, _LISTED, "id")
    values = {"first": first, "limit": limit, "project": project, "user": user}
    kinds = {name: "VARCHAR" if number < _TEXTS else "BIGINT" for number, name in enumerate(_COLUMNS)}
    with Engine(memory_limit="128MB") as engine, queried(), engine.connection.cursor() as cursor:
        for block in warehouse.texts(_statement(resources, first, limit), _LINES_AT_ONCE):
            read_texts(cursor, "jobs", kinds, [block])
            yield from lines(cursor, _FORM, query, values)


def _statement(resources: Sequence[int], first: int, limit: int) -> str:
    columns = [_quoted(sql) if number < _TEXTS else sql for number, sql in enumerate(_COLUMNS.values())]
    touches = (
        touching(str(first), str(limit)).replace("start_time_ts", "j.start_time").replace("end_time_ts", "j.end_time")
    )
    of_these = _of(resources, " AND j.resource_id")
    return f"SELECT CONCAT_WS(',', {', '.join(columns)}) {_JOBS} WHERE {touches}{of_these} ORDER BY j.job_id"


def _of(resources: Sequence[int], column: str) -> str:
    return f"{column} IN ({', '.join(map(str, resources))})" if resources else ""


def _quoted(sql: str) -> str:
    """A text in quotes; nothing where it is not known, or empty."""
    return f"""COALESCE(CONCAT('"', REPLACE(NULLIF({sql}, ''), '"', '""'), '"'), '')"""
