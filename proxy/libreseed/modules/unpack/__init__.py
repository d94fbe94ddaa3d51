"""Unpacks checked tarballs, and takes files that were unpacked before. Where they end up is decided in
`modules.tree`."""
