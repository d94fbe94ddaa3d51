"""The way of a request: from the store, the swarm or the upstream."""
