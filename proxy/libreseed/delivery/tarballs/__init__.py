"""Serves tarballs from the store, the swarm or the upstream. The SHA-512 that they must have comes from the client or
from `delivery.metadata`."""
