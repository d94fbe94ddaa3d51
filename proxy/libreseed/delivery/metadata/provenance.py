"""The upstream's signing keys, and attestations of versions.

Sources: npm's `pacote` and `npm audit signatures`. They are stored, so that without the upstream clients can still
check attestations and signatures, and `delivery.metadata.signatures` the latter.
"""

import asyncio
import logging
import time
from dataclasses import dataclass

import orjson
from cachetools import TTLCache
from semver import Version

from libreseed.caching import is_recent
from libreseed.concurrency.single_flight import SingleFlight
from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.metadata.packuments import PackumentDelivery
from libreseed.delivery.sources import Source
from libreseed.errors import BadSignatureError, ConflictError, InvalidInputError, NotFoundError, UnavailableError
from libreseed.packages.names import attestations_path, check_name
from libreseed.store.tables.documents import DocumentStore, StoredDocument, published_attestations
from libreseed.store.trustfile import TrustFile
from libreseed.trust.registry_signatures import read_keys
from libreseed.upstream.client import Upstream
from libreseed.upstream.via import came_through

log = logging.getLogger(__name__)

KEYS = "-/npm/v1/keys"

_KEYS_FRESH = 3600.0
_ATTESTATIONS_FRESH = 86_400.0
_MISSING = 300.0
_TIMEOUT = 20.0
_LIMIT = 8 << 20


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object and its source."""

    body: bytes
    source: Source


class Provenance:
    """Delivers keys (fresh for an hour) and attestations (for a day) from the store, else from the upstream. The
    upstream's keys are pinned in the trust file."""

    def __init__(
        self,
        packuments: PackumentDelivery,
        *,
        ownership: Ownership,
        store: DocumentStore,
        trust: TrustFile,
        upstream: Upstream | None,
    ) -> None:
        self._packuments = packuments
        self._ownership = ownership
        self._store = store
        self._trust = trust
        self._upstream = upstream
        self._fetching: SingleFlight[tuple[str, ...], bytes] = SingleFlight()
        self._missing: TTLCache[str, NotFoundError] = TTLCache(10_000, _MISSING)

    async def keys(self) -> Document:
        """Return the upstream's public keys, `{"keys": [{keyid, keytype, scheme, key, expires}]}`.

        Raises NotFoundError: the upstream has none, or there is no upstream; BadSignatureError: a key is not the one
        that is pinned under its id; UnavailableError, StoreError, and what else `Upstream.document` raises.
        """
        return await self._find(KEYS, "", _KEYS_FRESH)

    async def attestations(self, spec: str) -> Document:
        """Return `{"attestations": [{predicateType, bundle}]}` of `name@version`.

        Raises as `keys`; InvalidInputError: `spec` is no `name@version`.
        """
        name, _, version = spec.rpartition("@")
        check_name(name)
        if not Version.is_valid(version):
            raise InvalidInputError(f"{version[:80]!r} is not a version (semver.org).")
        missing = NotFoundError(f"There are no attestations of {name}@{version}.")
        if self._ownership.is_published(name):
            own = await self._store.find(published_attestations(name, version))
            if own is None:
                raise missing
            return Document(own.body, "store")
        if self._ownership.publisher_of(name) is not None:
            raise missing
        # pnpm asks for each package of a project, so where the packument shows that there is none, nobody is asked.
        stored = await self._packuments.stored(name)
        if stored is not None and b'"attestations"' not in stored.body and f'"{version}"'.encode() in stored.body:
            raise missing
        return await self._find(attestations_path(name, version), name, _ATTESTATIONS_FRESH)

    async def close(self) -> None:
        """Cancel running requests, and wait for their end."""
        await self._fetching.close()

    async def _find(self, path: str, name: str, fresh: float) -> Document:
        stored = await self._store.find(path)
        upstream = self._upstream if self._upstream is not None and self._upstream.serves(name) else None
        if stored is not None and (upstream is None or is_recent(stored.checked, fresh)):
            return Document(stored.body, "store")
        missing = self._missing.get(path)
        if upstream is None:
            raise NotFoundError(f"There is no /{path} here, and no upstream registry to ask for it.")
        if missing is not None:
            raise missing.with_traceback(None)
        try:
            body = await self._fetching.run((path, *came_through()), lambda: self._fetch(upstream, path, name))
        except NotFoundError as error:
            self._missing[path] = error
            raise
        except UnavailableError:
            if stored is None:
                raise
            return Document(stored.body, "stale")
        return Document(body, "upstream")

    async def _fetch(self, upstream: Upstream, path: str, name: str) -> bytes:
        body = await upstream.document(path, limit=_LIMIT, timeout=_TIMEOUT, name=name)
        if path == KEYS:
            await asyncio.to_thread(self._pin, body)
        await self._store.save(path, StoredDocument(body, time.time()))
        return body

    def _pin(self, body: bytes) -> None:
        try:
            keys = read_keys(orjson.loads(body))
            rules = self._trust.rules()
            if rules.with_registry_keys(keys) == rules:
                return
            self._trust.change(lambda rules: rules.with_registry_keys(keys))
        except (InvalidInputError, orjson.JSONDecodeError) as error:
            log.warning("The upstream's signing keys are passed on, but none is pinned: %s", error)
            return
        except ConflictError as error:
            log.error("%s", error)
            raise BadSignatureError(error.message, hint=error.hint) from error
        log.warning("The upstream signs with %s; pinned.", ", ".join(key.keyid for key in keys))
