"""The configuration files of npm, pnpm, yarn and bun: setting their registry, and undoing that. npm's configuration of
the upstream is read in `upstream`."""
