"""The records that this node holds: which are let in, and which must make room."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha1
from typing import TypeAlias

from libreseed.errors import EquivocationError, ForbiddenError, TrustError, WrongNameError
from libreseed.network.addresses import prefix_of
from libreseed.network.overlay.distance_index import DistanceIndex
from libreseed.packages.names import KEY_PREFIX
from libreseed.trust.items import SignedItem
from libreseed.trust.keys import format_key
from libreseed.trust.records import check_fresh, check_succession, is_ahead, read_record

log = logging.getLogger(__name__)

_LOADED = b""
"""Stands for the forgotten IP prefix of records from the storage."""

Validator: TypeAlias = Callable[[str, SignedItem, float], None]
"""Checks an item against the key text it is found under and the time (seconds since the epoch).

Raises a TrustError. ExpiredError comes last: an item that raises it is right in all other ways."""


def validate_package(key_text: str, item: SignedItem, now: float) -> None:
    """The Validator of package and mirror records."""
    if not key_text.startswith(KEY_PREFIX):
        raise WrongNameError(f"{key_text[:80]!r} is not the key of a package; refused.")
    check_fresh(item, read_record(item, key_text.removeprefix(KEY_PREFIX), now), now)


def target_of(key_text: str) -> bytes:
    """Return the 20-byte key in the overlay: the SHA-1 of the key text, as Kademlia has it."""
    return sha1(key_text.encode(), usedforsecurity=False).digest()


@dataclass(frozen=True, slots=True)
class RecordLimits:
    """How many records a node holds: in all, of one publisher, from one IP prefix, and publishers under one
    key (in all and from one IP prefix)."""

    total: int = 20_000
    publisher: int = 10_000
    prefix: int = 10_000
    key: int = 32
    key_prefix: int = 8


@dataclass(slots=True)
class Held:
    """A record, the IP prefix that brought it (None: this machine, so it is never evicted), and when anyone
    announced it last (monotonic seconds)."""

    key_text: str
    item: SignedItem
    prefix: bytes | None
    announced_at: float


class RecordBook:
    """Records by target and publisher. `saved`, `removed` and `evidence` are told of every change."""

    def __init__(
        self,
        own_id: bytes,
        validator: Validator,
        *,
        saved: Callable[[str, SignedItem], None],
        removed: Callable[[str, bytes], None],
        evidence: Callable[[str, SignedItem, SignedItem], None],
        limits: RecordLimits | None = None,
    ) -> None:
        self._validator = validator
        self._limits = limits or RecordLimits()
        self._records: dict[bytes, dict[bytes, Held]] = {}
        self._nearness = DistanceIndex(own_id)
        self._count = 0
        self._publishers: Counter[bytes] = Counter()
        self._prefixes: Counter[bytes] = Counter()
        self._saved = saved
        self._removed = removed
        self._evidence = evidence

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Held]:
        return iter([held for records in self._records.values() for held in records.values()])

    def at(self, target: bytes) -> Iterable[Held]:
        """Return the records under a target, the longest held first: a flood of new keys hides no old one."""
        return list(self._records.get(target, {}).values())

    def load(self, key_text: str, item: SignedItem) -> None:
        """Take back a record from the storage; it was checked when it came."""
        self._put(Held(key_text, item, _LOADED, time.monotonic()))

    def catch_up(self, key_text: str, item: SignedItem, now: float) -> None:
        """Take a record that others hold, unless it is refused."""
        try:
            self.accept(key_text, item, now, "127.0.0.1")
        except (TrustError, ForbiddenError) as error:
            log.debug("Our copy of %s stays: %s", key_text, error)

    def accept(self, key_text: str, item: SignedItem, now: float, sender: str | None) -> None:
        """Take a record that `sender` (an IP address, None for this machine) wants stored.

        Raises a TrustError when the record or its place in the publisher's succession is wrong, ForbiddenError
        when a quota is full.
        """
        self._validator(key_text, item, now)
        target = target_of(key_text)
        last = self._records.get(target, {}).get(item.key)
        try:
            check_succession(last.item if last and not is_ahead(last.item.seq, now) else None, item, key_text)
        except EquivocationError:
            if last:
                self._evidence(key_text, last.item, item)
            raise
        if last is None:
            held = Held(key_text, item, prefix_of(sender) if sender else None, time.monotonic())
            if held.prefix is not None:
                self._check_quotas(target, held)
            self._make_room(target, held)
            self._put(held)
        else:
            last.announced_at = time.monotonic()
            if sender is None:
                self._own(last)
            if item.seq == last.item.seq:
                return
            last.item = item
        self._saved(key_text, item)

    def remove(self, held: Held) -> None:
        """Drop a record, for example because it expired."""
        target = target_of(held.key_text)
        records = self._records.get(target, {})
        if records.pop(held.item.key, None) is None:
            return
        self._count -= 1
        _decrease(self._publishers, held.item.key)
        self._own(held)
        if not records:
            del self._records[target]
        self._removed(held.key_text, held.item.key)

    def _put(self, held: Held) -> None:
        target = target_of(held.key_text)
        self._records.setdefault(target, {})[held.item.key] = held
        self._count += 1
        self._publishers[held.item.key] += 1
        if held.prefix is not None:
            self._prefixes[held.prefix] += 1
            self._nearness.add(target)

    def _own(self, held: Held) -> None:
        """Take a record out of what strangers brought, which is what quotas count and eviction takes."""
        if held.prefix is None:
            return
        _decrease(self._prefixes, held.prefix)
        held.prefix = None
        target = target_of(held.key_text)
        if all(one.prefix is None for one in self.at(target)):
            self._nearness.remove(target)

    def _check_quotas(self, target: bytes, held: Held) -> None:
        here = self._records.get(target, {}).values()
        full = (
            ("publisher", self._publishers[held.item.key] >= self._limits.publisher),
            ("address", held.prefix is not None and self._prefixes[held.prefix] >= self._limits.prefix),
            ("name", len(here) >= self._limits.key),
            ("name and address", sum(one.prefix == held.prefix for one in here) >= self._limits.key_prefix),
        )
        for what, is_full in full:
            if is_full:
                raise ForbiddenError(
                    f"No room for {held.key_text} by {format_key(held.item.key)}: the quota of its {what} is full."
                )

    def _make_room(self, target: bytes, held: Held) -> None:
        if len(self) < self._limits.total or held.prefix is None:
            return
        farthest = self._nearness.farthest()
        if farthest is None or self._nearness.rank(farthest) <= self._nearness.rank(target):
            raise ForbiddenError(f"No room for {held.key_text}: all records held are at least as near.")
        for one in self.at(farthest):
            if one.prefix is not None:
                self.remove(one)


def _decrease(counter: Counter[bytes], key: bytes) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
