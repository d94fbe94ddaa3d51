"""Which part of a torrent a host begins with, so that hosts that fetch together do not all order the same pieces.

The hosts' numbers are spread by the van der Corput sequence: 0, 1/2, 1/4, 3/4, 1/8 … of the torrent. So the parts of
any number of hosts lie apart, and the first ones keep their place when more come.
"""


def first_share(number: int, count: int, pieces: int) -> range:
    """Return the pieces that host `number` (from 0) of `count` begins with, of `pieces`: none when it is alone."""
    if count < 2:
        return range(0)
    bits = (count - 1).bit_length()
    parts = 1 << bits
    part = int(f"{number % parts:0{bits}b}"[::-1], 2)
    return range(part * pieces // parts, (part + 1) * pieces // parts)
