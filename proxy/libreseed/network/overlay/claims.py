"""Claims: who holds which blob, as its holders announced it themselves (the overlay's `announce_peer`, BEP 5)."""

import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from libreseed.errors import BadRecordError, ForbiddenError, InvalidInputError
from libreseed.network.addresses import Address, is_plausible, prefix_of
from libreseed.network.overlay.distance_index import DistanceIndex
from libreseed.network.overlay.recordbook import target_of
from libreseed.packages.integrity import content_key
from libreseed.trust.records import Endpoint, pack_endpoint, unpack_endpoint

log = logging.getLogger(__name__)

LIFETIME = 3600.0
"""Seconds for which a claim stands when it is not announced again."""
MAX_ANSWER = 24
"""Claims of one key in one answer."""
SELF = ("0.0.0.0", 0)  # noqa: S104  # never bound: it stands for whoever sends it
_REF = 20 + 32 + 6
_BLOB = 20 + _REF


@dataclass(frozen=True, slots=True)
class HeldBlob:
    """A blob that this node seeds: SHA-512 (64 bytes), infohashes (20 and 32 bytes), length in bytes.

    Raises InvalidInputError for a wrong size."""

    digest: bytes
    v1: bytes
    v2: bytes
    length: int

    def __post_init__(self) -> None:
        sizes = (len(self.digest), len(self.v1), len(self.v2))
        if sizes != (64, 20, 32) or not 0 < self.length < 1 << 48:
            raise InvalidInputError("A blob whose SHA-512, infohashes or length have a wrong size.")

    @property
    def target(self) -> bytes:
        """The 20-byte overlay key."""
        return target_of(content_key(self.digest))

    def pack_reference(self) -> bytes:
        """Return what a claim says besides its endpoint: 58 bytes."""
        return self.v1 + self.v2 + self.length.to_bytes(6, "big")


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody's claim to hold the bytes with this SHA-512. Only the sender's address in it is proved: check
    the bytes."""

    digest: bytes
    v1: bytes
    v2: bytes
    length: int
    endpoint: Endpoint
    others: int | None = None
    """How many other nodes asked its holder for anything lately; None when the holder was not asked."""


def pack_self(reference: bytes, p2p_port: int) -> bytes:
    """Return a claim of the node that answers, which does not know its own address."""
    return reference + pack_endpoint((SELF[0], p2p_port))


def read_claim(data: bytes, digest: bytes, told_by: Address) -> Claim:
    """Read one claim in the answer of the node at `told_by`. Raises InvalidInputError."""
    try:
        endpoint = unpack_endpoint(data[_REF:])
    except BadRecordError as error:
        raise InvalidInputError("A claim of a wrong length.") from error
    if endpoint[0] == SELF[0]:
        endpoint = (told_by[0], endpoint[1])
    length = int.from_bytes(data[52:_REF], "big")
    if not length or not is_plausible(endpoint, told_by[0]):
        raise InvalidInputError("A claim without length, or with an address that cannot be.")
    return Claim(digest, data[:20], data[20:52], length, endpoint)


def read_claims(values: Iterable[bytes], digest: bytes, told_by: Address) -> Iterator[Claim]:
    """Yield each claim in an answer of the node at `told_by`, without those that cannot be."""
    for value in values:
        try:
            yield read_claim(value, digest, told_by)
        except InvalidInputError as error:
            log.debug("A claim told by %s:%d is dropped: %s", *told_by, error)


def read_blobs(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (target, reference) of each packed blob; there is at least one. Raises InvalidInputError."""
    if not data or len(data) % _BLOB:
        raise InvalidInputError("Packed blobs of a wrong length.")
    for at in range(0, len(data), _BLOB):
        yield data[at : at + 20], data[at + 20 : at + _BLOB]


@dataclass(frozen=True, slots=True)
class ClaimLimits:
    """How many claims a node holds: in all, from one IP prefix, of one key, and of one key from one prefix."""

    total: int = 200_000
    prefix: int = 20_000
    key: int = 32
    key_prefix: int = 8


class ClaimBook:
    """Claims by target and endpoint, each for LIFETIME after it was last announced."""

    def __init__(
        self, own_id: bytes, limits: ClaimLimits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits or ClaimLimits()
        self._clock = clock
        self._claims: dict[bytes, dict[Endpoint, bytes]] = {}
        self._expiries: OrderedDict[tuple[bytes, Endpoint], float] = OrderedDict()
        self._prefixes: Counter[bytes] = Counter()
        self._nearness = DistanceIndex(own_id)

    def __len__(self) -> int:
        return len(self._expiries)

    def at(self, target: bytes) -> list[bytes]:
        """Return the packed claims of a target, the latest announced first, at most MAX_ANSWER."""
        self._expire()
        claims = self._claims.get(target, {})
        return [reference + pack_endpoint(endpoint) for endpoint, reference in reversed(claims.items())][:MAX_ANSWER]

    def accept(self, target: bytes, reference: bytes, endpoint: Endpoint) -> None:
        """Take a claim of `endpoint`, whose IP address is the sender's. Raises ForbiddenError when a quota is full."""
        self._expire()
        claims = self._claims.get(target, {})
        if endpoint not in claims:
            self._make_room(target, prefix_of(endpoint[0]))
            claims = self._claims.setdefault(target, {})
            self._prefixes[prefix_of(endpoint[0])] += 1
            self._nearness.add(target)
        claims.pop(endpoint, None)
        claims[endpoint] = reference
        self._expiries.pop((target, endpoint), None)
        self._expiries[target, endpoint] = self._clock() + LIFETIME

    def _make_room(self, target: bytes, prefix: bytes) -> None:
        if self._prefixes[prefix] >= self._limits.prefix:
            raise ForbiddenError("No room for a claim: the quota of its address is full.")
        claims = self._claims.get(target, {})
        same = [endpoint for endpoint in claims if prefix_of(endpoint[0]) == prefix]
        if len(same) >= self._limits.key_prefix:
            self._remove(target, same[0])
        elif len(claims) >= self._limits.key:
            self._remove(target, next(iter(claims)))
        elif len(self) >= self._limits.total:
            farthest = self._nearness.farthest()
            if farthest is None or self._nearness.rank(farthest) <= self._nearness.rank(target):
                raise ForbiddenError("No room for a claim: all claims held are at least as near.")
            for endpoint in list(self._claims[farthest]):
                self._remove(farthest, endpoint)

    def _expire(self) -> None:
        now = self._clock()
        while self._expiries:
            (target, endpoint), expiry = next(iter(self._expiries.items()))
            if expiry > now:
                return
            self._remove(target, endpoint)

    def _remove(self, target: bytes, endpoint: Endpoint) -> None:
        claims = self._claims[target]
        del claims[endpoint], self._expiries[target, endpoint]
        prefix = prefix_of(endpoint[0])
        self._prefixes[prefix] -= 1
        if not claims:
            del self._claims[target]
            self._nearness.remove(target)
