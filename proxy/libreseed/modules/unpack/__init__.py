"""Unpacks checked tarballs, and links or copies packages that were unpacked before. They are laid out by
`modules.tree`."""
