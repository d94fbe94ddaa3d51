"""Pure knowledge of npm packages: names, versions, integrity, packuments, policy."""
