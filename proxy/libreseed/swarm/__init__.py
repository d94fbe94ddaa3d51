"""Moves bytes by BitTorrent: torrents, the session, downloads, seeding. Who holds what is found in `network`."""
