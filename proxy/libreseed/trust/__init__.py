"""Pure trust: keys, records, snapshots, name ownership, history. No input or output; records are found in `network`,
and read in `delivery.metadata`."""
