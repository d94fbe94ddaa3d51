"""A client of the upstream: the npm registries that this node falls back to, as npm or the configuration file names
them. Whether one is asked at all is decided in `delivery`."""
