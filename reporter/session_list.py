"""Every session of a period as CSV, made and checked inside the engine, for there may be millions."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from itertools import pairwise
from typing import Any

import duckdb
import jsonschema_rs
from msgspec import Struct

import schemas
from hierarchy.owners import Owner
from reporter.csvs import GUARDED, unfit
from reporter.periods import Period
from reporter.records import UNKNOWN
from reporter.sessions import OWNED, bounds, owned_by, queried
from usage import Engine

__all__ = ["Chosen", "heading", "session_lines"]

_SCHEMA = "session-list-csv"
_ROWS_AT_ONCE = 10_000
#: Sorting takes some 400 bytes a row.
_ROWS_SORTED = 100_000
_SAMPLES = 50
#: What a cell must be quoted for, as a regular expression.
_ODD = """'[",\\r\\n]'"""
_PART = "instance >= $low AND ($high IS NULL OR instance < $high)"

#: What a cell may say, before it is made safe; in any order.
_TEXTS = {
    "instance": "instance",
    "project": "project",
    "user": "username",
    "domain": "domain",
    "resource": "$resource",
    "institution": "institution",
    "pi": "pi",
    "flavor": "CASE WHEN cores IS NOT NULL THEN instance_type END",
    "host": "host",
}
_OTHERS = {
    "state": "state",
    "start": "start_time_ts",
    "end": "end_time_ts",
    "seconds": "end_time_ts - start_time_ts",
    "counted_from": "since",
    "counted_to": "until",
    "seconds_in_period": "seconds",
    "core_seconds_in_period": "core_seconds",
    "cores": "cores",
    "memory_mb": "CASE WHEN cores IS NOT NULL THEN memory_mb END",
    "disk_gb": "CASE WHEN cores IS NOT NULL THEN disk_gb END",
    "start_event_type_id": "start_event_type_id",
    "end_event_type_id": "end_event_type_id",
}
_TIMES = ("start", "end", "counted_from", "counted_to")


class Chosen(Struct, frozen=True):
    """Which sessions are listed: only those whose project, its domain, user or institution is among these.

    None is any. A session of unknown domain is listed whichever domains are asked for.
    """

    projects: frozenset[str] | None = None
    domains: frozenset[str] | None = None
    users: frozenset[str] | None = None
    institution: str | None = None


def heading() -> str:
    """Return the first line of the list, with its end."""
    return ",".join(schemas.load(_SCHEMA)["properties"]) + "\r\n"


def session_lines(
    engine: Engine, resource: str, period: Period, owners: Iterable[Owner], chosen: Chosen
) -> Iterator[str]:
    """Yield the lines of the sessions that touch a period, many at once, by instance, start and start event.

    A session has a line for each owner that its project had meanwhile. Raises DataError for a row that its schema
    forbids.
    """
    conditions, values = _conditions(chosen)
    query = _query(conditions)
    with queried(), engine.connection.cursor() as cursor:
        owned_by(engine.connection, owners)
        for low, high in pairwise(["", *_cuts(cursor), None]):
            cursor.execute(query, {**bounds(period), "resource": resource, "low": low, "high": high, **values})
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                for line, fits in rows:
                    if not fits:
                        _judge(line)
                yield "".join([line for line, _ in rows])


def _cuts(cursor: duckdb.DuckDBPyConnection) -> list[str]:
    """Instances that divide the sessions into parts of about equal size, each small enough to be sorted in memory."""
    ((count,),) = cursor.execute("SELECT count(*) FROM sessions").fetchall()
    parts = count // _ROWS_SORTED + 1
    if parts == 1:
        return []
    sample = f"SELECT instance FROM sessions USING SAMPLE reservoir({parts * _SAMPLES} ROWS)"
    sampled = cursor.execute(sample).fetchall()
    return sorted({instance for (instance,) in sorted(sampled)[_SAMPLES::_SAMPLES]})


def _conditions(chosen: Chosen) -> tuple[str, dict[str, Any]]:
    asked = {
        "projects": (chosen.projects, "list_contains($projects, project)"),
        "domains": (chosen.domains, "(domain IS NULL OR list_contains($domains, domain))"),
        "users": (chosen.users, "list_contains($users, username)"),
    }
    values: dict[str, Any] = {name: sorted(wanted) for name, (wanted, _) in asked.items() if wanted is not None}
    conditions = [condition for wanted, condition in asked.values() if wanted is not None]
    if chosen.institution is not None:
        values["institution"] = chosen.institution
        conditions.append("institution = $institution")
    return " AND ".join(conditions) or "true", values


def _query(conditions: str) -> str:
    """The lines in their order, and of each whether it is as the schema has it."""
    columns: dict[str, Any] = schemas.load(_SCHEMA)["properties"]
    cells = ", ".join(f"{_cell(name)} AS {_named(name)}" for name in columns)
    fits = " AND ".join(_fits(_named(name), rules) for name, rules in columns.items())
    plain = ", ".join(map(_named, columns))
    quoted = ", ".join(_quoted(name) if name in _TEXTS else _named(name) for name in columns)
    # Few lines have anything to be quoted, and to look for it cell by cell takes long.
    odd = f"regexp_matches(concat({', '.join(map(_named, _TEXTS))}), {_ODD})"
    return f"""
SELECT line || chr(13) || chr(10), fits FROM (
    SELECT
        instance, start_time_ts, start_event_type_id, since, {fits} AS fits,
        CASE WHEN {odd} THEN concat_ws(',', {quoted}) ELSE concat_ws(',', {plain}) END AS line
    FROM (SELECT *, {cells} FROM ({OWNED}) WHERE {_PART} AND {conditions})
)
ORDER BY instance, start_time_ts, start_event_type_id, since
"""


def _named(name: str) -> str:
    return f'"{name}_cell"'


def _cell(name: str) -> str:
    if name in _TEXTS:
        value = _TEXTS[name]
        guard = f"CASE WHEN {value} <> '' AND contains({_literal(''.join(GUARDED))}, left({value}, 1)) THEN chr(39)"
        return f"coalesce({guard} ELSE '' END || {value}, '{UNKNOWN}')"
    value = _OTHERS[name]
    if name in _TIMES:
        return f"strftime(make_timestamp({value} * 1000000), '%Y-%m-%dT%H:%M:%SZ')"
    return f"coalesce(CAST({value} AS VARCHAR), '{UNKNOWN}')"


def _quoted(name: str) -> str:
    cell = _named(name)
    return f"""CASE WHEN regexp_matches({cell}, {_ODD}) THEN '"' || replace({cell}, '"', '""') || '"' ELSE {cell} END"""


def _fits(cell: str, rules: Mapping[str, Any]) -> str:
    """The rules of a property of the schema as a condition. Raises NotImplementedError for one that it cannot tell."""
    if "$ref" in rules:
        rules = schemas.load(_SCHEMA)["definitions"][rules["$ref"].rpartition("/")[2]]
    conditions = []
    for rule, value in rules.items():
        match rule:
            case "type" | "description":
                pass
            case "pattern":
                conditions.append(f"regexp_matches({cell}, {_literal(value)})")
            case "enum":
                conditions.append(f"{cell} IN ({', '.join(map(_literal, value))})")
            case "minLength":
                conditions.append(f"length({cell}) >= {int(value)}")
            case "maxLength":
                conditions.append(f"length({cell}) <= {int(value)}")
            case _:
                raise NotImplementedError(f"{_SCHEMA}.schema.json: {rule}")
    return " AND ".join(conditions)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _judge(line: str) -> None:
    """Let the schema itself have the last word on a line that the engine finds unfit."""
    (row,) = csv.DictReader(StringIO(line, newline=""), list(schemas.load(_SCHEMA)["properties"]))
    try:
        schemas.validator(_SCHEMA).validate(row)
    except jsonschema_rs.ValidationError as error:
        raise unfit(row, _SCHEMA, error.message) from error
