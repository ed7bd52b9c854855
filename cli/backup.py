"""`xdmod-cloud backup` and `restore`: save what cannot be made again, prove it, and bring it back."""

from pathlib import Path

import click

from cli.output import json_option, print_json, print_table, warn
from cli.sources import Context
from operations.backup.make import make
from operations.backup.restore import restore
from operations.configuration import load

__all__ = ["backup_command", "restore_command"]

_key_option = click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The file with the key of encryption [default: that of the configuration].",
)


@click.command("backup", short_help="Save the ledger, the files and XDMoD's databases.")
@click.option("--output", metavar="DIR|s3://BUCKET/PREFIX", help="Where to [default: that of the configuration].")
@_key_option
@json_option
@click.pass_obj
def backup_command(context: Context, output: str | None, key_file: Path | None, as_json: bool) -> None:
    """Save the ledger, the files, and XDMoD's databases and configuration, and read what was saved back.

    Backups that are no longer to be kept are deleted then.
    """
    done = make(load(context), output, key_file)
    for warning in done.warnings:
        warn(warning)
    if as_json:
        print_json(done)
        return
    rows = [
        (part.name, len(part.contents), sum(content.count for content in part.contents.values()), part.size)
        for part in done.manifest.parts
    ]
    print_table(done.place, ("part", "tables or folders", "rows or files", "bytes"), rows)
    for name in done.removed:
        click.echo(f"Deleted the older {name}.")


@click.command("restore", short_help="Bring a backup back, or prove that it can be.")
@click.argument("backup", required=False, metavar="[FILE|DIR|s3://BUCKET/PREFIX]")
@click.option("--check", is_flag=True, help="Restore beside, compare with the manifest, and change nothing.")
@click.option("--replace", is_flag=True, help="What is there already is lost.")
@click.option("--only", multiple=True, metavar="PART", help="Only that part: ledger, outbox, databases, …")
@_key_option
@json_option
@click.pass_obj
def restore_command(
    context: Context,
    backup: str | None,
    check: bool,
    replace: bool,
    only: tuple[str, ...],
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Restore a backup to where the configuration says, and compare it with its manifest.

    BACKUP is its folder or manifest, or a place of which the newest is taken (default: that of the configuration).
    """
    done = restore(load(context), backup, key_file=key_file, only=only, check=check, replace=replace)
    if as_json:
        print_json(done)
        return
    rows = [(name, len(found), sum(one.count for one in found.values())) for name, found in done.parts.items()]
    print_table(done.place, ("part", "tables or folders", "rows or files"), rows)
    click.echo("It restores to what was saved." if done.checked else "Restored; all of it is what was saved.")
