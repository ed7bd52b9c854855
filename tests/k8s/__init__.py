"""Tests of the Kubernetes manifests, none of which needs a cluster."""
