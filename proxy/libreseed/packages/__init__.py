"""Pure knowledge of npm packages: names, versions, integrity, packuments, policy. No input or output, and no keys:
those are in `trust`."""
