"""Nova, Keystone and Placement, read through their APIs.

What reads them is handed out by its modules, for it loads openstacksdk, which most commands can do without.
"""

from collectors.openstack.settings import OpenStackSource

__all__ = ["OpenStackSource"]
