"""What is on disk: blobs as files and the SQLite database."""
