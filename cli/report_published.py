"""`xdmod-cloud report published` and `report verify`: what was handed out, and whether today's data still give it."""

from pathlib import Path

import click

from cli.auditing import xdmod_option
from cli.output import json_option, print_json, print_table
from cli.sources import Context
from ledger.counts import counted
from operations.configuration import load
from operations.reports.published import Publication, Request, publication_of, publications
from operations.reports.reverify import Verdict, reverify

__all__ = ["publish_option", "published", "say_published", "verify"]

publish_option = click.option(
    "--publish", "to_publish", is_flag=True, help="Keep the report as one that is handed out; see `report verify`."
)


def say_published(kept: tuple[Publication, bool]) -> None:
    """Say as what a report was published."""
    one, new = kept
    if not new:
        said = f"says the same as {one.id}, published {one.made:%Y-%m-%d %H:%M} UTC, and was not published again"
    else:
        said = f"published as {one.id}" + (f", which corrects {one.corrects}" if one.corrects else "")
    click.echo(f"{one.request.source}: {said}", err=True)


@click.command()
@json_option
@click.pass_obj
def published(context: Context, as_json: bool) -> None:
    """List the published reports, the oldest first."""
    known = publications(load(context).published)
    if as_json:
        print_json(known)
        return
    rows = [
        (one.id, f"{one.made:%Y-%m-%d %H:%M}", one.request.period.name, _scope(one.request), one.corrects or "")
        for one in known
    ]
    heads = ("report", "published", "period", "of", "corrects")
    print_table("Published reports (UTC)", heads, rows, unbroken=("report",))


@click.command(short_help="Make a published report again, and compare.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@xdmod_option
@json_option
@click.pass_obj
def verify(context: Context, file: Path, url: str | None, as_json: bool) -> int:
    """Say whether today's data still give the published report that FILE is of.

    FILE is a PDF or CSV file that was handed out, wherever it lies now, or the record in the folder of a published
    report. The report is made again, by the rate card of that time, and its CSV files are compared.
    """
    configuration = load(context)
    one = publication_of(configuration.published, file)
    verdict = reverify(configuration, url, configuration.published, one)
    if as_json:
        print_json(
            {
                "holds": verdict.holds,
                "publication": one,
                "altered": verdict.altered,
                "differences": [difference._asdict() for difference in verdict.differences],
            }
        )
    else:
        _say(file, verdict)
    return 0 if verdict.holds else 1


def _scope(request: Request) -> str:
    said = (request.resource, request.subject or "", str(request.only) if request.subject is None else "")
    return ", ".join(filter(None, said))


def _say(file: Path, verdict: Verdict) -> None:
    one = verdict.publication
    click.echo(f"{file}: published {one.made:%Y-%m-%d %H:%M} UTC as {one.id}.")
    for name in verdict.altered:
        click.echo(f"{one.id}/{name} is not as it was published. Put it back from a backup.")
    for difference in verdict.differences:
        click.echo(
            f"{difference.file}: {counted(difference.gone, 'lines are gone')}, {counted(difference.new, 'are new')}:"
        )
        for line in difference.examples:
            click.echo(f"  {line}")
    if verdict.differences:
        click.echo("Today's data give another report. Publish it again: it will say what it corrects.")
    else:
        click.echo("Today's data still give it.")
