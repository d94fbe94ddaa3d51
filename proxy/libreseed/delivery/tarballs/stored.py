"""Finds tarballs in the store. Whose word it is that a blob is the tarball is checked anew: the owner of its name may
have changed."""

from dataclasses import replace

from cachetools import LRUCache

from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.tarballs.download import FoundTarball
from libreseed.delivery.tarballs.expected import Expected
from libreseed.store.tables.catalogue import Catalogue, TarballName
from libreseed.swarm.seeding import Seeding
from libreseed.trust.records import BlobRef

_DEMANDED = 65_536
"""Tarballs that are remembered though only clients say what they are."""


class StoredTarballs:
    """Finds tarballs by name and file in the catalogue, or by the SHA-512 that they must have. A restricted blob is
    found only under the name that it came by, so that nobody gets one by knowing its hash."""

    def __init__(self, catalogue: Catalogue, seeding: Seeding, ownership: Ownership) -> None:
        self._catalogue = catalogue
        self._seeding = seeding
        self._ownership = ownership
        self._demanded: LRUCache[tuple[str, str, bytes], bool] = LRUCache(_DEMANDED)

    async def find(self, name: str, file: str, integrity: bytes | None, *, whole: bool) -> FoundTarball | None:
        """Return the stored tarball `file` of `name`: what has the demanded SHA-512, or else what it is by the word of
        who is believed now. None when there is none.

        With `whole`, as a file; otherwise as bytes when they are in the page cache.
        """
        named = self._catalogue.tarball(name, file)
        is_named = named is not None and self._ownership.believes(TarballName(name, file, named.origin))
        if named is not None and (is_named if integrity is None else integrity == named.digest):
            ref = self._seeding.find(named.digest)
        elif integrity is not None and (name, file, integrity) in self._demanded:
            ref, is_named = self._seeding.shared(integrity), False
        else:
            return None
        if ref is None:
            return None
        data = None if whole else self._seeding.cached(ref.sha512)
        if data is not None:
            return FoundTarball("store", ref.length, digest=ref.sha512, data=data, is_named=is_named)
        if not await self._seeding.check(ref.sha512):
            return None
        file_found = self._seeding.path(ref.sha512)
        return FoundTarball("store", ref.length, file=file_found, digest=ref.sha512, is_named=is_named)

    async def find_expected(self, expected: Expected) -> BlobRef | None:
        """Return the blob with the expected SHA-512 if it is in the store, else None. Save that it is this tarball, if
        somebody who is believed says so, and not only the client."""
        digest = expected.digest
        if digest is None:
            return None
        ref = self._seeding.find(digest)
        if ref is None or not self._may_give(digest, expected) or not await self._seeding.check(digest):
            return None
        if expected.tarball is not None:
            await self._catalogue.name_tarball(expected.tarball, digest)
        else:
            self.note_demanded(expected)
        return ref

    def note_demanded(self, expected: Expected) -> None:
        """A client demands these bytes, and nothing that is known speaks against it: who demands them again gets them
        at once."""
        if expected.digest is not None:
            self._demanded[expected.name, expected.file, expected.digest] = True

    def with_bytes_at_hand(self, found: FoundTarball) -> FoundTarball:
        """Return a tarball with its bytes if they are in the page cache, as those just stored are."""
        data = self._seeding.cached(found.digest) if found.file is not None and found.digest is not None else None
        return found if data is None else replace(found, data=data)

    def _may_give(self, digest: bytes, expected: Expected) -> bool:
        if self._seeding.shared(digest) is not None:
            return True
        return expected.origin is not None and expected.name in self._catalogue.owners(digest)
