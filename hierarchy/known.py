"""The projects that a ledger knows, for what is counted by them."""

from hierarchy.facts import known_facts
from hierarchy.history import current
from hierarchy.projects import Projects
from hierarchy.records import Level
from ledger import Ledger
from ledger.database import reading
from ledger.ownership import CloudProject, Organization, Owning, ResearchProject, Share, TreeProject

__all__ = ["known_projects"]


def known_projects(ledger: Ledger) -> Projects:
    """Find the projects by what the ledger knows now; those that are gone keep their titles, for their usage stays."""
    facts = known_facts(ledger)
    with reading(ledger.engine) as connection:
        institutions = [item.display for item in current(connection) if item.level is Level.INSTITUTION]
    records: list[Owning] = [*facts.all(CloudProject), *facts.all(ResearchProject)]
    records += [*facts.present(TreeProject), *facts.present(Share), *facts.present(Organization)]
    return Projects(records, institutions)
