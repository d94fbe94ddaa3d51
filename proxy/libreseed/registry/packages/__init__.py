"""Endpoints of packages: packuments, tarballs, publishing, search, audits. Their content comes from `delivery` and
`publishing`."""
