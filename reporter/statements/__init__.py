"""The statement of one project or PI, and its files."""
