"""Fetches the tarballs of an install from a registry. They are unpacked by `modules.unpack`."""
