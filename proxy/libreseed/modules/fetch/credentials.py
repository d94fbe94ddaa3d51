"""The user's token for a registry, read where npm keeps it. Source: npm's documentation of `.npmrc`."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from libreseed.clients.ini import read_ini

_FIELD = ":_authToken"
_USER_FILE = "npm_config_userconfig"


def authorization(url: str, project: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the header `Authorization` for the registry `url`, {} when npm has no token for it. Blocks.

    The project's `.npmrc` takes precedence over the user's, and the token of a longer path over that of a shorter one.
    """
    environment = os.environ if environment is None else environment
    names = {key.lower(): value for key, value in environment.items() if value}
    files = (Path(names.get(_USER_FILE) or Path.home() / ".npmrc"), project / ".npmrc")
    tokens: dict[str, str] = {}
    for file in files:
        tokens |= {
            key: value
            for key, value in read_ini(file, environment).items()
            # A `${NAME}` of an unset variable stays in the text, as with npm; that is no token.
            if isinstance(value, str) and value.isprintable() and "${" not in value
        }
    token = next((tokens[key] for key in _keys(url) if tokens.get(key)), None)
    return {"Authorization": f"Bearer {token}"} if token is not None else {}


def _keys(url: str) -> Iterator[str]:
    """Yield npm's keys of a token for a URL, without its scheme: first with the whole path, last without any."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    while True:
        yield f"//{parts.netloc}{path}/{_FIELD}"
        if not path:
            return
        path = path.rpartition("/")[0]
