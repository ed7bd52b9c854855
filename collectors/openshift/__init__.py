"""OpenShift clusters, by the names under which other systems know them."""

from collectors.openshift.settings import OpenShiftSource

__all__ = ["OpenShiftSource"]
