"""Storage on disk: blobs as files, the trust file and key files, and the SQLite database. It applies no rules of trust
or of the protocol."""
