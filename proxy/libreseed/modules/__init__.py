"""Installs into `.libreseed_modules` and runs from it, as a client of a node. Nothing in here is part of a running
node."""
