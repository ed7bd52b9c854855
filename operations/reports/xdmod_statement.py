"""Statements for projects and PIs of what an XDMoD has recorded."""

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from operations.reports.statements import Delivered, Material, WantedStatements, delivered
from operations.reports.usage import origin_of
from operations.reports.xdmod import Estate, Resource, xdmod_engine, xdmod_origin
from reporter import Only, Period
from reporter.charges.reckoning import Rates
from reporter.restriction import chosen_of
from reporter.xdmod.warehouse import Warehouse

__all__ = ["xdmod_statements"]


def xdmod_statements(
    warehouse: Warehouse,
    estate: Estate,
    resource: Resource,
    period: Period,
    wanted: WantedStatements,
    rates: Rates | None,
    directory: Path,
) -> Iterator[Delivered]:
    """Write the statements that are wanted of one resource, as `statements` does of a cloud.

    The names of servers and what was done to them are those of the ledger, where it has read the cloud; XDMoD knows
    neither. Raises DataError where there is no session, ConfigurationError for a project or PI that is not there.
    """
    told = estate.told(resource)
    source, version = xdmod_origin(warehouse, resource)
    if told is not None:
        where, read = origin_of(*told)
        source, version = f"{source}; names of servers and their log: {where}", f"{version}; {read}"
    only = Only(project=wanted.project, pi=wanted.pi)
    with xdmod_engine(warehouse, estate, resource, period, only) as loaded:
        material = Material(
            loaded.engine,
            resource.code,
            loaded.owners,
            loaded.projects,
            told,
            source,
            version,
            tuple(loaded.statements),
            loaded.labels,
            loaded.told,
            loaded.names() if only else None,
        )
        if only:
            # The sessions call projects otherwise than they are asked for.
            chosen_of(only, loaded.names(), loaded.owners, loaded.projects)
        wanted = replace(wanted, project=loaded.called(wanted.project))
        yield from delivered(material, period, wanted, rates, directory)
