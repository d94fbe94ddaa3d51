"""Pure trust: keys, records, snapshots, name ownership, history."""
