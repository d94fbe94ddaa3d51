"""Says what a package is: packuments, records, trust, policy, search, audits. Bytes of tarballs are in
`delivery.tarballs`."""
