"""Helpers around asyncio tasks and threads; nothing in here knows of packages or peers."""
