"""The one command, xdmod-cloud: parses, calls, prints."""
