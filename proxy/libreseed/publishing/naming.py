"""Decides which names this node may publish under its own key."""

from libreseed.errors import ForbiddenError, NotFoundError, UnavailableError
from libreseed.shims.render import NAME
from libreseed.store.tables.publications import PublicationStore
from libreseed.store.trustfile import TrustFile
from libreseed.trust.keys import format_key
from libreseed.upstream.client import Upstream


class NameClaims:
    """A name may be published when it was published here before, is pinned to this node's `key`, or is neither pinned
    to another key, nor declared for an upstream, nor taken at the default one."""

    def __init__(
        self, key: bytes, *, publications: PublicationStore, trust: TrustFile, upstream: Upstream | None
    ) -> None:
        self._key = key
        self._publications = publications
        self._trust = trust
        self._upstream = upstream

    async def check(self, name: str) -> None:
        """Raise ForbiddenError when `name` may not be published, UnavailableError when the upstream cannot tell now."""
        if name == NAME:
            raise ForbiddenError(
                f"{NAME} is the package that every node brings along.", hint="Publish yours under another name."
            )
        pinned = self._trust.rules().publisher_of(name)
        if self._publications.has(name) or pinned == self._key:
            return
        if pinned is not None:
            raise ForbiddenError(
                f"{name} is pinned to {format_key(pinned)}, which is not this node's key.",
                hint=f"If it is yours: libreseed trust remove '{name}'",
            )
        if self._upstream is None:
            return
        to_take = f"libreseed trust add '{name}' {format_key(self._key)}"
        owner = self._upstream.owner(name)
        if owner is not None:
            raise ForbiddenError(
                f"{name} belongs to the upstream {owner!r}, as this server's configuration declares.",
                hint=f"Publish it there with --registry; to use the name for your own package here: {to_take}",
            )
        try:
            await self._upstream.packument(name)
        except NotFoundError:
            return
        except UnavailableError as error:
            raise UnavailableError(
                f"Whether {name} is free cannot be told now: {error.message}",
                hint=f"To take the name all the same: {to_take}",
            ) from error
        raise ForbiddenError(
            f"{name} belongs to somebody else at the upstream registry.",
            hint=f"To use the name for your own package here: {to_take}",
        )
