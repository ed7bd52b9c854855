"""What an operator does: collect, export, report, verify, each as one call."""
