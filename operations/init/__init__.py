"""Sets XDMoD up from one file of the site: databases, accounts, its configuration, and the steps of its own set-up."""
