"""What commands print: progress and diagnostics to stderr, results to stdout, JSON where a machine reads."""

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

__all__ = ["json_option", "print_json", "print_table", "progress_of", "shown", "warn"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


def warn(text: str) -> None:
    """Say something that should be known, but ends nothing."""
    click.echo(f"xdmod-cloud: warning: {text}", err=True)


def shown(path: Path) -> str:
    """A path as a person would type it: from the current folder, where it lies below."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def print_json(value: Any) -> None:
    """Print a value as one JSON document."""
    click.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode())


def print_table(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[object]], *, unbroken: Collection[str] = ()
) -> None:
    """Print a table; columns of numbers stand to the right. Those that are `unbroken` have each cell on one line."""
    table = Table(title=Text(title), title_justify="left", header_style="bold")
    for number, head in enumerate(heads):
        cells = [row[number] for row in rows if row[number] != ""]
        numeric = bool(cells) and all(isinstance(cell, int | float | Decimal) for cell in cells)
        table.add_column(head, justify="right" if numeric else "left", overflow="fold", no_wrap=head in unbroken)
    for row in rows:
        # As text, because a name may hold what would be taken for markup.
        table.add_row(*(Text(_readable(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else 110).print(table)


def _readable(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.2f}"
    return f"{cell:,}" if isinstance(cell, Decimal) else str(cell)


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal; elsewhere nothing, for the run's end is logged anyway."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        tasks: dict[str, Any] = {}

        def step(part: str, done: int, total: int) -> None:
            if part not in tasks:
                tasks[part] = bar.add_task(f"{what}: {part}")
            bar.update(tasks[part], completed=done, total=total or None)

        yield step
