"""What is on disk: blobs as files, small files of the user's, and the SQLite database. No rule of trust or protocol
is in here."""
