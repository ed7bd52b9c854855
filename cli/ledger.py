"""`xdmod-cloud ledger`: make the ledger, bring it up to date, show its runs."""

from datetime import datetime
from typing import Any

import click
import msgspec

from cli.output import json_option, print_json, print_table
from cli.sources import Context, opened
from ledger.database import connect, place, upgrade
from operations.configuration import load

__all__ = ["ledger"]


@click.group()
def ledger() -> None:
    """Look after the ledger."""


@ledger.command("upgrade")
@click.pass_obj
def upgrade_command(context: Context) -> None:
    """Make the ledger's tables, or bring them to this program's version."""
    engine = connect(load(context).ledger_url)
    version = upgrade(engine)
    click.echo(f"The ledger at {place(engine)} is of version {version}.")


@ledger.command()
@click.option("--last", default=20, show_default=True, help="So many of each source's runs.")
@json_option
@click.pass_obj
def runs(context: Context, last: int, as_json: bool) -> None:
    """Show each source's last runs: what they read, how they ended."""
    state = opened(context)
    rows = [{"source": name, **run} for name in state.ledger.sources() for run in state.ledger.runs(name)[-last:]]
    if as_json:
        print_json(rows)
        return
    heads = ("source", "mode", "started", "window_to", "outcome", "counts", "error")
    print_table("Runs (UTC)", heads, [[_cell(head, row[head]) for head in heads] for row in rows])


def _cell(head: str, value: Any) -> str:
    if value is None:
        return ""
    if head == "counts":
        return ", ".join(f"{number} {what}" for what, number in msgspec.json.decode(value).items())
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
