"""Ledger to files that XDMoD shreds: openstack events, hypervisor facts, pods as jobs."""
