"""The registry as an ASGI application."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libreseed.accounts.login import Login
from libreseed.accounts.secondfactor import SecondFactors
from libreseed.accounts.weblogin import WebLogins
from libreseed.delivery.advisories import AUDITS, BULK, QUICK, Advisories
from libreseed.delivery.info import PackageInfo
from libreseed.delivery.packuments import PackumentDelivery
from libreseed.delivery.provenance import KEYS, Provenance
from libreseed.delivery.search import Search
from libreseed.delivery.signatures import Signatures
from libreseed.delivery.sources import SourceCounter
from libreseed.delivery.tarballs import TarballDelivery
from libreseed.errors import LibreseedError, NotFoundError
from libreseed.packages.access import AccessRules
from libreseed.packages.names import ATTESTATIONS
from libreseed.publishing.releases import Releases
from libreseed.registry.access import AccessEndpoints
from libreseed.registry.accounts import AccountEndpoints
from libreseed.registry.advisories import AdvisoryEndpoints
from libreseed.registry.answers import json_answer, on_crash, on_error, on_refusal
from libreseed.registry.guard import Guard
from libreseed.registry.identity import Identity
from libreseed.registry.info import INFO, InfoEndpoint
from libreseed.registry.leaving import Leaving
from libreseed.registry.packuments import PackumentEndpoints
from libreseed.registry.paths import PackagePath, raw_path, read_package_path
from libreseed.registry.permissions import Permissions
from libreseed.registry.prefetch import PrefetchEndpoint
from libreseed.registry.profile import ProfileEndpoints
from libreseed.registry.provenance import ProvenanceEndpoints
from libreseed.registry.reads import PackageReads
from libreseed.registry.search import SearchEndpoint
from libreseed.registry.stars import StarEndpoints
from libreseed.registry.tarballs import TarballEndpoint
from libreseed.registry.tokens import TokenEndpoints
from libreseed.registry.weblogin import DONE, LOGIN, WebLoginEndpoints
from libreseed.registry.writing import WritingEndpoints
from libreseed.store.accounts import AccountStore
from libreseed.store.blobs import BlobStore
from libreseed.store.prepared import PreparedStore
from libreseed.store.stars import StarStore
from libreseed.store.tokens import TokenStore


@dataclass(frozen=True, slots=True)
class Services:
    """What the registry translates requests to."""

    packuments: PackumentDelivery
    prepared: PreparedStore
    tarballs: TarballDelivery
    releases: Releases
    blobs: BlobStore
    accounts: AccountStore
    tokens: TokenStore
    factors: SecondFactors
    login: Login
    access: AccessRules
    stars: StarStore
    advisories: Advisories
    provenance: Provenance
    signatures: Signatures
    info: PackageInfo
    search: Search
    counter: SourceCounter
    status: Callable[[], Awaitable[dict[str, Any]]]


def make_app(services: Services, *, hosts: Collection[str], node_id: str) -> Starlette:
    """Return the application. `hosts` are the names beside localhost and IP addresses that it answers for."""
    registry = _Registry(services)
    identity, permissions = registry.identity, registry.permissions
    accounts = AccountEndpoints(services.accounts, services.tokens, services.login, identity)
    web = WebLoginEndpoints(WebLogins(), services.login, services.accounts, services.tokens)
    profile = ProfileEndpoints(services.accounts, services.login, services.factors, identity)
    tokens = TokenEndpoints(services.tokens, services.login, identity)
    access = AccessEndpoints(services.access, services.packuments, services.releases, permissions, identity)
    stars = StarEndpoints(services.stars, services.packuments, identity, permissions)
    writing = WritingEndpoints(services.releases, services.blobs, services.accounts, stars, identity, permissions)
    advisories = AdvisoryEndpoints(services.advisories)
    provenance = ProvenanceEndpoints(services.provenance, permissions)
    prefetch = PrefetchEndpoint(services.tarballs, services.counter, services.blobs.folder, permissions)
    return Starlette(
        routes=[
            PackageReads(registry.read),
            Route("/", registry.status),
            Route("/-/ping", registry.ping),
            Route("/-/libreseed/status", registry.status),
            Route(f"{INFO}{{package:path}}", InfoEndpoint(services.info, permissions).info),
            Route("/-/libreseed/prefetch", prefetch.prefetch, methods=["POST"]),
            Route("/-/whoami", accounts.whoami),
            Route("/-/user/org.couchdb.user:{user}", accounts.login, methods=["PUT"]),
            Route("/-/user/org.couchdb.user:{user}/-rev/{rev}", accounts.login, methods=["PUT"]),
            Route("/-/user/token/{token}", accounts.logout, methods=["DELETE"]),
            Route("/-/user/org.couchdb.user:{user}", accounts.user),
            Route("/-/user/{user}/package", access.packages),
            Route(LOGIN, web.begin, methods=["POST"]),
            Route(f"{LOGIN}/{{page}}", web.page),
            Route(f"{LOGIN}/{{page}}", web.submit, methods=["POST"]),
            Route(f"{DONE}/{{done}}", web.done),
            Route("/-/npm/v1/user", profile.get),
            Route("/-/npm/v1/user", profile.set, methods=["POST"]),
            Route("/-/npm/v1/tokens", tokens.list),
            Route("/-/npm/v1/tokens", tokens.create, methods=["POST"]),
            Route("/-/npm/v1/tokens/token/{key}", tokens.revoke, methods=["DELETE"]),
            Route("/-/_view/starredByUser", stars.starred_by),
            Route("/-/user/v1/star", stars.own),
            Route("/-/user/v1/star", stars.own_star, methods=["PUT", "DELETE"]),
            Route("/-/package/{package:path}/visibility", access.visibility),
            Route("/-/package/{package:path}/collaborators", access.collaborators),
            Route("/-/package/{package:path}/access", access.get),
            Route("/-/package/{package:path}/access", access.set, methods=["POST"]),
            Route("/-/package/{package:path}/dist-tags", registry.dist_tags),
            Route("/-/package/{package:path}/dist-tags/{tag}", writing.tag, methods=["PUT"]),
            Route("/-/package/{package:path}/dist-tags/{tag}", writing.untag, methods=["DELETE"]),
            Route("/-/package/{package:path}/owners", writing.add_owner, methods=["PUT"]),
            Route("/-/package/{package:path}/owners/{owner}", writing.remove_owner, methods=["DELETE"]),
            Route(f"/{BULK}", advisories.bulk, methods=["POST"]),
            Route(f"/{AUDITS}", advisories.audit, methods=["POST"]),
            Route(f"/{QUICK}", advisories.audit, methods=["POST"]),
            Route("/-/v1/search", SearchEndpoint(services.search, permissions).search),
            Route(f"/{KEYS}", provenance.keys),
            Route(f"/{ATTESTATIONS}{{spec:path}}", provenance.attestations),
            Route("/-/{other:path}", registry.unknown, methods=["GET", "POST", "PUT", "DELETE"]),
            Route("/{package:path}/-/{file}/-rev/{rev}", writing.remove_tarball, methods=["DELETE"]),
            Route("/{package:path}/-rev/{rev}", writing.edit, methods=["PUT"]),
            Route("/{package:path}/-rev/{rev}", writing.unpublish, methods=["DELETE"]),
            Route("/{package:path}", writing.put, methods=["PUT"]),
        ],
        middleware=[Middleware(Guard, hosts=hosts, node_id=node_id), Middleware(Leaving)],
        exception_handlers={LibreseedError: on_error, HTTPException: on_refusal, Exception: on_crash},
    )


class _Registry:
    def __init__(self, services: Services) -> None:
        self._services = services
        self.identity = Identity(services.tokens, services.factors)
        self.permissions = Permissions(services.access, self.identity, services.factors)
        self._packuments = PackumentEndpoints(
            services.packuments, services.prepared, services.signatures, services.counter
        )
        self._tarballs = TarballEndpoint(services.tarballs, services.counter)

    async def ping(self, _: Request) -> Response:
        return json_answer({})

    async def status(self, _: Request) -> Response:
        return json_answer(await self._services.status())

    async def unknown(self, request: Request) -> Response:
        raise NotFoundError(f"This registry has no {request.url.path}.")

    async def read(self, request: Request) -> Response:
        path = read_package_path(raw_path(request))
        self.permissions.check_reading(request, path.name)
        answer = await self._read(request, path)
        if not self._services.access.is_public(path.name):
            answer.headers["Cache-Control"] = "private, no-cache"  # a cache in front of us hands it to nobody else
        return answer

    async def _read(self, request: Request, path: PackagePath) -> Response:
        match path.rest:
            case ():
                return await self._packuments.packument(request, path.name)
            case ("-", file):
                return await self._tarballs.tarball(request, path.name, file)
            case ("-", _, file):  # cnpm's /@scope/name/-/@scope/name-1.0.0.tgz
                return await self._tarballs.tarball(request, path.name, file)
            case (wanted,):
                return await self._packuments.manifest(request, path.name, wanted)
            case _:
                raise NotFoundError(f"This registry has no {request.url.path}.")

    async def dist_tags(self, request: Request) -> Response:
        raw = raw_path(request).removeprefix("/-/package/").removesuffix("/dist-tags")
        name = read_package_path(raw).name
        self.permissions.check_reading(request, name)
        return await self._packuments.dist_tags(name)
