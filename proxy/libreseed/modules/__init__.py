"""Installs packages into `.libreseed_modules` and runs programs with them, as a client of a node. Nothing in here is
part of a running node."""
