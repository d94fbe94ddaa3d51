"""The configuration files of npm, pnpm, yarn and bun: pointing them at a registry, and back. What npm is configured
with for ourselves is read in `upstream`."""
