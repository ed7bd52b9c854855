"""`xdmod-cloud verify`: compare the hops from the cloud to the sessions, and the reports with themselves."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from cli.auditing import period_options, xdmod_option
from cli.output import json_option, print_json, print_table
from cli.sources import Context, Opened, each_source, sources_argument
from collectors.openstack import OpenStackSource
from ledger.counts import counted, tallied
from operations.export import event_files
from operations.verification.checks import Limits
from operations.verification.openstack import verify_openstack
from operations.verification.reports import VerifiedReports, as_document, verify_reports
from operations.verification.xdmod import Unlike, verify_xdmod
from operations.xdmod.database import needed_url
from operations.xdmod.folders import handed_on
from reporter import Period

__all__ = ["verify"]


@click.group()
def verify() -> None:
    """Compare what was seen, kept, handed on and rebuilt."""


_folders_option = click.option(
    "--events",
    "folders",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="A folder to which event files were moved; beside the outbox, and the archive of `shred` and `ingest`.",
)
_days_option = click.option(
    "--days",
    type=click.IntRange(1, 36500),
    default=31,
    show_default=True,
    help="Compare events and sessions of so many past days.",
)


@verify.command(short_help="Compare Nova, the ledger, files and sessions.")
@sources_argument
@_folders_option
@_days_option
@json_option
@click.pass_obj
def openstack(context: Context, names: tuple[str, ...], folders: tuple[Path, ...], days: int, as_json: bool) -> int:
    """Compare Nova, the ledger, the event files and the sessions of NAMES; exit 1 if any differ."""
    results: list[dict[str, object]] = []

    def one(state: Opened, settings: OpenStackSource) -> int:
        outbox = event_files(state.configuration, settings).outbox
        given = [*folders, *_handed_on(state, settings)]
        # What has been handed on leaves an empty outbox behind.
        given += [outbox] if outbox.exists() and (not given or any(outbox.glob("*.json"))) else []
        done = verify_openstack(state.ledger, settings, given, _past(state, settings, days))
        results.append({"source": settings.name, "compared": done.compared, "differences": done.differences})
        if not as_json:
            for hop, identity, what in done.differences:
                click.echo(f"{settings.name}: {hop}: {identity}: {what}")
            found = counted(len(done.differences), "differences")
            click.echo(f"{settings.name}: compared {tallied(done.compared)}: {found}.")
        return 1 if done.differences else 0

    code = each_source(context, names, one)
    if as_json:
        print_json(results)
    return code


@verify.command(short_help="Compare our sessions with those that XDMoD has.")
@sources_argument
@xdmod_option
@_folders_option
@_days_option
@click.option(
    "--patience",
    type=click.IntRange(0, 24 * 366),
    default=48,
    show_default=True,
    metavar="HOURS",
    help="So long may XDMoD be late without an error.",
)
@json_option
@click.pass_obj
def xdmod(
    context: Context,
    names: tuple[str, ...],
    url: str | None,
    folders: tuple[Path, ...],
    days: int,
    patience: int,
    as_json: bool,
) -> int:
    """Compare the sessions of NAMES, as the ledger tells them, with those that XDMoD has recorded.

    Names every difference, with the reason where it is known; exit 1 if any is there that is neither how XDMoD works
    nor goes away with what is handed on to it anyway.
    """
    results: list[dict[str, object]] = []

    def one(state: Opened, settings: OpenStackSource) -> int:
        outbox = event_files(state.configuration, settings).outbox
        window, compared, number, grave = _past(state, settings, days), Counter[str](), 0, 0
        kept: list[Unlike] = []
        late, gone = timedelta(hours=patience), [*folders, *_handed_on(state, settings)]
        database = url or needed_url(state.configuration.xdmod)
        for unlike in verify_xdmod(state.ledger, settings, database, outbox, gone, window, compared, late):
            number, grave = number + 1, grave + (not unlike.benign)
            if as_json:
                kept.append(unlike)
            else:
                click.echo(f"{settings.name}: {unlike}")
        results.append({"source": settings.name, "compared": compared, "differences": kept})
        if not as_json:
            found = f"{counted(number, 'differences')}, {grave:,} of them grave"
            click.echo(f"{settings.name}: compared {tallied(compared) or 'nothing'}: {found}.")
        return 1 if grave else 0

    code = each_source(context, names, one)
    if as_json:
        print_json(results)
    return code


@verify.command(short_help="Check the reports of a period: sums, sessions, owners, readings.")
@sources_argument
@period_options
@_folders_option
@click.option(
    "--cadence",
    type=click.IntRange(1, 60 * 24 * 366),
    default=20,
    show_default=True,
    metavar="MINUTES",
    help="So often is a cloud read: it must be known up to the end of the period, but for two of these.",
)
@click.option(
    "--largest-drop",
    "drop",
    type=click.FloatRange(0, 100),
    default=10,
    show_default=True,
    metavar="PERCENT",
    help="Warn if more of the servers than these were gone at the last reading.",
)
@json_option
@click.pass_obj
def reports(
    context: Context,
    names: tuple[str, ...],
    period: Period,
    folders: tuple[Path, ...],
    cadence: int,
    drop: float,
    as_json: bool,
) -> int:
    """Check the reports of NAMES for a period, from readings to sums; exit 1 if there is an error.

    Warnings, which make no sum wrong, are told and change nothing. What is checked is in docs/verify.md.
    """
    limits = Limits(timedelta(minutes=cadence), drop)
    results: list[VerifiedReports] = []

    def one(state: Opened, settings: OpenStackSource) -> int:
        given = [*folders, *_handed_on(state, settings), event_files(state.configuration, settings).outbox]
        found = verify_reports(state.ledger, settings, period, given, limits)
        results.append(found)
        if not as_json:
            _print_checks(found)
        return 1 if found.errors else 0

    code = each_source(context, names, one)
    if as_json:
        print_json(as_document(results))
    return code


def _print_checks(found: VerifiedReports) -> None:
    rows = [
        (number, one.what, counted(one.compared, one.things), one.errors, one.warnings)
        for number, one in found.checks.items()
    ]
    heads = ("check", "what must be so", "compared", "errors", "warnings")
    print_table(f"{found.source}: checks of {found.period}", heads, rows)
    for number, check in found.checks.items():
        if check.not_checked:
            click.echo(f"{found.source}: {number}: not checked: {check.not_checked}")
        for it in check.findings:
            between = f" ({it.difference})" if it.difference else ""
            click.echo(f"{found.source}: {number}: {it.severity}: {it.scope}: {it.actual}, not {it.expected}{between}")
        more = check.errors + check.warnings - len(check.findings)
        if more:
            click.echo(f"{found.source}: {number}: and {more:,} more")


def _handed_on(state: Opened, settings: OpenStackSource) -> list[Path]:
    """Where event files are that have left the outbox on their way into XDMoD, and those that came to its end."""
    return handed_on(state.configuration.outbox, state.configuration.xdmod.archive, settings.resource)


def _past(state: Opened, settings: OpenStackSource, days: int) -> tuple[datetime, datetime]:
    """So many days up to what is known of a cloud (UTC)."""
    mark = state.ledger.watermark(settings.name)
    end = mark.at if mark else datetime.now(UTC)
    return end - timedelta(days=days), end
