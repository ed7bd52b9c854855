"""Hypervisors, as the facts and the capacities that XDMoD reads."""

from exporters.hypervisors.export import TARGET, ExportedFacts, FactFiles, export_facts
from exporters.hypervisors.specs import ExportedSpecs, export_specs

__all__ = ["TARGET", "ExportedFacts", "ExportedSpecs", "FactFiles", "export_facts", "export_specs"]
