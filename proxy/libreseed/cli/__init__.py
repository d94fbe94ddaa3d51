"""The command line: commands parse their arguments, call other packages, and print."""
