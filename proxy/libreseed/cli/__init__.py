"""The command line: parses, prints, nothing else."""
