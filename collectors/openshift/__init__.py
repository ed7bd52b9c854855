"""OpenShift clusters: pods, nodes, namespaces and claims, read from the Prometheus or Thanos that watches them."""

from collectors.openshift.settings import OpenShiftSource

__all__ = ["OpenShiftSource"]
