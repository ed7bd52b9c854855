"""Whether today's data still give a published report: it is made again, and compared file by file and line by line."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb

from ledger import ConfigurationError, Ledger
from operations.configuration import Configuration
from operations.reports.published import Publication, Request, altered
from operations.reports.rates import rates_of, read_cards
from operations.reports.statements import Delivered, WantedStatements, statements
from operations.reports.usage import report_usage
from operations.reports.xdmod import Estate, report_xdmod_usage, resources
from operations.reports.xdmod_statement import xdmod_statements
from reporter.charges.reckoning import Rates
from reporter.csvs import digest_of
from reporter.sessions import queried
from reporter.xdmod.warehouse import Warehouse

__all__ = ["Difference", "Verdict", "reverify"]

_EXAMPLES = 5

#: Every line that one of two files has more often than the other, with how many times more the first has it.
_LINES = """
WITH lines AS (
    SELECT line, 1 AS n FROM read_csv($was, {as_lines}) UNION ALL SELECT line, -1 FROM read_csv($now, {as_lines})
)
SELECT line, sum(n)::BIGINT AS n FROM lines GROUP BY line HAVING sum(n) <> 0
"""
_AS_LINES = (
    "columns = {'line': 'VARCHAR'}, header = false, auto_detect = false, delim = '\\x01', quote = '', escape = '',"
    " null_padding = true, max_line_size = 10000000"
)


class Difference(NamedTuple):
    """What is otherwise in a file: how many lines are gone and how many are new, with some of each.

    All are one or the other where there is no such file in the published report, or none that is as it was, or today.
    """

    file: str
    gone: int
    new: int
    examples: tuple[str, ...]


class Verdict(NamedTuple):
    """A published report, which of its kept files were altered, and how what today's data give differs from it."""

    publication: Publication
    altered: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Whether it is as it was, and would be made so again."""
        return not self.altered and not self.differences


def reverify(configuration: Configuration, url: str | None, published: Path, one: Publication) -> Verdict:
    """Make a published report again, by the same rate card, and compare.

    `url` is that of the XDMoD, for a report of what it has recorded. Raises ConfigurationError where the cloud or what
    was asked for is no longer there, DataError where nothing is known of the period any more.
    """
    changed = altered(published, one)
    published_as = {file.name: file.sha256 for file in one.data}
    with TemporaryDirectory(prefix="xdmod-cloud-") as folder:
        kept = published / one.id
        files = _made_again(configuration, url, one.request, _rates(kept, one), Path(folder))
        now = {file.name: file for file in files if file.suffix == ".csv"}
        differences = []
        for name in sorted({*now, *published_as}):
            was = None if name in changed else kept / name
            found = _difference(name, published_as.get(name), was, now.get(name))
            differences += [found] if found else []
    return Verdict(one, tuple(changed), tuple(differences))


def _rates(kept: Path, one: Publication) -> Rates | None:
    return rates_of(read_cards([kept / one.rates]), one.request.resource) if one.rates else None


def _made_again(
    configuration: Configuration, url: str | None, asked: Request, rates: Rates | None, folder: Path
) -> list[Path]:
    if asked.xdmod:
        if url is None:
            raise ConfigurationError(
                "The report is of what an XDMoD has recorded. Name this XDMoD with --xdmod, or in XDMOD_CLOUD_XDMOD."
            )
        return _made_of_xdmod(configuration, url, asked, rates, folder)
    (settings,) = configuration.chosen((asked.source,))
    ledger = Ledger.open(configuration.ledger_url)
    if asked.report == "usage":
        return list(report_usage(ledger, settings, asked.period, folder, asked.only, asked.by, rates).files)
    return _asked_for(asked, statements(ledger, settings, asked.period, _wanted(asked), rates, folder))


def _made_of_xdmod(
    configuration: Configuration, url: str, asked: Request, rates: Rates | None, folder: Path
) -> list[Path]:
    with Warehouse.open(url) as warehouse:
        estate = Estate(configuration)
        (resource,) = resources(warehouse, estate, [asked.resource])
        if asked.report == "usage":
            said = report_xdmod_usage(warehouse, estate, resource, asked.period, folder, asked.only, asked.by, rates)
            return list(said.files)
        made = xdmod_statements(warehouse, estate, resource, asked.period, _wanted(asked), rates, folder)
        return _asked_for(asked, made)


def _wanted(asked: Request) -> WantedStatements:
    return WantedStatements(asked.only.project, asked.only.pi)


def _asked_for(asked: Request, made: Iterator[Delivered]) -> list[Path]:
    return next((one.files for one in made if one.statement.subject == asked.subject), [])


def _difference(name: str, digest: str | None, was: Path | None, now: Path | None) -> Difference | None:
    """What is otherwise than in the file that was published with a digest, `was` as far as it is still that one."""
    if now is not None and digest_of(now) == digest:
        return None
    with TemporaryDirectory(prefix="xdmod-cloud-") as folder, queried(), duckdb.connect() as engine:
        nothing = Path(folder) / name
        nothing.touch()
        files = {"was": str(was if was is not None and was.is_file() else nothing), "now": str(now or nothing)}
        engine.execute(f"CREATE TABLE unlike AS {_LINES.format(as_lines=_AS_LINES)}", files)
        counted = "SELECT coalesce(sum(n) FILTER (n > 0), 0), -coalesce(sum(n) FILTER (n < 0), 0) FROM unlike"
        ((gone, new),) = engine.execute(counted).fetchall()
        rows = engine.execute("SELECT line, n FROM unlike ORDER BY line, n DESC LIMIT ?", [_EXAMPLES]).fetchall()
    return Difference(name, int(gone), int(new), tuple(f"{'-' if n > 0 else '+'} {line}" for line, n in rows))
