"""`xdmod-cloud ledger`: make it, bring it up to date, show its runs and what it set aside, archive what is past."""

from datetime import datetime
from typing import Any

import click
import msgspec

from cli.output import json_option, print_json, print_table
from cli.sources import Context, opened
from ledger.counts import counted, tallied
from ledger.database import connect, place, upgrade
from operations.archive import archive
from operations.configuration import load

__all__ = ["ledger"]


@click.group()
def ledger() -> None:
    """Look after the ledger."""


@ledger.command("upgrade", short_help="Make the tables, or bring them up to date.")
@click.pass_obj
def upgrade_command(context: Context) -> None:
    """Make the ledger's tables, or bring them to this program's version."""
    engine = connect(load(context).ledger_url)
    version = upgrade(engine)
    click.echo(f"The ledger at {place(engine)} is of version {version}.")


@ledger.command()
@click.option(
    "--last", default=20, show_default=True, type=click.IntRange(min=1), help="So many of each source's runs."
)
@json_option
@click.pass_obj
def runs(context: Context, last: int, as_json: bool) -> None:
    """Show each source's last runs: what they read, how they ended."""
    state = opened(context)
    rows = [
        {"source": name, **run, "seconds": _seconds(run["started"], run["finished"])}
        for name in state.ledger.sources()
        for run in state.ledger.runs(name)[-last:]
    ]
    if as_json:
        print_json(rows)
        return
    heads = ("source", "mode", "started", "seconds", "window_to", "outcome", "counts")
    print_table("Runs (UTC)", heads, [[_cell(head, row[head]) for head in heads] for row in rows])
    for row in rows:
        if row["error"]:
            click.echo(f"{row['source']}, {row['started']:%Y-%m-%d %H:%M:%S}: {row['error']}")


@ledger.command("archive", short_help="Move what is long gone into files of Parquet.")
@click.option(
    "--older-than",
    required=True,
    metavar="24mo|2y|YYYY-MM",
    help="Servers and pods that ended so many whole months or years ago, or before a month.",
)
@json_option
@click.pass_obj
def archive_command(context: Context, older_than: str, as_json: bool) -> None:
    """Move the records of servers and pods that are long gone out of the ledger, into files of Parquet.

    Reports go on reading them. Those that live, or of which something was learned later, keep all their records.
    """
    state = opened(context)
    done = archive(state.ledger, state.configuration, older_than)
    if as_json:
        print_json([one._asdict() for one in done])
        return
    rows = [
        (one.source, f"{one.month:%Y-%m}", counted(one.gone, f"{one.kind}s"), one.records, one.file.name)
        for one in done
    ]
    if rows:
        print_table("Archived", ("source", "month", "gone", "records", "file"), rows)
    else:
        click.echo("There was nothing to archive.")


@ledger.command(short_help="Show what could not be used and was set aside.")
@json_option
@click.pass_obj
def quarantine(context: Context, as_json: bool) -> None:
    """Show what could not be used and was set aside: when it was first seen (UTC), and why; as JSON, also what."""
    state = opened(context)
    rows = [
        {"source": name, "first_seen": aside["observed"], "reason": aside["reason"], "body": aside["body"]}
        for name in state.ledger.sources()
        for aside in state.ledger.quarantined(name)
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['source']}, {row['first_seen']:%Y-%m-%d %H:%M:%S}: {row['reason']}")
    if not rows:
        click.echo("Nothing was set aside.")


def _seconds(started: datetime, finished: datetime | None) -> float | None:
    return round((finished - started).total_seconds(), 1) if finished else None


def _cell(head: str, value: Any) -> str:
    if value is None:
        return ""
    if head == "counts":
        return tallied(msgspec.json.decode(value))
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
