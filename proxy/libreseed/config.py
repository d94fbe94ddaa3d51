"""Settings of a node, and the TOML file that they may stand in."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from libreseed.errors import ConfigError

DEFAULT_PORT = 4880
MODULES_DIR = ".libreseed_modules"
STATE_DIR = ".libreseed"


def default_root() -> Path:
    """Return where a node keeps its store and state when nobody says otherwise: the user's data folder."""
    return platformdirs.user_data_path("libreseed")


def cache_dir() -> Path:
    """Return the folder of what can be made anew."""
    return platformdirs.user_cache_path("libreseed")


def shared_packages_dir() -> Path:
    """Return where the unpacked packages are that projects share."""
    return cache_dir() / "packages"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a node runs. Ports may be 0 for any free one. `upstream` is `auto`, `none` or a URL, `upstream_timeout` the
    seconds that it has for an answer; `upstreams` declares others by name (`upstream.declared`), and `offline` asks
    none of them.

    `p2p_host` is the address that the overlay and BitTorrent listen on; `host` is HTTP's. `hedge` is the seconds
    that the swarm has before the upstream is asked too, `max_age` those in which a packument from there is fresh.
    `upload_limit` and `download_limit` are the bytes a second to and from other nodes, 0 for no limit.
    `share` is whether what comes from the upstream is seeded; `mirrors_needed` how many trusted mirrors must agree.
    `policy` is the table that `packages.policy` reads; `minimum_release_age`, such as `7d`, stands before its own.
    `access` and `groups` are the tables that `packages.access` reads.
    """

    root: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    upstream: str = "auto"
    p2p_host: str = "0.0.0.0"  # noqa: S104 - peers come from everywhere
    p2p_port: int = 0
    overlay_port: int = 0
    bootstrap: tuple[str, ...] = ()
    mainline: bool = False
    lan: bool = True
    upload_limit: int = 0
    download_limit: int = 0
    share: bool = True
    allow_hosts: tuple[str, ...] = ()
    mirrors_needed: int = 1
    hedge: float = 0.2
    max_age: float = 300.0
    minimum_release_age: str = ""
    policy: Mapping[str, Any] = field(default_factory=dict)
    upstream_timeout: float = 60.0
    offline: bool = False
    upstreams: Mapping[str, object] = field(default_factory=dict)
    access: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state_dir(self) -> Path:
        """The folder of the database, keys and trust file."""
        return self.root / STATE_DIR

    @property
    def database_file(self) -> Path:
        """The SQLite database."""
        return self.state_dir / "libreseed.db"

    @property
    def trust_file(self) -> Path:
        """Whom the user trusts."""
        return self.state_dir / "trust.json"

    @property
    def keys_dir(self) -> Path:
        """The folder of private keys."""
        return self.state_dir / "keys"

    @property
    def swarm_dir(self) -> Path:
        """The folder of what is seeded."""
        return self.root / MODULES_DIR / ".swarm"


def read_config(file: Path, known: set[str]) -> dict[str, Any]:
    """Return the settings in a TOML file, keys with `-` or `_`. Raises ConfigError: unreadable, or an unknown key."""
    try:
        values = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"The configuration file {file} cannot be read: {error}.") from error
    settings = {key.replace("-", "_"): value for key, value in values.items()}
    unknown = sorted(settings.keys() - known)
    if unknown:
        raise ConfigError(
            f"The configuration file {file} has an unknown key {unknown[0]!r}.",
            hint=f"Known keys: {', '.join(sorted(known))}.",
        )
    return settings
