"""Delivers tarballs: from the store, else from the swarm or the upstream, fetched once for all concurrent requests."""

import logging

from libreseed.concurrency.single_flight import SingleFlight
from libreseed.delivery.metadata.bundled import BundledPackage
from libreseed.delivery.tarballs.download import FoundTarball, SharedDownload
from libreseed.delivery.tarballs.expected import ExpectedTarballs
from libreseed.delivery.tarballs.policy import TarballPolicy
from libreseed.delivery.tarballs.race import TarballRace
from libreseed.delivery.tarballs.stored import StoredTarballs
from libreseed.errors import LibreseedError, UnavailableError
from libreseed.packages.names import check_name
from libreseed.swarm.seeding import Seeding
from libreseed.upstream.via import came_through

log = logging.getLogger(__name__)

_Key = tuple[str, str, bytes | None, tuple[str, ...]]
"""Name, file, demanded SHA-512, and the nodes that the request came through (see `upstream.via`)."""


class TarballDelivery:
    """Finds the tarballs that clients ask for, if the policy allows them."""

    def __init__(
        self,
        *,
        policy: TarballPolicy,
        bundled: BundledPackage,
        expected: ExpectedTarballs,
        stored: StoredTarballs,
        race: TarballRace,
        seeding: Seeding,
    ) -> None:
        self._policy = policy
        self._bundled = bundled
        self._expected = expected
        self._stored = stored
        self._race = race
        self._seeding = seeding
        self._downloads: dict[_Key, SharedDownload] = {}
        self._fetching: SingleFlight[object, None] = SingleFlight()

    async def find(self, name: str, file: str, integrity: bytes | None, *, whole: bool = False) -> FoundTarball:
        """Return the tarball `file` of the package `name`; with `whole`, only when it is complete.

        `integrity` is the SHA-512 that the client demands, None if it does not. With it no source of the package need
        be trusted; the tarball is refused only by the policy, or when the packument has that integrity with a wrong
        signature of the registry. Raises ForbiddenError when the policy refuses it, NotFoundError, UnavailableError,
        IntegrityError, TrustError, StoreError.
        """
        check_name(name)
        await self._policy.check(name, file, integrity)
        ours = self._bundled.tarball(file, integrity) if name == self._bundled.name else None
        if ours is not None:
            return FoundTarball("store", len(ours), digest=self._bundled.digest, data=ours)
        held = await self._stored.find(name, file, integrity, whole=whole)
        if held is not None:
            return held
        key = (name, file, integrity, came_through())
        download = self._downloads.get(key)
        if download is None:
            download = SharedDownload()
            self._fetching.start(download, lambda: self._fetch_for_all(key, download))
            self._downloads[key] = download
        return await download.complete() if whole else self._stored.with_bytes_at_hand(await download.found())

    @property
    def is_busy(self) -> bool:
        """Whether a tarball is being fetched."""
        return self._fetching.is_busy

    async def idle(self) -> None:
        """Wait until no tarball is being fetched."""
        await self._fetching.idle()

    async def close(self) -> None:
        """Cancel running fetches, and wait for their end."""
        await self._fetching.close()

    async def _fetch_for_all(self, key: _Key, download: SharedDownload) -> None:
        name, file, integrity, _ = key
        try:
            download.finish(await self._fetch(name, file, integrity, download))
        except LibreseedError as error:
            download.fail(error)
            log.info("%s/-/%s: %s", name, file, error)
        except BaseException:
            download.fail(UnavailableError("This node is shutting down."))
            raise
        finally:
            self._downloads.pop(key, None)

    async def _fetch(self, name: str, file: str, integrity: bytes | None, download: SharedDownload) -> FoundTarball:
        expected = await self._expected.expect(name, file, integrity)
        held = await self._stored.find_expected(expected)
        source, got = ("store", held) if held is not None else await self._race.fetch(expected, download)
        if isinstance(got, bytes):
            return FoundTarball(source, len(got), data=got)
        is_named = expected.origin is not None or source == "upstream"
        if not is_named:
            self._stored.note_demanded(expected)
        file_found = self._seeding.path(got.sha512)
        return FoundTarball(source, got.length, file=file_found, digest=got.sha512, is_named=is_named)
