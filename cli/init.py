"""`xdmod-cloud init`: set XDMoD up from one file."""

from pathlib import Path

import click

from cli.output import json_option, print_json, warn
from cli.sources import Context
from operations.init.run import Setup, begun
from operations.init.site import Faulty

__all__ = ["init"]


@click.command(short_help="Set XDMoD up from one file.")
@click.argument("site", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@json_option
@click.pass_obj
def init(context: Context, site: Path, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Make XDMoD's databases, accounts and configuration as the file SITE (TOML or JSON) has them.

    Shows every change before it is made, without passwords. What is as it should be is left alone: a second run does
    nothing.
    """
    try:
        with begun(site, context, dry_run=dry_run) as setup:
            _show(setup, as_json=as_json, dry_run=dry_run)
            if setup.changes and not dry_run:
                if not yes:
                    click.confirm("Do it?", abort=True, err=True)
                _apply(setup)
    except Faulty as error:
        for fault in error.faults:
            click.echo(f"xdmod-cloud: {error.file}:{fault.line}: {fault.key}: {fault.said}", err=True)
        return error.exit_code
    return 0


def _show(setup: Setup, *, as_json: bool, dry_run: bool) -> None:
    for text in setup.warnings:
        warn(text)
    if as_json:
        print_json({"changes": setup.changes, "dry_run": dry_run})
        return
    for change in setup.changes:
        click.echo(f"{change.where}:")
        for line in change.lines:
            click.echo(f"  {line}")
    if not setup.changes:
        click.echo("Everything is as it should be; nothing was changed.")


def _apply(setup: Setup) -> None:
    known = len(setup.warnings)
    for done in setup.apply():
        click.echo(f"done: {done}", err=True)
    for text in setup.warnings[known:]:
        warn(text)
