"""Serves the metadata of packages: packuments, signatures, search, audits, from the store, records or the upstream,
under the trust rules and the policy. Tarballs are served by `delivery.tarballs`."""
