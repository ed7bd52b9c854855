"""Who owns what, with its history; the four CSVs."""
