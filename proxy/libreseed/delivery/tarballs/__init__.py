"""Gets the tarball of a package from the store, the swarm or the upstream. What may be believed of it,
`delivery.metadata` says."""
