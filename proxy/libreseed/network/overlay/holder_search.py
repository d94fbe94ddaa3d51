"""Finding who holds a blob: the neighbours are asked first, and then all."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from libreseed.network.overlay.claims import Claim, ClaimBook, read_claims
from libreseed.network.overlay.inquiry import Inquiry
from libreseed.network.overlay.lookup import Lookup

MAX_CLAIMS = 256
"""Claims that one search for holders yields."""
FROM_MANY = 1 << 20
"""Bytes of a blob from which on all its holders are sought, even when a neighbour is one."""
_OURSELVES = ("127.0.0.1", 0)


async def find_claims(
    digest: bytes, target: bytes, inquiry: Inquiry | None, book: ClaimBook, lookup: Lookup
) -> AsyncGenerator[Claim, None]:
    """Yield the claims to hold the blob with this SHA-512, and its key `target`, as they come: by `inquiry` those of
    neighbours, and unless these say that it is small, those in our own `book` and those that the lookup finds."""
    seen: set[Claim] = set()
    if inquiry is not None:
        async with aclosing(inquiry.holders(target)) as holders:
            async for holder in holders:
                for claim in read_claims([holder.claim], digest, holder.address):
                    seen.add(claim)
                    # A neighbour says who else fetches it; a claim that was announced does not.
                    yield replace(claim, others=holder.others)
        if seen and all(claim.length < FROM_MANY for claim in seen):
            return
    for claim in read_claims(book.at(target), digest, _OURSELVES):
        if claim not in seen:
            seen.add(claim)
            yield claim
    async with aclosing(lookup.answers()) as answers:
        async for peer, found in answers:
            for claim in read_claims(found.values, digest, peer.address):
                if claim not in seen and len(seen) < MAX_CLAIMS:
                    seen.add(claim)
                    yield claim
