"""Gets one blob by its SHA-512 from the swarm, whoever wants it. Which blob a tarball is, is decided in
`delivery.tarballs`."""
