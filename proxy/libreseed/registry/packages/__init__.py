"""Endpoints of packages: packuments, tarballs, publishing, search, audits. What they answer is decided in `delivery`
and `publishing`."""
