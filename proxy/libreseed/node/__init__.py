"""Composes a running node of its parts, layer by layer. The parts themselves are in the other packages."""
