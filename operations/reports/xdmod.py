"""Reports from what an XDMoD has recorded: its resources, and whose their sessions are."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from collectors.openstack import OpenStackSource
from hierarchy.known import known_projects
from hierarchy.names import folded
from hierarchy.owners import ALWAYS, Label, Owner, owners
from hierarchy.projects import Projects
from ledger import ConfigurationError, DataError, Ledger
from ledger.ownership import ProjectKey
from operations.configuration import Configuration
from operations.reports.session_list import WantedSessions
from operations.reports.usage import Reported, known_names, owner_labels, written
from reporter import By, Only, Period, usage_report
from reporter.charges.reckoning import Rates, charged
from reporter.charges.records import Charges
from reporter.engine_sessions import EngineSessions
from reporter.naming import Called, Labels, meant, near, spellings
from reporter.records import UNKNOWN
from reporter.restriction import Names
from reporter.session_list import Chosen
from reporter.xdmod.job_list import job_lines, job_names, job_resources
from reporter.xdmod.sessions import Owned, XdmodSessions
from reporter.xdmod.warehouse import Warehouse
from usage import Engine

__all__ = [
    "Estate",
    "Loaded",
    "Resource",
    "list_xdmod_jobs",
    "list_xdmod_sessions",
    "report_xdmod_usage",
    "resources",
    "xdmod_engine",
    "xdmod_origin",
]

_EVERYTHING = Only()
_SHOWN = 10


class Resource(Struct, frozen=True):
    """A resource of XDMoD, by its id and what resources.json calls it, and which cloud it is in the configuration."""

    id: int
    code: str
    cloud: OpenStackSource | None


class Estate:
    """What is known beside XDMoD: the configuration, if there is one, and its ledger as soon as it is asked for."""

    def __init__(self, configuration: Configuration | None) -> None:
        self.configuration = configuration

    def owned(self, resource: Resource, period: Period) -> tuple[list[Owner], Projects | None]:
        """Who owned the projects of a resource, and which projects there are, by the hierarchy.

        No owner where the ledger knows of none; then XDMoD's own names count.
        """
        if resource.cloud is None or self.configuration is None:
            return [], None
        ledger = self.ledger(self.configuration)
        name = resource.cloud.name
        found = owners(ledger, name, (period.start, period.end), owner_labels(ledger, name))
        return found, known_projects(ledger) if found else None

    def names(self, resource: Resource, only: Only) -> Names | None:
        """The users and PIs of a resource that the ledger knows of, if it is asked for one."""
        if only.pi is None or resource.cloud is None or self.configuration is None:
            return None
        return known_names(self.ledger(self.configuration), resource.cloud, Only(pi=only.pi))

    def told(self, resource: Resource) -> tuple[Ledger, OpenStackSource] | None:
        """The ledger that has read the cloud of a resource; None where there is none."""
        if resource.cloud is None or self.configuration is None:
            return None
        ledger = self.ledger(self.configuration)
        return None if ledger.watermark(resource.cloud.name) is None else (ledger, resource.cloud)

    @staticmethod
    def ledger(configuration: Configuration) -> Ledger:
        """Open the ledger."""
        return Ledger.open(configuration.ledger_url, configuration.ledger_archive)


def resources(warehouse: Warehouse, estate: Estate, names: Sequence[str]) -> list[Resource]:
    """The resources of those names, of resources.json or of the configuration; none: all that have sessions.

    Raises ConfigurationError for a name that is not there, DataError where no resource has sessions.
    """
    known = warehouse.resources()
    clouds = {} if estate.configuration is None else {one.name: one for one in estate.configuration.openstack}
    by_code = {cloud.resource: cloud for cloud in clouds.values()}
    codes = [clouds[name].resource if name in clouds else name for name in names]
    for name, code in zip(names, codes, strict=True):
        if code not in known:
            raise _no_resource(known, f'"{name}"' if name == code else f'"{code}", as the configuration calls {name}')
    if not names:
        there = {int(key) for (key,) in warehouse.ask("SELECT DISTINCT resource_id FROM modw_cloud.session_records")}
        codes = sorted(code for code, key in known.items() if key in there)
        if not codes:
            raise DataError("XDMoD has no session of any cloud. Shred and ingest events first, or name another XDMoD.")
    return [Resource(known[code], code, by_code.get(code)) for code in dict.fromkeys(codes)]


class Loaded(NamedTuple):
    """An engine with the sessions of a resource, who owned their projects, and which projects there are.

    Where nobody knows that but XDMoD, it is `by_xdmod`: then their domain stands for who owns them, their projects are
    called as they are shown, and `owned` tells what they are called else. `names` has the users and PIs that may be
    asked for.
    """

    engine: Engine
    owners: list[Owner]
    projects: Projects
    by_xdmod: bool
    statements: list[str]
    names: Callable[[], Names]
    owned: Sequence[Owned]

    @property
    def labels(self) -> Labels | None:
        """How projects are shown; None where that is for the sessions to tell."""
        return Labels() if self.by_xdmod else None

    @property
    def told(self) -> dict[str, Called]:
        """What the cloud calls the projects that are called otherwise here."""
        return {one.project: one.called for one in self.owned if one.project != one.called[0]}

    def called(self, project: str | None) -> str | None:
        """What the sessions call a project that is asked for."""
        if project is None or project in {one.project for one in self.owned}:
            return project
        spelled = {folded(spellings(one.called)[1]): one.project for one in self.owned}
        return spelled.get(folded(project), project)


@contextmanager
def xdmod_engine(
    warehouse: Warehouse, estate: Estate, resource: Resource, period: Period, only: Only = _EVERYTHING
) -> Iterator[Loaded]:
    """An engine with the sessions of a resource that touch a period, as it rebuilds them from events.

    Raises DataError where there is none.
    """
    found, projects = estate.owned(resource, period)
    with Engine() as engine:
        source = XdmodSessions(warehouse, engine, resource.id, owned=not found, more=estate.names(resource, only))
        owned = source.load(period)
        if not engine.connection.execute("SELECT 1 FROM sessions LIMIT 1").fetchall():
            raise DataError(
                f"XDMoD has no session of {resource.code} in {period.name} ({period.zone}). Ingest its events, or"
                " choose another period."
            )
        yield Loaded(
            engine,
            found or list(map(_owner, owned)),
            projects or Projects(),
            not found,
            list(source.statements),
            source.names,
            owned,
        )


def _owner(one: Owned) -> Owner:
    """XDMoD knows no research projects: each project of the cloud stands for itself."""
    institution, pi, identity = (name or UNKNOWN for name in one.who)
    key = ProjectKey(one.project)
    return Owner(Label(one.project, one.domain), *ALWAYS, institution, pi, identity, key, key)


@contextmanager
def _sessions(
    warehouse: Warehouse,
    estate: Estate,
    resource: Resource,
    period: Period,
    only: Only = _EVERYTHING,
    threads: int | None = None,
) -> Iterator[tuple[XdmodSessions, list[Owner], Projects | None]]:
    found, projects = estate.owned(resource, period)
    with Engine(memory_limit="96MB", threads=threads) as engine:
        more = estate.names(resource, only)
        yield XdmodSessions(warehouse, engine, resource.id, owned=not found, more=more), found, projects


def report_xdmod_usage(
    warehouse: Warehouse,
    estate: Estate,
    resource: Resource,
    period: Period,
    directory: Path,
    only: Only = _EVERYTHING,
    by: Sequence[By] = (),
    rates: Rates | None = None,
) -> Reported:
    """Report a period of one resource, as `report_usage` does of a cloud."""
    with _sessions(warehouse, estate, resource, period, only) as (source, owned, projects):
        report = usage_report(source, period, owned, projects, only, by)
        if rates and not by and report.total.sessions:
            report = replace(report, charges=_charges(warehouse, estate, resource, period, rates, only))
        name = resource.code
        return written(report, source, directory, name, name, owned, *xdmod_origin(warehouse, resource))


def _charges(
    warehouse: Warehouse, estate: Estate, resource: Resource, period: Period, rates: Rates, only: Only
) -> Charges:
    with xdmod_engine(warehouse, estate, resource, period, only) as loaded:
        asked = replace(only, project=loaded.called(only.project))
        names = EngineSessions(loaded.engine, more=loaded.names()).names() if only else None
        parts = loaded.engine, resource.code, period, loaded.owners, loaded.projects
        return charged(*parts, rates, asked, loaded.labels, names)


def xdmod_origin(warehouse: Warehouse, resource: Resource) -> tuple[str, str]:
    """Return which XDMoD it is, and how new its sessions are."""
    changed = warehouse.written
    version = f"sessions last modified {changed:%Y-%m-%d %H:%M:%S} UTC" if changed else "no sessions"
    return f"XDMoD {warehouse.version} at {warehouse.host}, resource {resource.code}", version


def list_xdmod_sessions(
    warehouse: Warehouse, estate: Estate, chosen: Sequence[Resource], period: Period, wanted: WantedSessions
) -> Iterator[str]:
    """Return the lines of all sessions of some resources that touch a period, many at once.

    Raises ConfigurationError where none of the resources has what is asked for, before there is a line.
    """
    asked = Chosen() if wanted == WantedSessions() else _chosen(warehouse, estate, chosen, period, wanted)
    return (lines for resource in chosen for lines in _lines(warehouse, estate, resource, period, asked))


def _lines(warehouse: Warehouse, estate: Estate, resource: Resource, period: Period, wanted: Chosen) -> Iterator[str]:
    # The database has its own part to do meanwhile.
    with _sessions(warehouse, estate, resource, period, threads=1) as (source, owned, _):
        yield from source.listed(resource.code, period, owned, wanted)


def _called(warehouse: Warehouse, word: str) -> frozenset[str]:
    """What the sessions of a project are called by that has an id in the cloud."""
    found = warehouse.ask("SELECT display FROM modw_cloud.account WHERE provider_account = :word", {"word": word})
    return frozenset(str(name) for (name,) in found if name is not None)


def _chosen(
    warehouse: Warehouse, estate: Estate, chosen: Sequence[Resource], period: Period, wanted: WantedSessions
) -> Chosen:
    """The names, as sessions bear them, of what is asked for."""
    there: dict[str, set[str]] = {"project": set(), "user": set(), "institution": set()}
    for resource in chosen:
        with _sessions(warehouse, estate, resource, period) as (source, owned, _):
            names = source.names()
        there["project"] |= names.projects
        there["user"] |= names.users
        there["institution"] |= names.institutions | {owner.institution for owner in owned}
    found = dict[str, frozenset[str]]()
    for what, names_there in there.items():
        word, known = getattr(wanted, what), names_there - {UNKNOWN}
        if word is not None:
            name = meant(word, {*known, UNKNOWN} if what == "institution" else known)
            by_id = _called(warehouse, word) & known if what == "project" else frozenset()
            found[what] = by_id | (frozenset() if name is None else {name})
            if not found[what]:
                some = ", ".join(sorted(known)[:_SHOWN]) + (", …" if len(known) > _SHOWN else "")
                raise ConfigurationError(f'XDMoD has no {what} "{word}" (it has: {some or "none"}).')
    return Chosen(
        projects=found.get("project"),
        users=found.get("user"),
        institution=next(iter(found.get("institution", ())), None),
    )


def list_xdmod_jobs(
    warehouse: Warehouse, names: Sequence[str], period: Period, wanted: WantedSessions
) -> Iterator[str]:
    """Return the lines of all jobs that touch a period, many at once; of the resources of those names, or of all.

    Raises ConfigurationError for a name that is not there, or that no job bears, and where an institution is asked for.
    """
    if wanted.institution is not None:
        raise ConfigurationError("XDMoD's jobs name no institution. Ask for them by --project or --user.")
    known = job_resources(warehouse)
    for name in names:
        if name not in known:
            raise _no_resource(known, f'"{name}"')
    ids = [known[name] for name in names]
    project, user = wanted.project, wanted.user
    if project is not None or user is not None:
        projects, users = job_names(warehouse, ids)
        project = None if project is None else _borne("project", project, projects)
        user = None if user is None else _borne("user", user, users)
    return job_lines(warehouse, ids, period, project, user)


def _borne(what: str, word: str, names: Collection[str]) -> str:
    """The name that is meant of those that jobs bear."""
    name = meant(word, names)
    if name is None:
        raise ConfigurationError(f'No job in XDMoD is of a {what} "{word}".{near(word, names)}')
    return name


def _no_resource(known: Iterable[str], called: str) -> ConfigurationError:
    names = sorted(known)
    some = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return ConfigurationError(f"XDMoD has no resource {called} (it has: {some or 'none'}). Name one of these.")
