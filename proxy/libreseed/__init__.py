"""LibreSeed: an npm-compatible registry proxy over a DHT and BitTorrent, and the bridge to Node."""

__version__ = "0.1.0"
