"""Statements for projects and PIs: from sessions to lines, charges and the transaction log, and files."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import duckdb
from msgspec import Struct
from msgspec.structs import replace

from collectors.openstack import OpenStackSource
from hierarchy.known import known_projects
from hierarchy.owners import Owner, owners
from hierarchy.projects import Projects
from ledger import Ledger, Server
from operations.reports.statement_log import Span, StatementLog
from operations.reports.transactions import watermark
from operations.reports.usage import known_names, ledger_sessions, origin_of, owner_labels
from reporter import Only, Period, usage_report
from reporter.charges.priced import charged_query, scoped, told_scope
from reporter.charges.reckoning import Rates, charges_of, reckon
from reporter.engine_sessions import EngineSessions
from reporter.files import folder_of
from reporter.naming import Called, Labels
from reporter.records import UNKNOWN, Provenance
from reporter.restriction import Chosen, Names, chosen_of
from reporter.sessions import bounds, filled, queried
from reporter.statements.files import write_statement
from reporter.statements.lines import LINES, make_lines, name_projects, name_servers, read_lines
from reporter.statements.records import Statement
from usage import Engine

__all__ = ["Delivered", "Material", "WantedStatements", "delivered", "statements"]


class WantedStatements(Struct, frozen=True):
    """For whom statements are asked for: one project with all in it, or one PI; neither: each project of the cloud."""

    project: str | None = None
    pi: str | None = None


class Delivered(NamedTuple):
    """A statement, to be read before the next one is asked for, and the files that it was written to."""

    statement: Statement
    files: list[Path]
    provenance: Provenance


class _Subject(NamedTuple):
    """For whom a statement is: what that is called, and what it comes to.

    With `alone` the sessions of the project that was chosen are reported alone; else all are, restricted to `only`.
    """

    called: str
    chosen: Chosen
    only: Only = Only()
    alone: bool = False


class Material(NamedTuple):
    """What the statements of one cloud are made of, which XDMoD calls `resource`.

    `told` is the ledger that knows what its servers were called and what was done to them; None where none does. With
    `labels` the sessions have, instead of a domain, a key of who owns them, and their projects are shown by these;
    `called` is what the cloud calls those that it calls otherwise. `names` are users and PIs that may be asked for
    beside those of the sessions.
    """

    engine: Engine
    resource: str
    owners: Sequence[Owner]
    projects: Projects
    told: tuple[Ledger, OpenStackSource] | None
    source: str
    version: str
    query: tuple[str, ...] = ()
    labels: Labels | None = None
    called: Mapping[str, Called] = MappingProxyType({})
    names: Names | None = None


def statements(
    ledger: Ledger,
    settings: OpenStackSource,
    period: Period,
    wanted: WantedStatements,
    rates: Rates | None,
    directory: Path,
) -> Iterator[Delivered]:
    """Write the statements that are wanted of one cloud, each into a folder of its own, and yield them one by one.

    Raises DataError for a cloud that was never read or had no server in the period, ConfigurationError for a project
    or PI that is not there.
    """
    watermark(ledger, settings)
    window = period.start, period.end
    with ledger_sessions(ledger, settings, window) as engine:
        material = Material(
            engine,
            settings.resource,
            owners(ledger, settings.name, window, owner_labels(ledger, settings.name)),
            known_projects(ledger),
            (ledger, settings),
            *origin_of(ledger, settings),
            names=known_names(ledger, settings, Only(pi=wanted.pi)),
        )
        yield from delivered(material, period, wanted, rates, directory)


def delivered(
    material: Material, period: Period, wanted: WantedStatements, rates: Rates | None, directory: Path
) -> Iterator[Delivered]:
    """Write the statements that are wanted, as `statements` does."""
    desk = _Desk(material, period, rates)
    for subject in desk.subjects(wanted):
        statement, provenance = desk.statement(subject), desk.provenance(subject)
        files = write_statement(statement, directory / folder_of(subject.called), provenance)
        yield Delivered(statement, files, provenance)


#: What projects are shown as, their names, and the domains where several have one name.
_SUBJECTS = """
SELECT DISTINCT label, project, label IS DISTINCT FROM project AS doubled, CASE WHEN doubled THEN domain END AS domain
FROM charged ORDER BY label NULLS LAST, domain NULLS LAST
"""


def _subject(label: str | None, name: str | None, doubled: bool, domain: str | None) -> _Subject:
    chosen = Chosen(called=(name,), domain=(domain,) if doubled else None)
    return _Subject(f"project {UNKNOWN if label is None else label}", chosen, alone=True)


def _leave(cursor: duckdb.DuckDBPyConnection, chosen: Chosen) -> None:
    """Leave no other sessions in the engine than those of the project that was chosen."""
    query, values = "CREATE OR REPLACE TABLE sessions AS FROM everything WHERE true", list[str | None]()
    for column, name in (("project", chosen.called), ("domain", chosen.domain)):
        if name is not None:
            query += f" AND {column} IS NOT DISTINCT FROM ?"
            values.append(name[0])
    cursor.execute(query, values)


class _Desk:
    """What all statements of one cloud have in common, made once."""

    def __init__(self, material: Material, period: Period, rates: Rates | None) -> None:
        self._material, self._period, self._rates = material, period, rates
        self._engine, self._owners, self._projects = material.engine, material.owners, material.projects
        self._reckoned = reckon(
            self._engine, material.resource, period, self._owners, self._projects, rates, material.labels
        )
        self._log = None
        if material.told is not None:
            ledger, settings = material.told
            self._log = StatementLog(self._engine.connection, owner_labels(ledger, settings.name))
        with queried(), self._engine.connection.cursor() as cursor:
            name_projects(cursor, self._reckoned, self._projects)
            name_servers(cursor, self._server_names())

    def subjects(self, wanted: WantedStatements) -> list[_Subject]:
        """For whom statements are; reads what was done to their servers."""
        with queried(), self._engine.connection.cursor() as cursor:
            if wanted != WantedStatements():
                only = Only(project=wanted.project, pi=wanted.pi)
                names = EngineSessions(self._engine, more=self._material.names).names()
                chosen = chosen_of(only, names, self._owners, self._projects)
                found = [_Subject(str(only), chosen, only)]
            else:
                cursor.execute("CREATE OR REPLACE TABLE everything AS FROM sessions ORDER BY project")
                found = [_subject(*row) for row in cursor.execute(_SUBJECTS).fetchall()]
        if self._log is not None and self._material.told is not None:
            spans = self._spans(found[0].chosen if len(found) == 1 else Chosen())
            self._log.read(*self._material.told, self._period, spans)
        return found

    def statement(self, subject: _Subject) -> Statement:
        """Make a statement; its lines and log last until the next one is made."""
        if self._log is not None:
            self._log.choose(self._spans(subject.chosen))
        with queried(), self._engine.connection.cursor() as cursor:
            more = make_lines(cursor, self._reckoned, subject.chosen, self._projects)
            charges = charges_of(cursor, self._reckoned, self._rates, subject.chosen) if self._rates else None
            if subject.alone:
                _leave(cursor, subject.chosen)
        source = EngineSessions(self._engine, self._reckoned.labels)
        report = usage_report(source, self._period, self._owners, self._projects, subject.only)
        return Statement(
            subject=subject.called,
            resource=self._material.resource,
            report=replace(report, charges=charges),
            lines=partial(read_lines, self._engine.connection, self._reckoned, more),
            log=partial(iter, self._log) if self._log is not None else None,
        )

    def provenance(self, subject: _Subject) -> Provenance:
        """What a statement is made of."""
        rates, material = self._rates, self._material
        priced = () if rates is None else (filled(charged_query(rates.card), bounds(self._period)),)
        lines = LINES.format(scope=told_scope(self._reckoned.cuts, subject.chosen)).strip()
        return Provenance(
            source=material.source,
            version=material.version,
            query=(*material.query, *priced, lines),
            digests=() if rates is None else ((rates.file.name, rates.digest),),
        )

    def _spans(self, chosen: Chosen) -> list[Span]:
        """When which projects, as sessions call them, are in what was chosen."""
        with queried(), self._engine.connection.cursor() as cursor:
            scope, values = scoped(cursor, self._reckoned.cuts, chosen)
            domain = "domain" if self._material.labels is None else "NULL"
            cursor.execute(f"SELECT project, {domain}, since, until FROM whose WHERE {scope}", values)
            called = self._material.called
            return [(*called.get(project, (project, of)), *span) for project, of, *span in cursor.fetchall()]

    def _server_names(self) -> Iterator[tuple[str, datetime, str]]:
        if self._material.told is None:
            return
        ledger, settings = self._material.told
        seq, window = watermark(ledger, settings).seq, (self._period.start, self._period.end)
        for instance, entries in ledger.lives(settings.name, seq, window=window):
            before = None
            for _, observed, found in entries:
                if isinstance(found, Server) and found.name != before:
                    before = found.name
                    yield instance, observed, found.name
