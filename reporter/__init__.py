"""Quantities to what people read: tables, CSV, PDF."""

from reporter.periods import Period
from reporter.records import Branch, By, Cell, Daily, Group, Line, Only, Portion, Provenance, Table, UsageReport, Used
from reporter.tables import divisions, notes, usage_table
from reporter.usage_report import usage_report
from reporter.writing import write_report

__all__ = [
    "Branch",
    "By",
    "Cell",
    "Daily",
    "Group",
    "Line",
    "Only",
    "Period",
    "Portion",
    "Provenance",
    "Table",
    "UsageReport",
    "Used",
    "divisions",
    "notes",
    "usage_report",
    "usage_table",
    "write_report",
]
