"""The command line: thin over the functions."""
