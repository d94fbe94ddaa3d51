"""Keys, signed items, records, snapshots, release histories, and whom the user trusts: formats and checks, without
input or output. Records are looked up by `network`, and the checks applied by `delivery.metadata`."""
