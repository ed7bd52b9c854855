"""Long lists as CSV: made, guarded and checked inside the engine, for there may be millions of rows."""

import csv
import re
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any, NamedTuple

import duckdb
import jsonschema_rs

import schemas
from reporter.csvs import GUARDED, unfit
from reporter.records import UNKNOWN

__all__ = ["Form", "heading", "lines", "listing"]

_ROWS_AT_ONCE = 10_000
#: What a cell must be quoted for, as a regular expression.
_ODD = """'[",\\r\\n]'"""
#: A pattern of the whole of a cell, whose inside may stand beside others.
_SIMPLE = re.compile(r"\^([^|()]+|\(\?:[^()]+\))\$")


class Form(NamedTuple):
    """A list by its schema, and what its cells say, as SQL: texts, before they are made safe, numbers, and seconds.

    Seconds are since 1970, and are shown as times in UTC.
    """

    schema: str
    texts: Mapping[str, str]
    numbers: Mapping[str, str]
    times: Mapping[str, str]


def heading(form: Form) -> str:
    """Return the first line of a list, with its end."""
    return ",".join(schemas.load(form.schema)["properties"]) + "\r\n"


def listing(form: Form, relation: str, order: str) -> str:
    """Return the SQL of the lines of a relation in an order, and of each whether it is as the schema has it."""
    columns: dict[str, Any] = schemas.load(form.schema)["properties"]
    cells = ", ".join(f"{_cell(form, name)} AS {_named(name)}" for name in columns)
    fits = " AND ".join(_all_fit(form, columns))
    plain = ", ".join(map(_named, columns))
    quoted = ", ".join(_quoted(_named(name)) if name in form.texts else _named(name) for name in columns)
    # Few lines have anything to be quoted, and to look for it cell by cell takes long.
    odd = f"regexp_matches(concat({', '.join(map(_named, form.texts))}), {_ODD})"
    return f"""
SELECT line || chr(13) || chr(10), fits FROM (
    SELECT *, {fits} AS fits, CASE WHEN {odd} THEN concat_ws(',', {quoted}) ELSE concat_ws(',', {plain}) END AS line
    FROM (SELECT *, {cells} FROM ({relation}))
)
ORDER BY {order}
"""


def lines(cursor: duckdb.DuckDBPyConnection, form: Form, statement: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a listing, many at once. Raises DataError for a row that the schema forbids."""
    cursor.execute(statement, dict(values))
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        for line, fits in rows:
            if not fits:
                _judge(form.schema, line)
        yield "".join([line for line, _ in rows])


def _named(name: str) -> str:
    return f'"{name}_cell"'


def _cell(form: Form, name: str) -> str:
    if name in form.texts:
        return _guarded(form.texts[name])
    if name in form.times:
        return f"strftime(make_timestamp({form.times[name]} * 1000000), '%Y-%m-%dT%H:%M:%SZ')"
    return f"coalesce(CAST({form.numbers[name]} AS VARCHAR), '{UNKNOWN}')"


def _guarded(value: str) -> str:
    guard = f"CASE WHEN {value} <> '' AND contains({_literal(''.join(GUARDED))}, left({value}, 1)) THEN chr(39)"
    return f"coalesce({guard} ELSE '' END || {value}, '{UNKNOWN}')"


def _quoted(cell: str) -> str:
    return f"""CASE WHEN regexp_matches({cell}, {_ODD}) THEN '"' || replace({cell}, '"', '""') || '"' ELSE {cell} END"""


def _all_fit(form: Form, columns: Mapping[str, Any]) -> Iterator[str]:
    """The conditions of the cells; of those that are no texts by one pattern, for each takes long by itself."""
    together = {}
    for name, rules in columns.items():
        rules = _resolved(form.schema, rules)
        simple = _SIMPLE.fullmatch(rules.get("pattern", "").replace("(", "(?:"))
        if name not in form.texts and simple and rules.keys() <= {"type", "description", "pattern"}:
            together[_named(name)] = simple[1]
        else:
            yield _fits(form.schema, _named(name), rules)
    if together:
        pattern = f"^{','.join(together.values())}$"
        yield f"regexp_matches(concat_ws(',', {', '.join(together)}), {_literal(pattern)})"


def _resolved(schema: str, rules: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in rules:
        return rules
    found: Mapping[str, Any] = schemas.load(schema)["definitions"][rules["$ref"].rpartition("/")[2]]
    return found


def _fits(schema: str, cell: str, rules: Mapping[str, Any]) -> str:
    """The rules of a property of the schema as a condition. Raises NotImplementedError for one that it cannot tell."""
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
                raise NotImplementedError(f"{schema}.schema.json: {rule}")
    return " AND ".join(conditions)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _judge(schema: str, line: str) -> None:
    """Let the schema itself have the last word on a line that the engine finds unfit."""
    (row,) = csv.DictReader(StringIO(line, newline=""), list(schemas.load(schema)["properties"]))
    try:
        schemas.validator(schema).validate(row)
    except jsonschema_rs.ValidationError as error:
        raise unfit(row, schema, error.message) from error
