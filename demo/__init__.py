"""The main job on recorded answers of a real Nova."""
