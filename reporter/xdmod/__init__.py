"""What an XDMoD has recorded, as the source of reports."""
