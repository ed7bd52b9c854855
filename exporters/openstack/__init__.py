"""Servers, as the events of which XDMoD makes sessions."""

from exporters.openstack.audit import Told, expected, found
from exporters.openstack.export import TARGET, export_news
from exporters.openstack.heartbeats import Grid
from exporters.openstack.scribe import EventFiles, Exported
from exporters.openstack.window import export_window, write_lives

__all__ = [
    "TARGET",
    "EventFiles",
    "Exported",
    "Grid",
    "Told",
    "expected",
    "export_news",
    "export_window",
    "found",
    "write_lives",
]
