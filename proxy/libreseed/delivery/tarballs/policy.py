"""Applies the policy to requests for tarballs."""

import logging

from cachetools import TTLCache

from libreseed.delivery.metadata.ownership import Ownership
from libreseed.delivery.metadata.packuments import PackumentDelivery
from libreseed.delivery.metadata.policing import Judged, Policing, standard_version
from libreseed.errors import ForbiddenError, InvalidInputError, LibreseedError
from libreseed.packages.integrity import parse_integrity

log = logging.getLogger(__name__)

_AGAIN = 60.0
"""Seconds in which nobody is asked again for the metadata of a tarball that nobody had any of."""


class TarballPolicy:
    """Applies the policy to the version that a tarball belongs to by its packument.

    The packument is fetched for that where name and version do not decide, or where the client demands an integrity,
    which may be that of another version.
    """

    def __init__(self, packuments: PackumentDelivery, ownership: Ownership, policing: Policing) -> None:
        self._packuments = packuments
        self._ownership = ownership
        self._policing = policing
        self._unknown: TTLCache[tuple[str, str], bool] = TTLCache(10_000, _AGAIN)

    async def check(self, name: str, file: str, integrity: bytes | None) -> None:
        """Raise ForbiddenError when the policy refuses the tarball `file` of `name`, or the demanded bytes.

        `integrity`: the SHA-512 that the client demands, None if it does not.
        """
        if not self._policing.concerns(name):
            return
        self._policing.check_name(name)
        if self._ownership.is_published(name):
            self._policing.check_tarball(name, file)
            return
        judged = await self._judged(name, file, fetch=integrity is not None or self._matters(name, file))
        version = judged.version_of(file) if judged is not None else None
        if judged is None or version is None:
            self._check_unknown(name, file)
            return
        judged.check_version(version)
        _check_bytes(judged, version, integrity)

    async def _judged(self, name: str, file: str, *, fetch: bool) -> Judged | None:
        """Return the filtered packument that has `file`, None when there is none or it does not matter."""
        stored = await self._packuments.stored(name)
        if stored is not None:
            judged = await self._policing.judge(name, stored.body, own=False)
            if judged.version_of(file) is not None:
                return judged
        if not (fetch and self._ownership.has_source(name)) or self._unknown.get((name, file)):
            return None
        try:
            # The stored packument may be from before the version was published.
            fresh = await self._packuments.refreshed(name)
            judged = await self._policing.judge(name, fresh.body, own=False)
        except LibreseedError as error:
            log.info("Nobody tells what %s of %s is: %s", file, name, error)
        else:
            if judged.version_of(file) is not None:
                return judged
        self._unknown[name, file] = True
        return None

    def _matters(self, name: str, file: str) -> bool:
        """Tell whether metadata may lead to a refusal of a tarball."""
        return self._policing.about(name).needs_metadata(name, standard_version(name, file))

    def _check_unknown(self, name: str, file: str) -> None:
        self._policing.check_tarball(name, file)
        if self._policing.about(name).refuse_unknown and self._matters(name, file):
            raise ForbiddenError(
                f'{file} of {name} is blocked by the rule unknown = "refuse" of this registry: nobody that it asks'
                " knows that version, so its age or licence cannot be told."
            )


def _check_bytes(judged: Judged, version: str, demanded: bytes | None) -> None:
    """Raise ForbiddenError when the demanded SHA-512 is not the version's: the bytes may be those of a refused one."""
    try:
        promised = parse_integrity(judged.integrities[version])
    except InvalidInputError:
        promised = None
    if demanded is not None and promised is not None and demanded != promised:
        raise ForbiddenError(
            f"{judged.name}@{version} has other bytes than the lock file demands, and the policy of this registry"
            " gives out no bytes that it cannot judge.",
            hint="Do not install it before you know why they differ.",
        )
