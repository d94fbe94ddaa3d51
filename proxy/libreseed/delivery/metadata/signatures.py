"""Checks the npm registry's signatures of versions.

Each version is checked when a client asks for its manifest, or for its tarball while that is not in the store. One
takes 0.1 ms; all versions of one packument would take up to half a second.
"""

import asyncio
import logging
from contextlib import suppress

from cachetools import TTLCache

from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.metadata.packuments import FoundPackument
from libreseed.delivery.metadata.provenance import Provenance
from libreseed.errors import BadSignatureError, LibreseedError
from libreseed.packages.packument import Manifest, Packument
from libreseed.store.tables.packuments import UPSTREAM, StoredPackument, is_mirror
from libreseed.store.trustfile import TrustFile
from libreseed.trust.registry_signatures import SignatureState, check_signature

log = logging.getLogger(__name__)

_KEYS_TIMEOUT = 2.0
"""Seconds that a check waits for the upstream's keys, when none that is pinned has signed."""
_AGAIN = 300.0
"""Seconds after which the upstream is asked for its keys again."""


class Signatures:
    """Checks versions against the registry keys of the trust file; the upstream's are pinned on first use."""

    def __init__(self, ownership: Ownership, provenance: Provenance, trust: TrustFile) -> None:
        self._ownership = ownership
        self._provenance = provenance
        self._trust = trust
        self._asked: TTLCache[str, bool] = TTLCache(1, _AGAIN)

    async def check(
        self, found: StoredPackument | FoundPackument, packument: Packument, manifest: Manifest
    ) -> SignatureState:
        """Check one version of `packument`, which is `found` parsed.

        "unsigned" is returned for a publisher's own packages, which their record vouches for, and for names with a
        registry of their own, whose keys are not known here. Raises BadSignatureError as `check_signature`, and for a
        packument from a mirror also when only keys that are not pinned have signed, though some are pinned.
        """
        name, version = found.name, str(manifest.get("version"))
        mirrored = is_mirror(found.origin)
        if not manifest["dist"].get("signatures") or not (mirrored or found.origin == UPSTREAM):
            return "unsigned"
        if await self._ownership.is_private(name):
            return "unsigned"
        time = packument.get("time")
        published = time.get(version) if isinstance(time, dict) else None
        try:
            state = self._state(name, version, manifest, published)
            if state == "unknown key" and not mirrored:
                await self._ask_for_keys()
                state = self._state(name, version, manifest, published)
            if state == "unknown key" and mirrored and self._trust.rules().registry_keys:
                raise BadSignatureError(
                    f"{name}@{version} came from a mirror with a registry signature by no key that you have pinned.",
                    hint="The keys of your upstream: libreseed trust list",
                )
        except BadSignatureError as error:
            log.error("%s It came from the %s.", error.message, found.origin)
            raise
        return state

    def _state(self, name: str, version: str, manifest: Manifest, published: object) -> SignatureState:
        return check_signature(name, version, manifest, published, self._trust.rules().registry_keys)

    async def _ask_for_keys(self) -> None:
        if self._asked.get("") is None:
            self._asked[""] = True
            with suppress(LibreseedError, TimeoutError):
                async with asyncio.timeout(_KEYS_TIMEOUT):
                    await self._provenance.keys()
