"""Finds records and holders. The bytes themselves are moved in `swarm`."""
