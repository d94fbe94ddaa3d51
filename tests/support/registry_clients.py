"""The clients of the compatibility matrix: where each comes from, how it is configured, and what it calls a command."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from support.clients import run, tool, write_project
from support.nodes import NodeProcess, request

PASSWORD = "correct horse"
_NOWHERE = "http://127.0.0.1:9"
"""A proxy that does not answer: no client reaches anything but this machine."""
_FOREIGN = ("npm_", "yarn_", "bun_", "deno_", "pnpm_", "xdg_", "node_", "libreseed_", "http_", "https_", "no_", "ci")
"""How the variables begin that would configure a client."""


@dataclass(frozen=True)
class Kind:
    """A client program.

    `commands`: its words for a command of the matrix; what is absent, it does not have. `faults`: why a command that
    it has does not work here. `node`: the Node.js that it needs, when the one here is too old for it.
    """

    program: Callable[[], Path]
    commands: Mapping[str, str]
    lock: str = "package-lock.json"
    node: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)


_NPM_12 = {
    "install": "install",
    "ci": "ci",
    "view": "view {package} {field} --json",
    "search": "search --json {words}",
    "outdated": "outdated --json",
    "pack": "pack {package}",
    "exec": "exec --yes -- {package}",
    "ping": "ping",
    "publish": "publish --access public",
    "deprecate": "deprecate {package} '{message}'",
    "undeprecate": "undeprecate {package}",
    "tag add": "dist-tag add {package} {tag}",
    "tag rm": "dist-tag rm {package} {tag}",
    "tag ls": "dist-tag ls {package}",
    "unpublish": "unpublish {package}",
    "unpublish all": "unpublish {package} --force",
    "owner ls": "owner ls {package}",
    "owner add": "owner add {user} {package}",
    "owner rm": "owner rm {user} {package}",
    "login": "login --auth-type=legacy",
    "logout": "logout",
    "whoami": "whoami",
    "audit": "audit",
    "audit signatures": "audit signatures",
    "web login": "login --auth-type=web",
    "publish otp": "publish --access public --otp={otp}",
    "access status": "access get status {package}",
    "access set": "access set status={status} {package}",
    "access collaborators": "access list collaborators {package}",
    "access packages": "access list packages {user}",
}
_ACCOUNT = {
    "token create": "token create --name=reader --read-only",
    "token list": "token list",
    "token revoke": "token revoke {key}",
    "profile get": "profile get",
    "profile set": "profile set fullname {value}",
    "enable 2fa": "profile enable-2fa auth-and-writes",
}
_STARS = {"star": "star {package}", "unstar": "unstar {package}", "stars": "stars"}
_NPM = _NPM_12 | _STARS
_PNPM = {command: words for command, words in _NPM.items() if command not in ("pack", "web login")} | {
    "login": "login",
    "ci": "install --frozen-lockfile",
    "exec": "dlx {package}",
    "publish": "publish --no-git-checks --access public",
    "publish otp": "publish --no-git-checks --access public --otp={otp}",
    "owner add": "owner add {package} {user}",
    "owner rm": "owner rm {package} {user}",
}
_YARN_1 = {
    "install": "install --non-interactive",
    "ci": "install --frozen-lockfile --non-interactive",
    "view": "info {package} {field} --json",
    "outdated": "outdated --json",
    "publish": "publish --non-interactive --access public",
    "publish otp": "publish --non-interactive --access public --otp {otp}",
    "tag add": "tag add {package} {tag}",
    "tag rm": "tag remove {package} {tag}",
    "tag ls": "tag list {package}",
    "owner ls": "owner list {package}",
    "owner add": "owner add {user} {package}",
    "owner rm": "owner remove {user} {package}",
    "login": "login",
    "audit": "audit",
}
_YARN_1_OWNER = (
    "it reads the abbreviated packument, which has neither owners nor a revision, and sends back what it took for the"
    " owners; the node refuses that (409)"
)
_YARN_4 = {
    "install": "install",
    "ci": "install --immutable",
    "view": "npm info {package} --fields {field} --json",
    "exec": "dlx {package}",
    "publish": "npm publish --access public",
    "publish otp": "npm publish --access public --otp {otp}",
    "tag add": "npm tag add {package} {tag}",
    "tag rm": "npm tag remove {package} {tag}",
    "tag ls": "npm tag list {package}",
    "login": "npm login",
    "whoami": "npm whoami",
    "audit": "npm audit",
}
_BUN = {
    "install": "install",
    "ci": "install --frozen-lockfile",
    "view": "info {package} {field} --json",
    "outdated": "outdated",
    "exec": "x {package}",
    "publish": "publish --access public",
    "publish otp": "publish --access public --otp {otp}",
    "whoami": "pm whoami",
    "audit": "audit",
}
_DENO = {
    "install": "install --min-dep-age=0",
    "ci": "ci",
    "outdated": "outdated --min-dep-age=0",
    "exec": "x --yes -A --min-dep-age=0 npm:{package}",
    "audit": "audit",
}

KINDS: Mapping[str, Kind] = {
    "npm-10": Kind(
        lambda: tool("npm@10"),
        _NPM | _ACCOUNT | {"undeprecate": "deprecate {package} ''", "token create": "token create --read-only"},
    ),
    "npm-11": Kind(lambda: tool("npm@11"), _NPM | _ACCOUNT),
    "npm-12": Kind(lambda: tool("npm@12"), _NPM_12 | _ACCOUNT, node="node@24"),
    "pnpm-11": Kind(lambda: tool("pnpm@11"), _PNPM, "pnpm-lock.yaml", "node@24"),
    "pnpm-12": Kind(
        lambda: tool("pnpm@12"), _PNPM | _ACCOUNT | {"token create": "token create --read-only"}, "pnpm-lock.yaml"
    ),
    "yarn-1": Kind(
        lambda: tool("yarn@1"),
        _YARN_1,
        "yarn.lock",
        faults={
            "audit": "it asks a registry that is fixed in the program, whatever is configured",
            "owner add": _YARN_1_OWNER,
            "owner rm": _YARN_1_OWNER,
        },
    ),
    "yarn-4": Kind(lambda: tool("yarn@4"), _YARN_4, "yarn.lock"),
    "bun-1": Kind(lambda: tool("bun@1"), _BUN, "bun.lock"),
    "deno-2": Kind(lambda: tool("deno@2"), _DENO, "deno.lock"),
}


class AnyClient:
    """A client with a home, caches and a configuration of its own. `url`: its registry, without a slash at its end."""

    def __init__(self, name: str, home: Path, url: str, token: str = "") -> None:
        self.name = name
        self.kind = KINDS[name]
        self.home = home
        self.token = token
        self._caches = 0
        home.mkdir(parents=True)
        self._configure(url)

    def clear_cache(self) -> None:
        """Take new, empty caches from now on."""
        self._caches += 1

    def words(self, command: str, **values: str) -> list[str]:
        """Return the command line of a command of the matrix."""
        words = [word.format(**values) for word in shlex.split(self.kind.commands[command])]
        return [str(self.kind.program()), *words]

    def call(
        self, project: Path, command: str, *, check: bool = True, **values: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command of the matrix in a project. `values`: what stands for `{package}` and the like."""
        return run(self.words(command, **values), project, self.environment, check=check)

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.lower().startswith(_FOREIGN)}
        cache = self.home / f"cache{self._caches}"
        node = [str(tool(self.kind.node).parent)] if self.kind.node else []
        return {
            **kept,
            "PATH": os.pathsep.join([*node, os.environ["PATH"]]),
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(cache / "xdg"),
            "XDG_DATA_HOME": str(cache / "data"),
            "XDG_STATE_HOME": str(cache / "state"),
            "HTTP_PROXY": _NOWHERE,
            "HTTPS_PROXY": _NOWHERE,
            "NO_PROXY": "localhost",
            "DO_NOT_TRACK": "1",
            "npm_config_cache": str(cache / "npm"),
            "npm_config_globalconfig": str(self.home / "none"),
            "pnpm_config_minimum_release_age": "0",
            "pnpm_config_ignore_scripts": "true",
            "pnpm_config_update_notifier": "false",
            "FAKEROOTKEY": "1",  # else root's home is another one for yarn 1
            "YARN_CACHE_FOLDER": str(cache / "yarn"),
            "YARN_GLOBAL_FOLDER": str(cache / "berry"),
            "BUN_INSTALL_CACHE_DIR": str(cache / "bun"),
            "DENO_DIR": str(cache / "deno"),
            "DENO_NO_UPDATE_CHECK": "1",
            "NO_COLOR": "1",
        }

    def _configure(self, url: str) -> None:
        host = url.removeprefix("http:")
        npm = [f"registry={url}/", "fund=false", "update-notifier=false", "fetch-retries=0"]
        npm.append("ignore-scripts=true")
        yarn_4 = [
            f'npmRegistryServer: "{url}"',
            "unsafeHttpWhitelist: [localhost]",
            "nodeLinker: node-modules",
            "enableTelemetry: false",
            "enableScripts: false",
            "npmMinimalAgeGate: 0",
        ]
        if self.token:
            npm.append(f"{host}/:_authToken={self.token}")
            yarn_4.append(f'npmAuthToken: "{self.token}"')
        for file, lines in {
            ".npmrc": npm,
            ".yarnrc": [f'registry "{url}/"'],
            ".yarnrc.yml": yarn_4,
        }.items():
            (self.home / file).write_text("\n".join(lines) + "\n")


class Client(AnyClient):
    """A client whose registry is `node`, logged in as `user`."""

    def __init__(self, name: str, home: Path, node: NodeProcess, user: str = "") -> None:
        super().__init__(name, home, node.url, log_in(node, user) if user else "")
        self.node = node


def project(folder: Path, client: AnyClient, **dependencies: str) -> Path:
    """Write a project. yarn 4 takes a folder for one by its lock file only."""
    app = write_project(folder, {"name": "app", "version": "1.0.0", "dependencies": dependencies})
    if client.name == "yarn-4":
        (app / "yarn.lock").touch()
    return app


def pin(app: Path, client: AnyClient, versions: Mapping[str, str]) -> None:
    """Let a client take these versions of packages, whoever depends on them."""
    if client.kind.lock == "pnpm-lock.yaml":
        (app / "pnpm-workspace.yaml").write_text(json.dumps({"overrides": dict(versions)}))
        return
    manifest = json.loads((app / "package.json").read_text())
    (app / "package.json").write_text(json.dumps(manifest | dict.fromkeys(("overrides", "resolutions"), versions)))


def log_in(node: NodeProcess, user: str) -> str:
    """Make an account, or log in to it, and return its token."""
    body = {"name": user, "password": PASSWORD}
    answer = request("PUT", f"{node.url}/-/user/org.couchdb.user:{user}", body=body)
    assert answer.status == 201, answer.body
    return str(answer.json()["token"])
