"""Show the main job on a machine without a cloud: what a real one answered is served again, and made use of."""
