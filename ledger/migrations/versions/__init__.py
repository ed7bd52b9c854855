"""The ledger's versions, each a step from the one before."""
