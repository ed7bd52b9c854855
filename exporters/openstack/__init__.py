"""Servers, as the events of which XDMoD makes sessions."""

from exporters.openstack.audit import Told, corrected_servers, expected, first_events, found
from exporters.openstack.export import TARGET, export_news
from exporters.openstack.heartbeats import Grid
from exporters.openstack.scribe import EventFiles, Exported, horizon_of
from exporters.openstack.window import export_window, write_lives

__all__ = [
    "TARGET",
    "EventFiles",
    "Exported",
    "Grid",
    "Told",
    "corrected_servers",
    "expected",
    "export_news",
    "export_window",
    "first_events",
    "found",
    "horizon_of",
    "write_lives",
]
