"""The configuration files in which each client looks for its registry.

Sources: npm's `@npmcli/config`, yarn 1's and yarn 4's command line bundles, pnpm's and bun's documentation; each rule
was tried with npm 11, pnpm 11 and 12, yarn 1.22, yarn 4 and bun 1.4.

All clients but yarn 4 read `.npmrc`. pnpm and bun also have files of their own, which take precedence even over a
project's `.npmrc`. A registry added there would override those of projects, so they are changed only where one of them
names a registry already.
"""

import os
import shutil
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from libreseed.clients.berry import Berry
from libreseed.clients.bunfig import Bunfig
from libreseed.clients.formats import Format
from libreseed.clients.npmrc import Npmrc
from libreseed.clients.pnpmyaml import PnpmYaml
from libreseed.clients.yarnrc import Yarnrc

CLIENTS = ("npm", "pnpm", "yarn1", "yarn4", "bun")

_COMMANDS = {"npm": "npm", "pnpm": "pnpm", "yarn1": "yarn", "yarn4": "yarn", "bun": "bun"}
_VARIABLES = {
    "npm": ("npm_config_registry",),
    "pnpm": ("pnpm_config_registry",),
    "yarn1": ("npm_config_registry", "yarn_registry"),
    "yarn4": ("yarn_npm_registry_server",),
    "bun": ("npm_config_registry", "bun_config_registry"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A file that names the registry for a client. If there are `rivals`, it is changed only when one of those files
    names a registry."""

    client: str
    path: Path
    format: Format
    rivals: tuple[Path, ...] = ()


def find_clients(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the clients on the PATH, npm always. For `yarn` both versions, since it may start either."""
    path = environment.get("PATH", os.defpath)
    return tuple(client for client in CLIENTS if client == "npm" or shutil.which(_COMMANDS[client], path=path))


def user_places(clients: Collection[str], environment: Mapping[str, str]) -> list[Place]:
    """Return the user's configuration files of these clients."""
    home, rc = _home(environment), _yarn4_name(environment)
    auth, config, bunfig = *_pnpm(environment), _bunfig(environment)
    places = [
        Place("npm", _npm(environment), Npmrc()),
        Place("pnpm", auth, Npmrc(), (auth,)),
        Place("pnpm", config, PnpmYaml(), (config,)),
        Place("yarn1", home / ".yarnrc", Yarnrc()),
        Place("yarn4", home / rc, Berry()),
        Place("bun", bunfig, Bunfig(), (bunfig,)),
    ]
    return [place for place in places if place.client == "npm" or place.client in clients]


def project_places(clients: Collection[str], project: Path, environment: Mapping[str, str]) -> list[Place]:
    """Return the configuration files of these clients in a project's folder."""
    _, config = _pnpm(environment)
    workspace, bunfig = project / "pnpm-workspace.yaml", project / "bunfig.toml"
    places = [
        Place("npm", project / ".npmrc", Npmrc()),
        Place("pnpm", workspace, PnpmYaml(), (workspace, config)),
        Place("yarn1", project / ".yarnrc", Yarnrc()),
        Place("yarn4", project / _yarn4_name(environment), Berry()),
        Place("bun", bunfig, Bunfig(), (bunfig, _bunfig(environment))),
    ]
    return [place for place in places if place.client == "npm" or place.client in clients]


def overruling(clients: Collection[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that name a registry, which override all files, with their values."""
    names = {name for client in ("npm", *clients) for name in _VARIABLES[client]}
    return {name: value for name, value in environment.items() if name.lower() in names and value}


def _home(environment: Mapping[str, str]) -> Path:
    home = environment.get("USERPROFILE" if sys.platform == "win32" else "HOME")
    return Path(home) if home else Path.home()


def _npm(environment: Mapping[str, str]) -> Path:
    for name, value in environment.items():
        if name.lower() == "npm_config_userconfig" and value:
            return _home(environment) / value[2:] if value.startswith("~/") else Path(value).absolute()
    return _home(environment) / ".npmrc"


def _pnpm(environment: Mapping[str, str]) -> tuple[Path, Path]:
    home = _home(environment)
    if base := environment.get("XDG_CONFIG_HOME"):
        folder = Path(base) / "pnpm"
    elif sys.platform == "darwin":
        folder = home / "Library" / "Preferences" / "pnpm"
    elif sys.platform == "win32":
        folder = Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local") / "pnpm" / "config"
    else:
        folder = home / ".config" / "pnpm"
    return folder / "auth.ini", folder / "config.yaml"


def _yarn4_name(environment: Mapping[str, str]) -> str:
    return environment.get("YARN_RC_FILENAME") or ".yarnrc.yml"


def _bunfig(environment: Mapping[str, str]) -> Path:
    base = environment.get("XDG_CONFIG_HOME")
    return (Path(base) if base else _home(environment)) / ".bunfig.toml"
