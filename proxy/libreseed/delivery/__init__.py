"""Answers what clients read: metadata, tarballs, and the blobs that both consist of. What changes a package is in
`publishing`."""
