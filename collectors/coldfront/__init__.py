"""ColdFront, read through its core API or the allocation list of OpenStack and OpenShift sites."""

from collectors.coldfront.read import read_coldfront
from collectors.coldfront.settings import ColdFrontSource

__all__ = ["ColdFrontSource", "read_coldfront"]
