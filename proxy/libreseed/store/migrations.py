"""The schema of the database, as a list of migrations. Never change one that was released: append another."""

import sqlite3

from libreseed.errors import StoreError

_STEPS = (
    """
    CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

    -- What is in the store as a file named by its SHA-512, and its torrent.
    CREATE TABLE blobs (
        sha512 BLOB PRIMARY KEY, v1 BLOB NOT NULL, v2 BLOB NOT NULL, length INTEGER NOT NULL,
        metadata BLOB NOT NULL, shared INTEGER NOT NULL
    );
    CREATE TABLE tarballs (
        name TEXT NOT NULL, file TEXT NOT NULL, sha512 BLOB NOT NULL REFERENCES blobs (sha512),
        PRIMARY KEY (name, file)
    ) WITHOUT ROWID;

    -- Packuments that came from elsewhere, as zlib-packed JSON; `origin` is 'upstream', 'publisher KEY'
    -- or 'mirror KEY', `torrents` what a publisher's snapshot says of the versions.
    CREATE TABLE packuments (
        name TEXT PRIMARY KEY, origin TEXT NOT NULL, body BLOB NOT NULL, torrents BLOB NOT NULL,
        etag TEXT, last_modified TEXT, restricted INTEGER NOT NULL, checked REAL NOT NULL
    );

    -- Packages published here.
    CREATE TABLE publications (name TEXT PRIMARY KEY, packument BLOB NOT NULL, torrents BLOB NOT NULL);
    CREATE TABLE history (
        name TEXT NOT NULL, position INTEGER NOT NULL, event BLOB NOT NULL, PRIMARY KEY (name, position)
    ) WITHOUT ROWID;

    -- Records signed here, and the newest seen of others.
    CREATE TABLE signed_records (
        name TEXT PRIMARY KEY, item BLOB NOT NULL, snapshot BLOB NOT NULL, signed REAL NOT NULL
    );
    CREATE TABLE seen_records (
        name TEXT NOT NULL, publisher BLOB NOT NULL, item BLOB NOT NULL, PRIMARY KEY (name, publisher)
    ) WITHOUT ROWID;
    CREATE TABLE evidence (
        key_text TEXT NOT NULL, publisher BLOB NOT NULL, first BLOB NOT NULL, second BLOB NOT NULL,
        PRIMARY KEY (key_text, publisher)
    ) WITHOUT ROWID;

    -- What the overlay holds for others.
    CREATE TABLE overlay_records (
        key_text TEXT NOT NULL, publisher BLOB NOT NULL, item BLOB NOT NULL, PRIMARY KEY (key_text, publisher)
    ) WITHOUT ROWID;
    CREATE TABLE contacts (
        ip TEXT NOT NULL, port INTEGER NOT NULL, p2p_port INTEGER NOT NULL, PRIMARY KEY (ip, port)
    ) WITHOUT ROWID;

    CREATE TABLE accounts (name TEXT PRIMARY KEY, password BLOB NOT NULL, created REAL NOT NULL);
    CREATE TABLE tokens (
        hash BLOB PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts (name), created REAL NOT NULL
    );
    """,
    """
    -- The upstream's JSON documents other than packuments, by path, such as its signing keys.
    CREATE TABLE documents (path TEXT PRIMARY KEY, body BLOB NOT NULL, checked REAL NOT NULL) WITHOUT ROWID;

    -- What search finds; `search.rowid` is `listings.id`, `package` the JSON that clients show. Names in `unlisted`
    -- changed since they were read for it.
    CREATE TABLE listings (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
        origin TEXT, restricted INTEGER NOT NULL, package BLOB NOT NULL
    );
    CREATE VIRTUAL TABLE search USING fts5 (name, description, keywords, maintainers, prefix = '2 3');
    CREATE TABLE unlisted (name TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TRIGGER packument_saved AFTER INSERT ON packuments
        BEGIN INSERT OR IGNORE INTO unlisted VALUES (new.name); END;
    CREATE TRIGGER packument_changed AFTER UPDATE OF origin, body, restricted ON packuments
        BEGIN INSERT OR IGNORE INTO unlisted VALUES (new.name); END;
    CREATE TRIGGER packument_removed AFTER DELETE ON packuments
        BEGIN INSERT OR IGNORE INTO unlisted VALUES (old.name); END;
    CREATE TRIGGER publication_saved AFTER INSERT ON publications
        BEGIN INSERT OR IGNORE INTO unlisted VALUES (new.name); END;
    CREATE TRIGGER publication_changed AFTER UPDATE ON publications
        BEGIN INSERT OR IGNORE INTO unlisted VALUES (new.name); END;
    CREATE TRIGGER publication_removed AFTER DELETE ON publications
        BEGIN INSERT OR IGNORE INTO unlisted VALUES (old.name); END;
    INSERT INTO unlisted SELECT name FROM packuments UNION SELECT name FROM publications;
    """,
    """
    CREATE TABLE stars (
        account TEXT NOT NULL REFERENCES accounts (name), name TEXT NOT NULL, PRIMARY KEY (account, name)
    ) WITHOUT ROWID;
    """,
    """
    -- Packuments as they are sent, by content coding; `revision` is that of the packument they were made of.
    CREATE TABLE prepared (
        name TEXT NOT NULL, short INTEGER NOT NULL, base_url TEXT NOT NULL, revision BLOB NOT NULL,
        etag TEXT NOT NULL, modified TEXT NOT NULL, zstd BLOB NOT NULL, gzip BLOB, PRIMARY KEY (name, short)
    );
    """,
    """
    -- `shown` is how a token begins, for its owner to know it by; `limits` and `profile` are JSON.
    ALTER TABLE tokens ADD COLUMN shown TEXT NOT NULL DEFAULT '';
    ALTER TABLE tokens ADD COLUMN label TEXT NOT NULL DEFAULT '';
    ALTER TABLE tokens ADD COLUMN limits BLOB NOT NULL DEFAULT '{}';
    ALTER TABLE accounts ADD COLUMN profile BLOB NOT NULL DEFAULT '{}';

    -- One-time passwords: `mode` is npm's, `pending` until a first code was right.
    CREATE TABLE second_factors (
        account TEXT PRIMARY KEY REFERENCES accounts (name), secret BLOB NOT NULL, mode TEXT NOT NULL,
        pending INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE recovery_codes (
        account TEXT NOT NULL REFERENCES accounts (name), hash BLOB NOT NULL, PRIMARY KEY (account, hash)
    ) WITHOUT ROWID;
    """,
    """
    -- What was measured of peers; `saved_at` is in seconds since the epoch.
    CREATE TABLE seeders (
        ip TEXT NOT NULL, port INTEGER NOT NULL, verified REAL NOT NULL, lies REAL NOT NULL, saved_at REAL NOT NULL,
        PRIMARY KEY (ip, port)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE seeders ADD COLUMN failed REAL NOT NULL DEFAULT 0;
    ALTER TABLE seeders ADD COLUMN looks REAL NOT NULL DEFAULT 0;
    ALTER TABLE seeders ADD COLUMN up REAL NOT NULL DEFAULT 0;
    ALTER TABLE seeders ADD COLUMN latency REAL NOT NULL DEFAULT 0;
    """,
    """
    -- Whose word it is that a tarball is this blob, as in `packuments`, or 'published'; empty when that is unknown.
    ALTER TABLE tarballs ADD COLUMN origin TEXT NOT NULL DEFAULT '';
    """,
    """
    -- Blobs that came here as the snapshot of a record, and for nothing else.
    CREATE TABLE fetched_snapshots (sha512 BLOB PRIMARY KEY) WITHOUT ROWID;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Run the migrations that this database lacks, counted by `user_version`. Raises StoreError when it has more than
    there are."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(_STEPS):
        raise StoreError("The database was written by a newer LibreSeed.", hint="Upgrade, or choose another --root.")
    for number, step in enumerate(_STEPS[version:], version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
