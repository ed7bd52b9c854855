"""Nova, Keystone and Placement, read through their APIs."""

from collectors.openstack.cloud import Cloud
from collectors.openstack.collect import Collected, read_cloud
from collectors.openstack.ownership import read_ownership
from collectors.openstack.servers import list_servers
from collectors.openstack.settings import OpenStackSource

__all__ = ["Cloud", "Collected", "OpenStackSource", "list_servers", "read_cloud", "read_ownership"]
