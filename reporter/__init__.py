"""Quantities to what people read: tables, CSV, PDF."""

from reporter.periods import Period
from reporter.records import Cell, Daily, Group, Line, Table, UsageReport, Used
from reporter.tables import divisions, notes, usage_table
from reporter.usage_report import usage_report
from reporter.writing import write_report

__all__ = [
    "Cell",
    "Daily",
    "Group",
    "Line",
    "Period",
    "Table",
    "UsageReport",
    "Used",
    "divisions",
    "notes",
    "usage_report",
    "usage_table",
    "write_report",
]
