"""Helpers around asyncio tasks and threads, independent of packages and the network."""
