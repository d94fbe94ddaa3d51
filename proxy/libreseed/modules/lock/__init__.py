"""Reads package-lock.json, and lets npm write it. What is on the disk besides is not looked at."""
