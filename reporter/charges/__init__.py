"""What usage costs by a rate card, summed, divided and shown."""
