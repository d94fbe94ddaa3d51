"""Rates as users write them."""

import re

import click

_RATE = re.compile(r"(\d{1,12})([KMG]?)", re.IGNORECASE)
_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def read_rate(text: object) -> int:
    """Return bytes a second from a whole number, and K, M or G for so many KiB, MiB or GiB; the type of an option.

    Raises click.BadParameter.
    """
    match = _RATE.fullmatch(str(text))
    if match is None:
        raise click.BadParameter(f"{text!r} is no rate. Write bytes a second, such as 500K or 5M; 0 is no limit.")
    return int(match[1]) * _FACTORS[match[2].upper()]
