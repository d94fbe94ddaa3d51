"""Gets the tarballs of an install from a registry. What becomes of them is in `modules.unpack`."""
