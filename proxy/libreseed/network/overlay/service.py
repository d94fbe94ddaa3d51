"""What this node answers to others."""

import logging
import time
from collections.abc import Collection, Sequence
from typing import Protocol

from libreseed.errors import ForbiddenError, InvalidInputError, TrustError
from libreseed.network.addresses import Address
from libreseed.network.overlay import messages
from libreseed.network.overlay.claims import ClaimBook, HeldBlob, pack_self, read_blobs
from libreseed.network.overlay.introductions import Introductions
from libreseed.network.overlay.messages import MAX_BUNDLES, MAX_NAMED, Want
from libreseed.network.overlay.neighbours import Neighbours
from libreseed.network.overlay.recordbook import RecordBook
from libreseed.network.overlay.routing import Peer
from libreseed.network.udp.tokens import Tokens
from libreseed.network.udp.wire import Fields, Handler
from libreseed.trust.items import SignedItem
from libreseed.trust.records import Endpoint

log = logging.getLogger(__name__)


class Bundles(Protocol):
    """Makes torrents of several own blobs."""

    def bundle(self, digests: Sequence[bytes], fetched: Collection[bytes]) -> Sequence[bytes]:
        """Return the v2 infohashes of torrents with the blobs of these SHA-512, which are seeded from now on. `fetched`
        are those of them that somebody else fetches by their own torrents."""

    def members(self, v2: bytes) -> bytes:
        """Return what is in one of them, packed; empty when that is unknown."""


class NoBundles:
    """Makes none."""

    def bundle(self, *_: object) -> Sequence[bytes]:
        """Return nothing."""
        return ()

    def members(self, _: bytes) -> bytes:
        """Return nothing."""
        return b""


_ANYTHING = b""
"""Stands for whatever is asked of us, among what nodes are introduced for."""


class Service:
    """The handlers of the eight requests (see messages). Nothing else can be called from outside."""

    def __init__(
        self,
        neighbours: Neighbours,
        *,
        records: RecordBook,
        claims: ClaimBook,
        own_blobs: dict[bytes, HeldBlob],
        bundles: Bundles,
        k: int,
    ) -> None:
        """`bundles` makes the torrents of own blobs that somebody asks for (see `Overlay`)."""
        self._neighbours = neighbours
        self._records = records
        self._claims = claims
        self._own_blobs = own_blobs
        self._bundles = bundles
        self._k = k
        self._tokens = Tokens()
        self._introductions = Introductions()
        self.handlers: dict[str, Handler] = {
            "ping": self._ping,
            "find": self._find,
            "store": self._store,
            "announce": self._announce,
            "have": self._have,
            "bundle": self._bundle,
            "members": self._members,
            "join": self._join,
        }

    def _ping(self, sender: Address, fields: Fields) -> Fields:
        self._meet(sender, fields)
        return self._answer()

    def _find(self, sender: Address, fields: Fields) -> Fields:
        asker = self._meet(sender, fields)
        target, want = messages.read_find(fields)
        nodes = self._nearest(target, sender, asker)
        values: list[bytes] = []
        if want is Want.RECORDS:
            values = messages.fit(held.item.encode() for held in self._records.at(target))
        elif want is Want.CLAIMS:
            values = self._claims.at(target)
            port = self._neighbours.own.p2p_port
            if port and (own := self._own_blobs.get(target)):
                values.insert(0, pack_self(own.pack_reference(), port))
        return self._answer(self._tokens.issue(sender[0]), *messages.pack_nodes(nodes), values)

    def _store(self, sender: Address, fields: Fields) -> Fields:
        self._meet(sender, fields)
        token, key_text, item = messages.read_store(fields)
        try:
            self._check_token(sender, token)
            self._records.accept(key_text, SignedItem.decode(item), time.time(), sender[0])
        except (TrustError, ForbiddenError) as error:
            log.info("Record from %s:%d refused: %s", *sender, error)
            return self._answer(0)
        return self._answer(1)

    def _announce(self, sender: Address, fields: Fields) -> Fields:
        asker = self._meet(sender, fields)
        token, packed = messages.read_announce(fields)
        if not asker.p2p_port:
            raise InvalidInputError("An announcement without a BitTorrent port.")
        accepted = 0
        try:
            self._check_token(sender, token)
            for target, reference in read_blobs(packed):
                self._claims.accept(target, reference, (sender[0], asker.p2p_port))
                accepted += 1
        except ForbiddenError as error:
            log.info("Announcement of %s:%d refused: %s", *sender, error)
        return self._answer(accepted)

    def _have(self, sender: Address, fields: Fields) -> Fields:
        asker = self._asker(sender, self._meet(sender, fields))
        targets = messages.read_have(fields)
        blobs = self._own_blobs if self._neighbours.own.p2p_port else {}
        held = b"".join(each + blobs[each].pack_reference() for each in targets if each in blobs)
        return self._answer(held, self._introductions.introduce(_ANYTHING, asker).count - 1)

    def _bundle(self, sender: Address, fields: Fields) -> Fields:
        asker = self._asker(sender, self._meet(sender, fields))
        found = {target: own for target in messages.read_bundle(fields) if (own := self._own_blobs.get(target))}
        fetched = {own.digest for target, own in found.items() if self._introductions.count_others(target, asker)}
        # Who fetches a blob by its own torrent has told us by a join.
        keys = {own.v2: target for target, own in found.items()}
        bundles = self._bundles.bundle([own.digest for own in found.values()], fetched)[:MAX_BUNDLES]
        entries = [(v2, self._introductions.introduce(keys.get(v2, v2), asker)) for v2 in bundles]
        return self._answer([[v2, *messages.pack_introduction(met, MAX_NAMED)] for v2, met in entries])

    def _members(self, sender: Address, fields: Fields) -> Fields:
        """The answer is long: it is given only to who has answered from its address."""
        asker = self._asker(sender, self._meet(sender, fields))
        v2 = messages.read_members(fields)
        return self._answer(self._bundles.members(v2) if asker is not None else b"")

    def _join(self, sender: Address, fields: Fields) -> Fields:
        asker = self._asker(sender, self._meet(sender, fields))
        met = self._introductions.introduce(messages.read_join(fields), asker)
        return self._answer(*messages.pack_introduction(met))

    def _asker(self, sender: Address, header: messages.Header) -> Endpoint | None:
        """Return where others may reach who asks. Only a peer that has answered us from its address is named to others:
        a forged request would else lead them all to somebody who asked for nothing."""
        known = self._neighbours.table.get(header.node_id) if header.node_id else None
        is_real = known is not None and known.address == sender and header.p2p_port
        return (sender[0], header.p2p_port) if is_real else None

    def _nearest(self, target: bytes, sender: Address, asker: messages.Header) -> list[Peer]:
        silent = self._neighbours.wire.round_trips.is_silent
        nearest = self._neighbours.table.closest(target, 2 * self._k)
        others = (peer for peer in nearest if sender != peer.address and asker.node_id != peer.id)
        return [peer for peer in others if not silent(peer.address)][: self._k]

    def _meet(self, sender: Address, fields: Fields) -> messages.Header:
        header = messages.read_header(fields)
        self._neighbours.noticed(sender, header)
        return header

    def _check_token(self, sender: Address, token: bytes) -> None:
        if not self._tokens.accepts(sender[0], token):
            raise ForbiddenError("The write token is not one of this address.")

    def _answer(self, *fields: object) -> Fields:
        own = self._neighbours.own
        return [own.node_id, own.p2p_port, *fields]
