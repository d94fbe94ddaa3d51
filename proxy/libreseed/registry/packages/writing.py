"""PUT and DELETE of packages: publish, deprecate, dist-tags, owners, unpublish.

Source: npm's `libnpmpublish` and its commands `deprecate`, `dist-tag`, `owner` and `unpublish`. A client reads the
packument, changes it, and sends it back with the `_rev` that it had. pnpm's `owner` names the one account instead.
"""

from collections.abc import Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libreseed.errors import IntegrityError, InvalidInputError, NotFoundError
from libreseed.packages.access import Action
from libreseed.packages.changes import (
    with_deprecations,
    with_maintainer,
    with_maintainers,
    with_tag,
    with_versions,
    without_maintainer,
    without_tag,
)
from libreseed.publishing.releases import Edit, Releases
from libreseed.publishing.spool import DOCUMENT_LIMIT, PublishSpool
from libreseed.registry.accounts.stars import StarEndpoints
from libreseed.registry.http.answers import json_answer
from libreseed.registry.http.bodies import read_body, read_json
from libreseed.registry.http.identity import Identity
from libreseed.registry.http.paths import PACKAGE, raw_path, read_package_path
from libreseed.registry.http.permissions import Permissions
from libreseed.store.blobs import BlobStore
from libreseed.store.tables.accounts import AccountStore

PUBLISH_LIMIT = 512 << 20
"""Bytes of a publish request; a tarball grows by a third in base64."""
_WORD_LIMIT = 1 << 10
"""Bytes of a body that is one version, or one account."""


class WritingEndpoints:
    """The requests that change a package. All need a token, and get 401 without one."""

    def __init__(
        self,
        releases: Releases,
        *,
        blobs: BlobStore,
        accounts: AccountStore,
        stars: StarEndpoints,
        identity: Identity,
        permissions: Permissions,
    ) -> None:
        self._releases = releases
        self._blobs = blobs
        self._accounts = accounts
        self._stars = stars
        self._identity = identity
        self._permissions = permissions

    @property
    def routes(self) -> Sequence[Route]:
        """The routes of these endpoints."""
        return [
            Route(f"{PACKAGE}/dist-tags/{{tag}}", self.tag, methods=["PUT"]),
            Route(f"{PACKAGE}/dist-tags/{{tag}}", self.untag, methods=["DELETE"]),
            Route(f"{PACKAGE}/owners", self.add_owner, methods=["PUT"]),
            Route(f"{PACKAGE}/owners/{{owner}}", self.remove_owner, methods=["DELETE"]),
            Route("/{package:path}/-/{file}/-rev/{rev}", self.remove_tarball, methods=["DELETE"]),
            Route("/{package:path}/-rev/{rev}", self.edit, methods=["PUT"]),
            Route("/{package:path}/-rev/{rev}", self.unpublish, methods=["DELETE"]),
            Route("/{package:path}", self.put, methods=["PUT"]),
        ]

    async def put(self, request: Request) -> Response:
        """PUT /PACKAGE: publish a version; without a tarball, deprecate versions, or star the package."""
        self._identity.require(request)
        path = read_package_path(raw_path(request))
        if path.rest:
            raise NotFoundError(f"This registry has no PUT {request.url.path}.")
        async with PublishSpool(self._blobs) as spool:
            async for piece in read_body(request, PUBLISH_LIMIT):
                await spool.add(piece)
            match await spool.read():
                case {"versions": dict(manifests), **others} if not others.get("_attachments"):
                    edit = partial(with_deprecations, manifests=manifests)
                    return await self._change(request, path.name, edit, str(others.get("_rev")))
                case {"users": dict(users), **others} if "versions" not in others:
                    return await self._stars.star(request, path.name, users)
                case body:
                    user = await self._permissions.require(request, "publish", path.name)
                    self._permissions.check_wanted(path.name, body.get("access") if isinstance(body, dict) else None)
                    return await self._publish(path.name, user, body, spool)

    async def edit(self, request: Request) -> Response:
        """PUT /PACKAGE/-rev/REV: unpublish the versions that the sent packument lacks, or replace the maintainers."""
        self._identity.require(request)
        name, rev = _name_and_rev(request)
        match await read_json(request, DOCUMENT_LIMIT):
            case {"versions": dict(versions)}:
                return await self._change(
                    request, name=name, edit=partial(with_versions, kept=versions.keys()), rev=rev, action="unpublish"
                )
            case {"maintainers": list(people)}:
                return await self._change(request, name, partial(with_maintainers, maintainers=people), rev)
            case _:
                raise InvalidInputError("What is sent there has the versions to keep, or the maintainers.")

    async def unpublish(self, request: Request) -> Response:
        """DELETE /PACKAGE/-rev/REV: unpublish all versions."""
        name, rev = _name_and_rev(request)
        return await self._change(request, name=name, edit=partial(with_versions, kept=()), rev=rev, action="unpublish")

    async def remove_tarball(self, request: Request) -> Response:
        """DELETE /PACKAGE/-/FILE/-rev/REV: the last step of `npm unpublish`, after the packument was changed."""
        path = read_package_path(raw_path(request))
        match path.rest:
            case ("-", file, "-rev", _):
                user = await self._permissions.require(request, "unpublish", path.name)
                await self._releases.remove_tarball(path.name, user, file)
                return json_answer({"ok": True})
            case _:
                raise NotFoundError(f"This registry has no DELETE {request.url.path}.")

    async def tag(self, request: Request) -> Response:
        """PUT /-/package/PACKAGE/dist-tags/TAG with a version as a JSON string."""
        self._identity.require(request)
        name, tag = _name_and_member(request, "dist-tags")
        version = await read_json(request, _WORD_LIMIT)
        return await self._change(request, name, partial(with_tag, tag=tag, version=version))

    async def untag(self, request: Request) -> Response:
        """DELETE /-/package/PACKAGE/dist-tags/TAG."""
        name, tag = _name_and_member(request, "dist-tags")
        return await self._change(request, name, partial(without_tag, tag=tag))

    async def add_owner(self, request: Request) -> Response:
        """PUT /-/package/PACKAGE/owners with `{"user": ACCOUNT}`."""
        self._identity.require(request)
        path = read_package_path(raw_path(request).removeprefix("/-/package/"))
        match await read_json(request, _WORD_LIMIT):
            case {"user": str(owner)}:
                await self._accounts.find(owner)
            case _:
                raise InvalidInputError("An owner is added by the name of an account.")
        return await self._change(request, path.name, partial(with_maintainer, owner=owner))

    async def remove_owner(self, request: Request) -> Response:
        """DELETE /-/package/PACKAGE/owners/ACCOUNT."""
        name, owner = _name_and_member(request, "owners")
        return await self._change(request, name, partial(without_maintainer, owner=owner))

    async def _publish(self, name: str, user: str, body: object, spool: PublishSpool) -> Response:
        try:
            await self._releases.publish(name, body=body, user=user, tarballs=spool.tarballs, files=spool.files)
        except IntegrityError as error:  # 400, since what the client sent stays wrong; its own status would be retried
            raise InvalidInputError(error.message, hint=error.hint) from error
        return json_answer({"ok": True, "success": True}, 201)

    async def _change(
        self, request: Request, name: str, edit: Edit, rev: str | None = None, action: Action = "publish"
    ) -> Response:
        user = await self._permissions.require(request, action, name)
        rev = await self._releases.change(name, user=user, edit=edit, rev=rev, action=action)
        return json_answer({"ok": True, "id": name, "rev": rev}, 201)


def _name_and_rev(request: Request) -> tuple[str, str]:
    path = read_package_path(raw_path(request))
    match path.rest:
        case ("-rev", rev):
            return path.name, rev
        case _:
            raise NotFoundError(f"This registry has no {request.method} {request.url.path}.")


def _name_and_member(request: Request, kind: str) -> tuple[str, str]:
    path = read_package_path(raw_path(request).removeprefix("/-/package/"))
    match path.rest:
        case (asked, member) if asked == kind:
            return path.name, member
        case _:
            raise NotFoundError(f"This registry has no {request.method} {request.url.path}.")
