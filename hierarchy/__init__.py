"""Who owns what, with its history; the four CSVs."""

from hierarchy.facts import SOURCE
from hierarchy.settings import Cloud, CloudKind, HierarchySettings, clouds_of

__all__ = ["SOURCE", "Cloud", "CloudKind", "HierarchySettings", "clouds_of"]
