"""`bunfig.toml` of bun."""

import json
import re
import tomllib
from typing import Any

from libreseed.clients.endpoint import Endpoint
from libreseed.clients.formats import not_understood
from libreseed.clients.lines import put, splice, split
from libreseed.errors import ConfigError

_HEAD = re.compile(r"[ \t]*\[[ \t]*install[ \t]*\]")
_ANY_HEAD = re.compile(r"[ \t]*\[")
_PLAIN = re.compile(r"[ \t]*registry[ \t]*=")
_DOTTED = re.compile(r"[ \t]*install[ \t]*\.[ \t]*registry[ \t]*=")


class Bunfig:
    """A `Format`."""

    def registry_of(self, text: str) -> str | None:
        """Return `install.registry`, or its `url` where it is a table."""
        registry = _install(_parse(text)).get("registry")
        if isinstance(registry, dict):
            registry = registry.get("url")
        return registry if isinstance(registry, str) and registry else None

    def point(self, text: str, endpoint: Endpoint) -> str:
        """Set `install.registry`, to a table where there is a token."""
        before = _parse(text)
        value: str | dict[str, str] = endpoint.url
        written = json.dumps(endpoint.url)
        if endpoint.token:
            value = {"url": endpoint.url, "token": endpoint.token}
            written = f"{{ url = {written}, token = {json.dumps(endpoint.token)} }}"
        result = "".join(_changed(split(text), written))
        if _parse(result) != before | {"install": _install(before) | {"registry": value}}:
            raise not_understood("install.registry")
        return result


def _changed(lines: list[str], written: str) -> list[str]:
    head = next((i for i, line in enumerate(lines) if _HEAD.match(line.removeprefix("\ufeff"))), None)
    if head is None:
        return put(lines, _DOTTED.match, f"install.registry = {written}")
    end = next((i for i in range(head + 1, len(lines)) if _ANY_HEAD.match(lines[i])), len(lines))
    places = [i for i in range(head + 1, end) if _PLAIN.match(lines[i])]
    start, stop = (places[0], places[0] + 1) if places else (head + 1, head + 1)
    return splice(lines, start, stop, f"registry = {written}")


def _parse(text: str) -> dict[str, Any]:
    try:
        # TOML knows no lone CR; bun does not mind the byte order mark.
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"it is not TOML: {error}") from error


def _install(settings: dict[str, Any]) -> dict[str, Any]:
    install = settings.get("install")
    return install if isinstance(install, dict) else {}
