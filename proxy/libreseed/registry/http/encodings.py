"""Negotiation of the content coding by Accept-Encoding (RFC 9110, 12.5.3)."""

from collections.abc import Sequence

IDENTITY = "identity"


def choose_encoding(accept: str | None, offered: Sequence[str]) -> str:
    """Return the coding of `offered` with the highest weight in the Accept-Encoding header `accept`; of equal ones the
    first in `offered`.

    "identity" without the header, and when none of `offered` is acceptable.
    """
    weights = dict(map(_read, (accept or "").split(",")))
    rest = weights.get("*", 0.0)
    best, best_weight = IDENTITY, weights.get(IDENTITY, 0.0)
    for coding in reversed(offered):
        weight = weights.get(coding, rest)
        if weight > 0 and weight >= best_weight:
            best, best_weight = coding, weight
    return best


def _read(entry: str) -> tuple[str, float]:
    coding, _, parameter = entry.partition(";")
    coding = coding.strip().lower()
    name, _, value = parameter.partition("=")
    if name.strip().lower() != "q":
        return "gzip" if coding == "x-gzip" else coding, 1.0
    try:
        weight = float(value)
    except ValueError:
        weight = 0.0
    return coding, weight if 0 <= weight <= 1 else 0.0
