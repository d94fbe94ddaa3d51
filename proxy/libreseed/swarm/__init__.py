"""Moving bytes: torrents, the BitTorrent session, fetching and seeding."""
