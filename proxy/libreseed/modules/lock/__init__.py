"""Reads package-lock.json, and lets npm write it. The installed tree is not looked at."""
