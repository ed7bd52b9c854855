"""`xdmod-cloud status`: how far each source is, what waits, and the same as metrics for Prometheus."""

from datetime import datetime
from pathlib import Path

import click

from cli.output import json_option, print_json, print_table
from cli.sources import Context, opened
from ledger.overview import SourceOverview
from operations.monitoring.metrics import publish
from operations.monitoring.status import Status, status

__all__ = ["status_command"]


@click.command("status", short_help="Show how far each source is, and what waits.")
@click.option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Write metrics for a textfile collector there, too [default: that of the configuration].",
)
@json_option
@click.pass_obj
def status_command(context: Context, textfile: Path | None, as_json: bool) -> None:
    """Show each source's last good run, its lag and last failure, and the files that wait for XDMoD.

    Reads the ledger and the outbox only. Where metrics are configured, they are written, too.
    """
    state = opened(context)
    found = status(state.ledger, state.configuration)
    if as_json:
        print_json(found)
    else:
        _print(found)
    publish(found, state.configuration.metrics, textfile)


def _print(found: Status) -> None:
    heads = ("source", "last good run", "lag", "took", "failed since", "backlog", "set aside")
    print_table("Sources (UTC)", heads, [_row(found, one) for one in found.sources])
    for name in found.never:
        click.echo(f"{name} was never read.")
    for one in found.former:
        when = f", and was last read at {_time(one.succeeded)}" if one.succeeded else ""
        left = f"; not exported: {_backlog(one)}" if _backlog(one) else ""
        click.echo(f"{one.source} is no longer configured{when}{left}.")
    for one in [*found.sources, *([found.backup] if found.backup else [])]:
        if one.failures_since and one.last_failure:
            click.echo(f"{one.source} failed at {one.last_failure.at:%Y-%m-%d %H:%M:%S}: {one.last_failure.error}")
    if found.outbox:
        rows = [
            (part.resource, part.kind, part.waiting, part.shredded, _time(part.oldest), part.next_file or "")
            for part in found.outbox
        ]
        print_table("Files for XDMoD", ("resource", "kind", "waiting", "shredded", "oldest", "next file"), rows)
    if found.backup and found.backup.watermark:
        click.echo(f"The newest whole backup is of {_time(found.backup.watermark)}.")


def _row(found: Status, one: SourceOverview) -> tuple[object, ...]:
    took = f"{one.seconds:,.1f} s" if one.seconds is not None else ""
    lag = _lasting(found.lag(one))
    return (one.source, _time(one.succeeded), lag, took, one.failures_since, _backlog(one), one.rejected)


def _backlog(one: SourceOverview) -> str:
    return ", ".join(f"{count:,} {target}" for target, count in one.backlog.items() if count)


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else ""


def _lasting(seconds: float | None) -> str:
    """A length of time in the two units that matter."""
    if seconds is None:
        return ""
    minutes = int(seconds // 60)
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
