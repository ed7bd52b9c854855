"""Quantities to what people read: tables, CSV, PDF."""

from reporter.periods import Period
from reporter.records import Branch, Cell, Daily, Group, Line, Only, Portion, Table, UsageReport, Used
from reporter.tables import divisions, notes, usage_table
from reporter.usage_report import usage_report
from reporter.writing import write_report

__all__ = [
    "Branch",
    "Cell",
    "Daily",
    "Group",
    "Line",
    "Only",
    "Period",
    "Portion",
    "Table",
    "UsageReport",
    "Used",
    "divisions",
    "notes",
    "usage_report",
    "usage_table",
    "write_report",
]
