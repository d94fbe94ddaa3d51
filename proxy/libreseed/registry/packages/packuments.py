"""GET and HEAD of packuments, version manifests and dist-tags."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libreseed.delivery.metadata.packuments import PackumentDelivery
from libreseed.delivery.metadata.signatures import Signatures
from libreseed.delivery.sources import SourceCounter
from libreseed.errors import NotFoundError
from libreseed.packages.packument import ABBREVIATED_TYPE, find_version, with_tarball
from libreseed.packages.partial import read_versions_lazily
from libreseed.registry.http.answers import SOURCE_HEADER, json_answer
from libreseed.registry.http.encodings import IDENTITY, choose_encoding
from libreseed.registry.http.paths import PACKAGE, base_url, raw_path, read_package_path
from libreseed.registry.http.permissions import Permissions
from libreseed.registry.packages.prepared import CODINGS, PreparedPackuments
from libreseed.store.tables.prepared import PreparedStore


class PackumentEndpoints:
    """Reads of a package's metadata."""

    def __init__(
        self,
        packuments: PackumentDelivery,
        *,
        prepared: PreparedStore,
        signatures: Signatures,
        counter: SourceCounter,
        permissions: Permissions,
    ) -> None:
        self._packuments = packuments
        self._signatures = signatures
        self._counter = counter
        self._permissions = permissions
        self._prepared = PreparedPackuments(prepared)

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route(f"{PACKAGE}/dist-tags", self.dist_tags),
        ]

    async def packument(self, request: Request, name: str) -> Response:
        """GET /PACKAGE: the packument; abbreviated when the client's Accept prefers that, unless it asks by
        `?write=true` for one to send back.

        Conditional by If-None-Match, else by If-Modified-Since (RFC 9110, 13.1).
        """
        for_writing = bool(request.scope["query_string"]) and request.query_params.get("write") == "true"
        found = await self._packuments.find(name, for_writing=for_writing)
        short = ABBREVIATED_TYPE in request.headers.get("accept", "") and not for_writing
        form = await self._prepared.get(found, short=short, base_url=base_url(request))
        self._counter.add(found.source)
        headers = {
            SOURCE_HEADER: found.source,
            "ETag": form.etag,
            "Vary": "Accept, Accept-Encoding",
            "Cache-Control": "no-cache",
        }
        # A packument that the policy has filtered also changes at times that its `time.modified` does not tell.
        modified = form.modified if found.judged is None else ""
        if modified:
            headers["Last-Modified"] = modified
        if _has(request, form.etag, modified):
            return Response(status_code=304, headers=headers)
        media_type = ABBREVIATED_TYPE if short else "application/json"
        coding = choose_encoding(request.headers.get("accept-encoding"), CODINGS)
        if coding != IDENTITY:
            headers["Content-Encoding"] = coding
        return Response(await self._prepared.coded(form, coding), 200, headers, media_type)

    async def manifest(self, request: Request, name: str, wanted: str) -> Response:
        """GET /PACKAGE/WANTED: the manifest of one version, by version, dist-tag or range."""
        found = await self._packuments.find(name)
        self._counter.add(found.source)
        packument = await asyncio.to_thread(read_versions_lazily, found.body)
        try:
            version = find_version(packument, wanted)
        except NotFoundError:
            if found.judged is not None:
                found.judged.check_wanted(wanted)
            raise
        manifest = packument["versions"][version]
        await self._signatures.check(found, packument, manifest)
        return json_answer(with_tarball(manifest, name, version, base_url(request)), source=found.source)

    async def dist_tags(self, request: Request) -> Response:
        """GET /-/package/PACKAGE/dist-tags."""
        raw = raw_path(request).removeprefix("/-/package/").removesuffix("/dist-tags")
        name = read_package_path(raw).name
        self._permissions.check_reading(request, name)
        found = await self._packuments.find(name)
        self._counter.add(found.source)
        packument = await asyncio.to_thread(read_versions_lazily, found.body)
        return json_answer(packument["dist-tags"], source=found.source)


def _has(request: Request, etag: str, modified: str) -> bool:
    """Tell whether the client has this form already. If-None-Match takes precedence over If-Modified-Since (RFC 9110,
    13.2.2)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return etag in tags
    # Dates are compared for equality: when another source takes over a name, its packument may have an earlier date.
    return bool(modified) and request.headers.get("if-modified-since") == modified
