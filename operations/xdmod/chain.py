"""The whole way from the clouds into XDMoD: collect, export, import, shred, ingest, each after what it needs."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from hierarchy import Cloud, CloudKind
from ledger import ConfigurationError, Ledger, SourceUnavailable
from operations.configuration import Configuration
from operations.hierarchy import collect_hierarchy, export_hierarchy
from operations.xdmod.commands import Commands
from operations.xdmod.importing import Imported, import_hierarchy
from operations.xdmod.ingest import Ingested, ingest
from operations.xdmod.pending import Pending
from operations.xdmod.shred import Shredded, shred
from operations.xdmod.trouble import Trouble, trouble

__all__ = ["Run", "Written", "run", "shred_all"]

Progress = Callable[[str, int, int], None]


class Written(Struct, frozen=True):
    """What one cloud's export wrote: files, records in them, and records that do not fit the schema."""

    source: str
    files: int
    records: int
    unfit: int


class Run(Struct):
    """What one run of the chain did, and what went wrong in it."""

    collected: dict[str, dict[str, int]] = {}
    written: list[Written] = []
    imported: list[Imported] = []
    shredded: list[Shredded] = []
    ingested: Ingested | None = None
    retried: int = 0
    warnings: list[str] = []
    troubles: list[Trouble] = []

    @property
    def exit_code(self) -> int:
        """The highest of all: try again later before wrong configuration before data."""
        codes = [one.exit_code for one in self.troubles + (self.ingested.troubles if self.ingested else [])]
        left = any(one.faulty or one.untried for one in self.shredded) or any(one.unfit for one in self.written)
        aside = any(counts.get("rejected") for counts in self.collected.values())
        return max([int(left or aside), *codes])


def run(ledger: Ledger, configuration: Configuration, names: Sequence[str], progress: Progress) -> Run:
    """Read the clouds of those names, all if none is named, and bring what is new into XDMoD.

    A cloud that fails keeps the others from nothing. Without its owners nothing is ingested: where an import fails, the
    files wait. Raises ConfigurationError for a name that is not configured.
    """
    done, clouds = Run(), _chosen(configuration, names)
    for cloud in clouds:
        with trouble(done.troubles, cloud.name):
            _READERS[cloud.kind](ledger, configuration, cloud, progress, done)
    with (
        trouble(done.troubles, "hand-over to XDMoD"),
        Commands.alone(configuration.xdmod, configuration.outbox, ledger) as commands,
    ):
        pending = Pending(configuration.outbox)
        if configuration.coldfront or configuration.keycloak or configuration.hierarchy.keystone:
            with trouble(done.troubles, "hierarchy"):
                _read_hierarchy(ledger, configuration, pending, progress, done)
        done.imported = import_hierarchy(ledger, configuration, commands, pending)
        if shred_all(ledger, configuration, commands, clouds, done):
            done.ingested = ingest(configuration, commands, pending)
        done.retried = commands.retried
    return done


def shred_all(
    ledger: Ledger, configuration: Configuration, commands: Commands, clouds: Iterable[Cloud], done: Run
) -> bool:
    """Shred what lies in the outbox for some clouds; returns whether XDMoD's database was there to the end."""
    for cloud in clouds:
        try:
            with trouble(done.troubles, f"shred {cloud.resource}", through=SourceUnavailable):
                for part in shred(ledger, configuration, commands, cloud):
                    done.shredded.append(part)
        except SourceUnavailable as error:
            # Whoever comes next needs the same database.
            done.troubles.append(Trouble.of(f"shred {cloud.resource}", error))
            return False
    return True


def _chosen(configuration: Configuration, names: Sequence[str]) -> Iterable[Cloud]:
    known = {cloud.name: cloud for cloud in configuration.clouds}
    if not known:
        raise ConfigurationError(f"{configuration.file} names no cloud. Add a table [[openstack]].")
    for name in names:
        if name not in known:
            raise ConfigurationError(f'{configuration.file} has no cloud "{name}" (it has: {", ".join(known)}).')
    return [known[name] for name in dict.fromkeys(names)] or list(known.values())


def _read_openstack(ledger: Ledger, configuration: Configuration, cloud: Cloud, progress: Progress, done: Run) -> None:
    # openstacksdk takes long to load, and only here is it needed.
    from operations.collect import collect_openstack
    from operations.export import export_hypervisors, export_openstack

    (source,) = configuration.chosen((cloud.name,))
    collected = collect_openstack(ledger, source, progress)
    done.collected[source.name] = collected.counts
    done.warnings += collected.warnings
    events = export_openstack(ledger, configuration, source)
    facts = export_hypervisors(ledger, configuration, source).facts
    files = [file for event in events for file in event.files] + [file for fact in facts for file in fact.files]
    unfit = sum(len(event.unfit) for event in events) + sum(len(fact.unfit) for fact in facts)
    done.written.append(Written(source.name, len(files), sum(file.records for file in files), unfit))


def _read_openshift(ledger: Ledger, configuration: Configuration, cloud: Cloud, progress: Progress, done: Run) -> None:
    from operations.collect import collect_openshift
    from operations.export import export_openshift

    source = next(one for one in configuration.openshift if one.name == cloud.name)
    if source.url is None:
        return
    counts: Counter[str] = Counter()
    for collected in collect_openshift(ledger, source, progress):
        counts.update(collected.counts)
        done.warnings += collected.warnings
    done.collected[source.name] = dict(counts)
    jobs = export_openshift(ledger, configuration, source)
    done.warnings += [f"{source.name}: {part.late.warning}" for part in jobs if part.late.warning]
    files = [file for part in jobs for file in part.files]
    unfit = sum(len(part.unfit) for part in jobs)
    done.written.append(Written(source.name, len(files), sum(file.records for file in files), unfit))


#: How clouds of each kind are read and exported.
_READERS: dict[CloudKind, Callable[[Ledger, Configuration, Cloud, Progress, Run], None]] = {
    CloudKind.OPENSTACK: _read_openstack,
    CloudKind.OPENSHIFT: _read_openshift,
}


def _read_hierarchy(
    ledger: Ledger, configuration: Configuration, pending: Pending, progress: Progress, done: Run
) -> None:
    collected = collect_hierarchy(ledger, configuration, progress)
    done.collected[collected.source] = collected.counts
    exported = export_hierarchy(ledger, configuration, changed_only=True)
    done.warnings += [*collected.warnings, *exported.warnings]
    if exported.moved and exported.moved_since:
        # Noted before the files leave the outbox: after that nobody can tell any more.
        pending.again(exported.moved_since.date())
