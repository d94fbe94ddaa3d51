"""GET of signing keys and attestations, for `npm audit signatures` and pnpm's checks of provenance."""

from collections.abc import Sequence
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libreseed.delivery.metadata.provenance import KEYS, Document, Provenance
from libreseed.packages.names import ATTESTATIONS
from libreseed.registry.http.answers import SOURCE_HEADER
from libreseed.registry.http.permissions import Permissions


class ProvenanceEndpoints:
    """The registry's signing keys, and attestations of versions."""

    def __init__(self, provenance: Provenance, permissions: Permissions) -> None:
        self._provenance = provenance
        self._permissions = permissions

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route(f"/{KEYS}", self.keys),
            Route(f"/{ATTESTATIONS}{{spec:path}}", self.attestations),
        ]

    async def keys(self, _: Request) -> Response:
        """GET /-/npm/v1/keys: `{"keys": [{keyid, keytype, scheme, key, expires}]}`."""
        return _answer(await self._provenance.keys())

    async def attestations(self, request: Request) -> Response:
        """GET /-/npm/v1/attestations/NAME@VERSION; a scoped name may be written with %2f."""
        raw = request.scope["raw_path"].decode("latin-1")
        spec = unquote(raw.partition(ATTESTATIONS)[2])
        self._permissions.check_reading(request, spec.rpartition("@")[0])
        return _answer(await self._provenance.attestations(spec))


def _answer(document: Document) -> Response:
    return Response(document.body, 200, {SOURCE_HEADER: document.source}, "application/json")
