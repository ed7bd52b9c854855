"""Texts of ids and numbers that a warehouse sends, into a table of the engine."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

__all__ = ["read_texts"]


def read_texts(
    cursor: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], blocks: Iterable[Iterable[str]]
) -> None:
    """Make a table of rows that are separated by commas; through a file, for the engine takes it by far the fastest."""
    kinds = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    with TemporaryDirectory(prefix="xdmod-cloud-") as folder:
        path = Path(folder) / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            for block in blocks:
                file.writelines(f"{row}\n" for row in block)
        form = f"header = false, delim = ',', quote = '\"', escape = '\"', new_line = '\\n', columns = {{{kinds}}}"
        cursor.execute(
            f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM"
            f" read_csv($path, auto_detect = false, parallel = false, {form})",
            {"path": str(path)},
        )
