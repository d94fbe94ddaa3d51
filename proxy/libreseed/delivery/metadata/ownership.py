"""The owner of a package name: the source that may say what the package is, and who may be asked about it.

Source: docs/protocol.md, section 9.
"""

from libreseed.packages.access import AccessRules
from libreseed.shims.render import NAME
from libreseed.store.tables.catalogue import PUBLISHED, TarballName
from libreseed.store.tables.packuments import UPSTREAM, declared_origin, mirror_origin, publisher_origin
from libreseed.store.tables.publications import PublicationStore
from libreseed.store.trustfile import TrustFile
from libreseed.trust.rules import TrustRules
from libreseed.upstream.client import Upstream


class Ownership:
    """Decides on the source of a name, which is the first of: the bundled package, a publication of this node, the
    publisher that the name is pinned to, the upstream, trusted mirrors."""

    def __init__(
        self,
        publications: PublicationStore,
        *,
        trust: TrustFile,
        upstream: Upstream | None,
        access: AccessRules,
    ) -> None:
        self._publications = publications
        self._trust = trust
        self._upstream = upstream
        self._access = access

    @property
    def rules(self) -> TrustRules:
        """The present rules of the trust file."""
        return self._trust.rules()

    def publisher_of(self, name: str) -> bytes | None:
        """Return the key that `name` is pinned to; None without a pin, or when it was published here."""
        return None if self._publications.has(name) else self.rules.publisher_of(name)

    def is_published(self, name: str) -> bool:
        """Tell whether `name` was published here."""
        return self._publications.has(name)

    def is_upstreams(self, name: str) -> bool:
        """Tell whether the upstream may be asked for `name`: there is one, and nobody else owns the name."""
        if name == NAME or self._publications.has(name):
            return False
        return self.has_upstream(name) and self.publisher_of(name) is None

    def has_upstream(self, name: str) -> bool:
        """Tell whether there is an upstream for `name`, whoever owns it."""
        return self._upstream is not None and self._upstream.serves(name)

    def is_declared(self, name: str) -> bool:
        """Tell whether an upstream is declared for `name`; no other source, mirrors included, is used then."""
        return self._upstream is not None and self._upstream.owner(name) is not None

    def has_source(self, name: str) -> bool:
        """Tell whether there is a source for `name`, which was not published here: a pin, an upstream or a mirror."""
        return bool(self.has_upstream(name) or self.publisher_of(name) or self.rules.mirrors)

    def is_public(self, name: str) -> bool:
        """Tell whether the access rules let everybody read `name`, and so let it be shared with other nodes."""
        return self._access.is_public(name)

    async def is_private(self, name: str) -> bool:
        """Tell whether the overlay must not be asked about `name`: it is restricted here, or has a registry of its
        own."""
        # The name of a pinned publisher's package is in the overlay already.
        if not self.is_public(name) and self.publisher_of(name) is None:
            return True
        return self._upstream is not None and await self._upstream.is_private(name)

    def trusts(self, name: str, origin: str) -> bool:
        """Tell whether a StoredPackument of `name` with this `origin` may still be used. False for packages published
        here and for the bundled one, which are not stored so."""
        if name == NAME or self._publications.has(name):
            return False
        publisher = self.publisher_of(name)
        if publisher is not None:
            return origin == publisher_origin(publisher)
        expected = self.upstream_origin(name)
        # Once an upstream is declared for a name, what was stored from others before must not be used.
        mirrors = self.rules.mirrors if expected == UPSTREAM else ()
        return origin == expected or origin in map(mirror_origin, mirrors)

    def believes(self, tarball: TarballName) -> bool:
        """Tell whether the origin of a tarball in the store may still say what it is."""
        if self._publications.has(tarball.name):
            return tarball.origin == PUBLISHED
        return self.trusts(tarball.name, tarball.origin)

    def upstream_origin(self, name: str) -> str:
        """Return the origin of packuments from the upstream of `name`."""
        owner = self._upstream.owner(name) if self._upstream is not None else None
        return UPSTREAM if owner is None else declared_origin(owner)
