"""Runs install scripts: those of packages that are allowed, and the project's own. Other scripts are run by
`modules.run`."""
