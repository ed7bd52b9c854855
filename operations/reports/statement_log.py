"""The transaction logs of statements: read once for all of them, then given out project by project."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import duckdb
import msgspec

from collectors.openstack import OpenStackSource
from hierarchy.owners import Label
from ledger import Ledger
from ledger.text import DOMAIN_WIDTH, PROJECT_WIDTH, fitted
from operations.reports.transactions import Wanted, transactions
from reporter import Period
from reporter.sessions import inserted, queried
from reporter.transactions import Transaction

__all__ = ["Span", "StatementLog"]

_ROWS_AT_ONCE = 5_000

_READ = """
SELECT body FROM told WHERE EXISTS (
    FROM told_of WHERE told_of.project = told.project AND told_of.since <= told.moment AND told.moment < told_of.until
) ORDER BY number
"""

#: What sessions call a project and its domain, and a time `[since, until)` in seconds since 1970.
Span = tuple[str | None, str | None, int, int]


class StatementLog:
    """What was done to the servers of projects, each named as sessions name it; `labels` are their names by id."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, labels: Mapping[str, Collection[Label]]) -> None:
        self._connection = connection
        self._called: dict[str, list[tuple[str | None, str]]] = defaultdict(list)
        for id, of in labels.items():
            for label in of:
                domain = fitted(label.domain, DOMAIN_WIDTH) if label.domain else None
                self._called[fitted(label.name, PROJECT_WIDTH)].append((domain, id))

    def read(self, ledger: Ledger, source: OpenStackSource, period: Period, spans: Sequence[Span]) -> None:
        """Read the actions of a period on the servers of the projects of some spans."""
        ids = {id for project, domain, *_ in spans for id in self._ids(project, domain)}
        with queried(), self._connection.cursor() as cursor:
            cursor.execute("CREATE OR REPLACE TABLE told (project VARCHAR, moment BIGINT, number BIGINT, body BLOB)")
            with transactions(ledger, [source], period, Wanted()) as found:
                batch = list[tuple[str, int, int, bytes]]()
                for number, one in enumerate(one for one in found if one.project_id in ids):
                    batch.append((one.project_id, int(one.at.timestamp()), number, msgspec.msgpack.encode(one)))
                    if len(batch) == _ROWS_AT_ONCE:
                        inserted(cursor, "told", batch)
                        batch.clear()
                inserted(cursor, "told", batch)

    def choose(self, spans: Iterable[Span]) -> None:
        """Leave in the log what was done in these spans only."""
        rows = [(id, since, until) for project, domain, since, until in spans for id in self._ids(project, domain)]
        with queried(), self._connection.cursor() as cursor:
            cursor.execute("CREATE OR REPLACE TABLE told_of (project VARCHAR, since BIGINT, until BIGINT)")
            inserted(cursor, "told_of", rows)

    def __iter__(self) -> Iterator[Transaction]:
        decode = msgspec.msgpack.Decoder(Transaction).decode
        with queried(), self._connection.cursor() as cursor:
            cursor.execute(_READ)
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                yield from (decode(body) for (body,) in rows)

    def _ids(self, project: str | None, domain: str | None) -> Iterator[str]:
        for of_domain, id in self._called.get(project, ()) if project is not None else ():
            if domain is None or of_domain is None or of_domain == domain:
                yield id
