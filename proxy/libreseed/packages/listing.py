"""A package as an entry of search results. Source: npm's registry API, `GET /-/v1/search`, as libnpmsearch reads it."""

from dataclasses import dataclass
from typing import Any

from libreseed.packages.names import scope_of
from libreseed.packages.packument import Packument

_KEYWORDS = 100
_PEOPLE = 50
_TEXT = 2000
"""Characters of a description or other text, so that results stay small whatever somebody published."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One search result. `package` is what clients show: name, scope, version, description, keywords, date, publisher,
    maintainers, links. The other fields are the texts that a search looks in.
    """

    package: dict[str, Any]
    description: str
    keywords: str
    maintainers: str

    @property
    def name(self) -> str:
        """The package's name."""
        return str(self.package["name"])


def list_package(packument: Packument) -> Listing | None:
    """Return the listing of a package as its latest version describes it; None when it has no version."""
    versions: dict[str, Any] = packument["versions"]
    version = packument["dist-tags"].get("latest")
    if not isinstance(version, str) or version not in versions:
        version = next(reversed(versions), None)
    if version is None:
        return None
    manifest = versions[version]
    name = packument["name"]
    description = _text(manifest.get("description") or packument.get("description"))
    keywords = _keywords(manifest.get("keywords") or packument.get("keywords"))
    maintainers = [
        person for person in map(_person, _list(packument.get("maintainers"))[:_PEOPLE]) if person is not None
    ]
    package: dict[str, Any] = {
        "name": name,
        "scope": scope_of(name).removeprefix("@") or "unscoped",
        "version": version,
        "description": description,
        "keywords": keywords,
        "maintainers": maintainers,
        "links": {},
    }
    time = packument.get("time")
    if isinstance(time, dict) and isinstance(time.get(version), str):
        package["date"] = time[version]
    publisher = _person(manifest.get("_npmUser")) or (maintainers[0] if maintainers else None)
    if publisher is not None:
        package["publisher"] = publisher
    if isinstance(manifest.get("homepage"), str):
        package["links"]["homepage"] = manifest["homepage"][:_TEXT]
    if isinstance(manifest.get("deprecated"), str) and manifest["deprecated"]:
        package["deprecated"] = manifest["deprecated"][:_TEXT]
    return Listing(package, description, " ".join(keywords), " ".join(person["username"] for person in maintainers))


def _text(value: object) -> str:
    return value[:_TEXT] if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _keywords(value: object) -> list[str]:
    words = value.replace(",", " ").split() if isinstance(value, str) else _list(value)
    return [_text(word) for word in words if isinstance(word, str)][:_KEYWORDS]


def _person(value: object) -> dict[str, str] | None:
    """Return a person, spelt `{name, email}` or `Name <email>` in a packument, in the form of search results."""
    match value:
        case {"name": str(name), "email": str(email)}:
            return {"username": _text(name), "email": _text(email)}
        case {"name": str(name)}:
            return {"username": _text(name)}
        case str(name) if name:
            return {"username": _text(name.partition("<")[0].strip())}
        case _:
            return None
