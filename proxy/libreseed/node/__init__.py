"""Composes a running node of its parts, a layer at a time. What a part does is in its own folder."""
