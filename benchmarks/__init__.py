"""Time, rate and peak memory of the main paths, on growing sizes."""
