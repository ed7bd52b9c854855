"""Nova, Keystone and Placement, read through their APIs."""
