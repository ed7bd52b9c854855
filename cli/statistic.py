"""`xdmod-cloud report statistic` and `report grants`: XDMoD's statistics, those of the cloud also without an XDMoD."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from click.core import ParameterSource

from cli.auditing import xdmod_option
from cli.output import warn
from ledger import ConfigurationError
from ledger.counts import counted
from reporter.capacities import Specification, spans, specified
from reporter.event_files import EventFiles
from reporter.statistic import Question, Row, Source, answer, question, require_sessions
from reporter.xdmod import warehouse
from usage import Engine
from usage.statistics import REALMS

__all__ = ["grants", "statistic"]


#: Click keeps the lines of a paragraph that begins so.
_STATISTICS = "\n\n".join(
    "\n".join(
        ["\b", f"Statistics of {realm.name}:"]
        + [f"  {name}: {it.title} ({it.unit})" for name, it in realm.statistics.items()]
    )
    for realm in REALMS.values()
)


@click.command(epilog=_STATISTICS)
@click.argument("name", metavar="STATISTIC")
@click.option("--by", "dimension", default="none", show_default=True, help="The dimension, by XDMoD's name.")
@click.option("--unit", default="month", show_default=True, help="Sum by day, month, quarter or year.")
@click.option("--from", "first", required=True, metavar="YYYY-MM-DD", help="The first day.")
@click.option("--to", "last", required=True, metavar="YYYY-MM-DD", help="The last day, included.")
@click.option("--aggregate", is_flag=True, help="One value over all periods, instead of one for each.")
@click.option(
    "--events",
    "directories",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A folder of event files (UTC); may be given again.",
)
@xdmod_option
@click.option(
    "--resource-specs",
    "specs",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The site's resource_specs.json, for the utilization.",
)
@click.option("--resource", metavar="NAME", help="What resources.json calls the resource of the event files.")
def statistic(
    name: str,
    dimension: str,
    unit: str,
    first: str,
    last: str,
    aggregate: bool,
    directories: tuple[Path, ...],
    url: str | None,
    specs: Path | None,
    resource: str | None,
) -> None:
    """Print one of XDMoD's statistics, as CSV.

    Those of the cloud are reckoned from sessions: those of event files, or those of an XDMoD; those of jobs and storage
    from the single jobs and storage facts of an XDMoD. Periods that the days only touch count whole, as in XDMoD.
    Values are not rounded.
    """
    asked = question(name, dimension, unit, first, last, series=not aggregate)
    if directories:
        require_sessions(asked)
    entries = specified(specs) if specs else None
    with _source(directories, url, resource, entries) as source:
        today = datetime.now(UTC).date()
        rows = answer(source, asked, None if entries is None else spans(entries, source.resources(), today))
    click.echo(_table(asked, rows), nl=False)


@click.command(short_help="Print the rights that reading an XDMoD needs.")
@click.argument("account", metavar="USER@HOST", default="xdmod_cloud@localhost")
@click.option("--version", default="11.0", show_default=True, help="The XDMoD: 10.0, 10.5 or 11.0.")
@click.option(
    "--realm",
    "realms",
    multiple=True,
    metavar="NAME",
    help="Only what is needed for statistics of the cloud, jobs or storage; may be given again.",
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="NAME",
    help=f"Only what is needed for a report ({', '.join(warehouse.REPORTS)}); may be given again.",
)
def grants(account: str, version: str, realms: tuple[str, ...], reports: tuple[str, ...]) -> None:
    """Print the rights that an account needs to read an XDMoD, as SQL.

    Without --realm and --report, those for all statistics and reports.
    """
    everything = not realms and not reports
    asked = (tuple(REALMS), tuple(warehouse.REPORTS)) if everything else (realms, reports)
    for statement in warehouse.grants(account, version, *asked):
        click.echo(statement)


@contextmanager
def _source(
    directories: tuple[Path, ...], url: str | None, resource: str | None, entries: list[Specification] | None
) -> Iterator[Source]:
    if directories and url and _typed("url"):
        raise ConfigurationError("--events and --xdmod are two sources. Name one of them.")
    if directories:
        with Engine() as engine:
            for skipped in engine.read(*directories).skipped:
                number = counted(skipped.records, "records are skipped")
                warn(f"{skipped.path}: {number}, as XDMoD does: {skipped.field}: {skipped.reason}")
            yield EventFiles(engine, directories, resource or _sole(entries))
    elif url:
        with warehouse.Warehouse.open(url) as opened:
            yield opened
    else:
        raise ConfigurationError(
            "Nothing says where the sessions are. Name a folder of event files with --events, or an XDMoD with --xdmod."
        )


def _typed(option: str) -> bool:
    return click.get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE


def _sole(entries: list[Specification] | None) -> str | None:
    """Return the resource of the specifications; of several nobody can tell which the events are of."""
    names = sorted({entry.resource for entry in entries or ()})
    if len(names) > 1:
        raise ConfigurationError(
            f"The resource specifications are of {', '.join(names)}. Say with --resource which the event files are of."
        )
    return names[0] if names else None


def _table(asked: Question, rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    skip = 0 if asked.series else 1
    writer.writerow(("period", "dimension", "value")[skip:])
    writer.writerows(row[skip:] for row in rows)
    return text.getvalue()
