"""`xdmod-cloud collect hierarchy` and `xdmod-cloud hierarchy`: who owns what, now and at any time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from msgspec import structs

from cli.output import json_option, print_json, print_table, progress_of, shown, warn
from cli.sources import Context, opened
from hierarchy.cards import Card, cards
from hierarchy.export import ExportedHierarchy
from hierarchy.history import find, life
from ledger import DataError
from ledger.counts import counted, tallied
from ledger.database import reading
from operations.hierarchy import collect_hierarchy, export_hierarchy

__all__ = ["collect", "hierarchy"]

_DAY = "%Y-%m-%d"


def _moment(context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """A day, which stands for its last instant, or an instant; UTC."""
    if value is None:
        return None
    try:
        written = datetime.fromisoformat(value)
        time = written.astimezone(UTC) if written.tzinfo else written.replace(tzinfo=UTC)
        last = time + timedelta(days=1, microseconds=-1) if len(value) <= len("2025-03-01") else time
    except (ValueError, OverflowError) as error:
        said = f"{value!r} is no day and no time. Write 2025-03-01 or 2025-03-01T02:00:00Z."
        raise click.BadParameter(said, context, parameter) from error
    if time > datetime.now(UTC):
        raise click.BadParameter(f"{value} has not come yet: nobody knows what will be.", context, parameter)
    return last


@click.command("hierarchy", short_help="Read ColdFront, Keycloak and Keystone.")
@click.option(
    "--accept-removals",
    type=click.IntRange(min=1),
    metavar="N",
    help="Believe that as many as N items of a level are gone.",
)
@json_option
@click.pass_obj
def collect(context: Context, accept_removals: int | None, as_json: bool) -> int:
    """Read who owns what, as ColdFront, Keycloak, Keystone and the site's own files tell it; write what changed."""
    state = opened(context)
    with progress_of("hierarchy") as progress:
        run = collect_hierarchy(state.ledger, state.configuration, progress, accept_removals=accept_removals)
    for warning in run.warnings:
        warn(f"hierarchy: {warning}")
    if as_json:
        print_json(run)
    else:
        click.echo(f"hierarchy: read up to {run.up_to:%Y-%m-%d %H:%M:%S} UTC: {tallied(run.counts)}.")
    return 1 if run.counts["rejected"] else 0


@click.group()
def hierarchy() -> None:
    """Show who owns what, and tell XDMoD of it."""


@hierarchy.command(short_help="Write the four CSVs for xdmod-import-csv.")
@click.option(
    "--as-of",
    metavar="DATE",
    callback=_moment,
    help="As they were at the end of that day, or at that time (UTC); in a folder of its own.",
)
@click.option(
    "--changed-only",
    is_flag=True,
    help="Leave out of group.csv and names.csv what XDMoD was told before: it would make a new person of each.",
)
@click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to [default: hierarchy, or hierarchy-DATE, in the outbox].",
)
@json_option
@click.pass_obj
def export(context: Context, as_of: datetime | None, changed_only: bool, folder: Path | None, as_json: bool) -> None:
    """Write hierarchy.csv, group.csv, names.csv and pi2project.csv, all four at once.

    Move their folder away, then import them in this order: what lies in the outbox no more, XDMoD has been told.
    What is written elsewhere with --output is for you to look at.
    """
    if as_of and changed_only:
        raise click.UsageError("--as-of and --changed-only do not go together: XDMoD is told of the present.")
    state = opened(context)
    folder = folder.absolute() if folder else None
    done = export_hierarchy(state.ledger, state.configuration, folder, as_of=as_of, changed_only=changed_only)
    for warning in done.warnings:
        warn(f"hierarchy: {warning}")
    if as_json:
        print_json({**structs.asdict(done), "files": [file._asdict() for file in done.files]})
    else:
        _print(done)


def _print(done: ExportedHierarchy) -> None:
    for file in done.files:
        click.echo(f"hierarchy: wrote {shown(done.folder / file.name)} ({counted(file.records, 'lines')})")
    if done.moved and done.moved_since:
        click.echo(
            f"hierarchy: new to XDMoD, or moved: {counted(done.moved, 'projects')}. What it ingested before the"
            f" import, from {done.moved_since:{_DAY}} on, it has to ingest and aggregate again."
        )


@hierarchy.command(short_help="Show to whom a project belongs, or belonged.")
@click.argument("project")
@click.option("--as-of", metavar="DATE", callback=_moment, help="At the end of that day, or at that time (UTC).")
@json_option
@click.pass_obj
def show(context: Context, project: str, as_of: datetime | None, as_json: bool) -> None:
    """Show to whom PROJECT belongs: a key as coldfront/17, a title, or a name in a cloud."""
    state, moment = opened(context), as_of or datetime.now(UTC)
    found = cards(state.ledger, project, moment)
    if not found:
        raise DataError(
            f'No project was known as "{project}" at {moment:%Y-%m-%d %H:%M} UTC. Name a key or whole title.'
        )
    if as_json:
        print_json(found)
        return
    for card in found:
        print_table(f"{card.title} ({card.key}), {moment:%Y-%m-%d %H:%M} UTC", ("", ""), _card_rows(card))


def _card_rows(card: Card) -> list[tuple[str, str]]:
    paid = [
        f"{one.institution} {one.share}, stated for {one.stated_for} from {one.since:{_DAY}}"
        + (f" to {one.until:{_DAY}}" if one.until else "")
        for one in card.paid
    ]
    members = [f"{one.user}, {one.role} in {one.project}" for one in card.members]
    lists = (("in clouds", card.cloud_projects), ("paid by", paid), ("members", members))
    return [
        ("status", card.status),
        ("lies in", " › ".join(card.path[:-1])),
        ("institution", card.institution),
        ("field of science", card.field),
        ("PI", card.pi),
        *((name, "\n".join(lines)) for name, lines in lists if lines),
    ]


@hierarchy.command(short_help="Show every state that something was in.")
@click.argument("item")
@json_option
@click.pass_obj
def history(context: Context, item: str, as_json: bool) -> None:
    """Show every state that ITEM was in (UTC): an id, a shown name, or a name in the history as coldfront/17.

    With --json, also the name by which the history looks the item up.
    """
    state = opened(context)
    with reading(state.ledger.engine) as connection:
        lives = [life(connection, found.id) for found in find(connection, item)]
        parents = {
            one.item.parent: life(connection, one.item.parent)[-1].item.display
            for states in lives
            for one in states
            if one.item.parent
        }
    if not lives:
        raise DataError(f'Nothing in the hierarchy is or was called "{item}". Name an id, or a whole name.')
    rows = [
        {
            "id": one.item.id,
            "since": one.since,
            "level": one.item.level.value,
            "name": one.item.name,
            "status": "Active" if one.item.active else "Inactive",
            "shown": one.item.display,
            "parent": f"{one.item.parent} {parents[one.item.parent]}" if one.item.parent else "",
        }
        for states in lives
        for one in states
    ]
    if as_json:
        print_json(rows)
        return
    heads = ("id", "since", "level", "status", "shown", "parent")
    print_table(f"History of {item} (UTC)", heads, [[_cell(row[head]) for head in heads] for row in rows])


def _cell(value: object) -> object:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value
