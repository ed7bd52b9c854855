"""How the site does: from the ledger and the outbox only, for people and for Prometheus."""
