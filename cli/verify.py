"""`xdmod-cloud verify`: compare the hops from the cloud to the sessions."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from cli.output import json_option, print_json
from cli.sources import Context, Opened, each_source, sources_argument
from collectors.openstack import OpenStackSource
from operations.export import event_files
from operations.verify import verify_openstack

__all__ = ["verify"]


@click.group()
def verify() -> None:
    """Compare what was seen, kept, handed on and rebuilt."""


@verify.command(short_help="Compare Nova, the ledger, files and sessions.")
@sources_argument
@click.option(
    "--events",
    "folders",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="A folder to which event files were moved after XDMoD had read them; beside the outbox.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 36500),
    default=31,
    show_default=True,
    help="Compare events and sessions of so many past days.",
)
@json_option
@click.pass_obj
def openstack(context: Context, names: tuple[str, ...], folders: tuple[Path, ...], days: int, as_json: bool) -> int:
    """Compare Nova, the ledger, the event files and the sessions of NAMES; exit 1 if any differ."""
    results: list[dict[str, object]] = []

    def one(state: Opened, settings: OpenStackSource) -> int:
        mark = state.ledger.watermark(settings.name)
        end = mark.at if mark else datetime.now(UTC)
        outbox = event_files(state.configuration, settings).outbox
        done = verify_openstack(
            state.ledger,
            settings,
            [*folders, *([outbox] if outbox.exists() else [])],
            (end - timedelta(days=days), end),
        )
        results.append({"source": settings.name, "compared": done.compared, "differences": done.differences})
        if not as_json:
            for hop, identity, what in done.differences:
                click.echo(f"{settings.name}: {hop}: {identity}: {what}")
            counted = ", ".join(f"{number:,} {what}" for what, number in done.compared.items())
            click.echo(f"{settings.name}: compared {counted}: {len(done.differences):,} differences.")
        return 1 if done.differences else 0

    code = each_source(context, names, one)
    if as_json:
        print_json(results)
    return code
