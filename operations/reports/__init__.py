"""Reports, from where the data are to files: of usage, statements, lists, and what was published of them."""
