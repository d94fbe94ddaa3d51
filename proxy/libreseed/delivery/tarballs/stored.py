"""Finds tarballs in the store. The owner of their name is checked anew, since it may have changed."""

from dataclasses import replace

from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.tarballs.download import FoundTarball
from libreseed.delivery.tarballs.expected import Expected, ExpectedTarballs
from libreseed.store.tables.catalogue import Catalogue
from libreseed.swarm.seeding import Seeding
from libreseed.trust.records import BlobRef


class StoredTarballs:
    """Finds tarballs by name and file in the catalogue, or by the SHA-512 that they must have."""

    def __init__(
        self, catalogue: Catalogue, seeding: Seeding, ownership: Ownership, expected: ExpectedTarballs
    ) -> None:
        self._catalogue = catalogue
        self._seeding = seeding
        self._ownership = ownership
        self._expected = expected

    async def find(self, name: str, file: str, integrity: bytes | None, *, whole: bool) -> FoundTarball | None:
        """Return the stored tarball `file` of `name`, None when there is none, or none with the demanded SHA-512.

        With `whole`, as a file; otherwise as bytes when they are in the page cache.
        """
        digest = self._catalogue.tarball(name, file)
        ref = self._seeding.find(digest) if digest is not None else None
        if ref is None or integrity not in (None, digest):
            return None
        if integrity is None and self._ownership.is_declared(name) and not await self._is_owners(name, file, ref):
            return None
        data = None if whole else self._seeding.cached(ref.sha512)
        if data is not None:
            return FoundTarball("store", ref.length, digest=ref.sha512, data=data)
        if not await self._seeding.check(ref.sha512):
            return None
        return FoundTarball("store", ref.length, file=self._seeding.path(ref.sha512), digest=ref.sha512)

    async def find_expected(self, expected: Expected, claimed: bytes | None) -> BlobRef | None:
        """Return the blob with the expected SHA-512 if it is in the store, and save that it is this tarball; else None.

        `claimed` is the SHA-512 that the client demands. When the expected one is known only from the client, a
        restricted blob is not returned, so that nobody gets one by knowing its hash.
        """
        digest = expected.digest
        if digest is None:
            return None
        vouched = expected.vouched or digest != claimed
        ref = self._seeding.find(digest) if vouched else self._seeding.shared(digest)
        if ref is None or not await self._seeding.check(digest):
            return None
        await self._catalogue.name_tarball(expected.name, expected.file, digest)
        return ref

    def with_bytes_at_hand(self, found: FoundTarball) -> FoundTarball:
        """Return a tarball with its bytes if they are in the page cache, as those just stored are."""
        data = self._seeding.cached(found.digest) if found.file is not None and found.digest is not None else None
        return found if data is None else replace(found, data=data)

    async def _is_owners(self, name: str, file: str, ref: BlobRef) -> bool:
        """Tell whether a stored tarball is that of the upstream declared for its name; one stored before the
        declaration may be from elsewhere."""
        expected = await self._expected.expect(name, file, None)
        return self._seeding.shared(ref.sha512) is None if expected.digest is None else expected.digest == ref.sha512
