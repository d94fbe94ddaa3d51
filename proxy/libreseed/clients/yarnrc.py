"""`.yarnrc` of yarn 1, written like its lock file: a key, white space or a colon, a value."""

import json
import re

from libreseed.clients.endpoint import Endpoint
from libreseed.clients.lines import put, split

_REGISTRY = re.compile(r"""(?:registry|"registry")(?::[ \t]*|[ \t]+)(?P<value>"[^"]*"|[^\s#]+)""")


class Yarnrc:
    """A `Format`. Tokens are not written here, because yarn 1 reads those in `.npmrc`."""

    def registry_of(self, text: str) -> str | None:
        """Return the value of `registry`."""
        found = [
            match["value"].strip('"') for line in split(text) if (match := _REGISTRY.match(line.removeprefix("\ufeff")))
        ]
        return (found or [""])[-1] or None

    def point(self, text: str, endpoint: Endpoint) -> str:
        """Set `registry`."""
        return "".join(put(split(text), _REGISTRY.match, f"registry {json.dumps(endpoint.url)}"))
