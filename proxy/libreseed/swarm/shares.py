"""Who of those that fetch a torrent together asks its holder, and which pieces each of these begins with.

The first of them ask it at once, each for another part; the others get all from them and from each other, so that
little leaves the holder twice (see `swarm.reserve`).
"""

LARGE = 1 << 20
"""Bytes from which on they are fetched from many, and by TCP."""
DIRECT = 1
"""Hosts that ask the holder of a small torrent at once."""
DIRECT_LARGE = 2
"""Those of a large one: should one leave or be slow, the others have one that is not."""


def direct_hosts(length: int) -> int:
    """Return how many hosts ask the holder of a blob of so many bytes at once."""
    return DIRECT_LARGE if length >= LARGE else DIRECT


def first_share(number: int, direct: int, count: int, pieces: int) -> range:
    """Return the pieces that host `number` (from 0) of `count` begins with, of `pieces`, when `direct` of the hosts ask
    the holder: none when it is alone, or asks others."""
    parts = min(direct, count)
    if parts < 2 or number >= parts:
        return range(0)
    return range(number * pieces // parts, (number + 1) * pieces // parts)
