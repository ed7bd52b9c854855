"""Servers, as the events of which XDMoD makes sessions."""

from exporters.openstack.export import EventFiles, Exported, export_news, export_window
from exporters.openstack.heartbeats import Grid

__all__ = ["EventFiles", "Exported", "Grid", "export_news", "export_window"]
