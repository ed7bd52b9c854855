"""A ledger that is told of hosts, and what is exported of them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner, Result

from cli.export import export
from exporters.hypervisors import ExportedFacts, ExportedSpecs, FactFiles, export_facts, export_specs
from ledger import Hypervisor, Ledger, Mode
from ledger.database import connect, upgrade
from ledger.records import HypervisorName

__all__ = ["A", "B", "C", "HostSite", "Sized"]

#: A host's name, cores and MiB.
Sized = tuple[str, int, int]
A: Sized = ("a", 8, 64)
B: Sized = ("b", 16, 128)
C: Sized = ("c", 8, 64)


@dataclass
class HostSite:
    """The ledger of the cloud `sim`, and the folder where the exports of its resource `stack` go."""

    folder: Path

    def __post_init__(self) -> None:
        url = f"sqlite:///{self.folder / 'ledger.sqlite'}"
        upgrade(connect(url))
        self.ledger, self.outbox = Ledger.open(url), self.folder / "outbox" / "stack" / "hypervisors"
        self.quarantine = self.folder / "outbox" / "stack" / "quarantine"
        (self.folder / "xdmod-cloud.toml").write_text('[[openstack]]\nname = "sim"\ncloud = "c"\nresource = "stack"\n')

    def collect(self, at: str, *hosts: Sized) -> None:
        """Record that at a time (UTC) there were these hosts and, by what was known, no others."""
        time = datetime.fromisoformat(at).replace(tzinfo=UTC)
        known = {host.name: host for host in self.ledger.newest("sim", Hypervisor)}
        there = {HypervisorName(name): Hypervisor(HypervisorName(name), name, vcpus, mib) for name, vcpus, mib in hosts}
        gone = [Hypervisor(name, name, host.vcpus, host.memory_mb, gone=True) for name, host in known.items()]
        with self.ledger.writer("sim") as writer:
            run = writer.begin(Mode.CHANGES, None)
            writer.finish(run, time, time, [*there.values(), *(host for host in gone if host.name not in there)])

    def export(self, *, dry_run: bool = False) -> list[ExportedFacts]:
        return export_facts(self.ledger, "sim", FactFiles(self.outbox, self.quarantine), dry_run=dry_run)

    def facts(self) -> dict[str, list[Sized]]:
        """The hosts of each file in the outbox, by the time in it; what a file is called must agree."""
        found = {}
        for path in sorted(self.outbox.iterdir()) if self.outbox.exists() else []:
            said = json.loads(path.read_bytes())
            assert path.name == f"hypervisor_facts_{said['ts'].removesuffix('Z')}.json"
            hosts = said["hypervisors"]
            found[said["ts"]] = [(host["hypervisor_hostname"], host["vcpus"], host["memory_mb"]) for host in hosts]
        return found

    def bytes(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.outbox.iterdir()}

    def specs(self, file: Path | None = None, resource: str = "stack") -> ExportedSpecs:
        return export_specs(self.ledger, "sim", resource, file, self.quarantine)

    def spans(self) -> list[tuple[str, str | None, int, int, int]]:
        """Each entry's first and last day, nodes, cores, and cores per node."""
        keys = ("cpu_node_count", "cpu_processor_count", "cpu_ppn")
        return [(e["start_date"], e.get("end_date"), *(e[key] for key in keys)) for e in self.specs().entries]

    def command(self, *words: str) -> Result:
        """Run `xdmod-cloud export hypervisors`."""
        config = self.folder / "xdmod-cloud.toml"
        return CliRunner().invoke(export, ["hypervisors", *words], obj=config, standalone_mode=False)
