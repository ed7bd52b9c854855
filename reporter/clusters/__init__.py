"""What pods used and cost, by namespace, pod and class."""
