"""Reads the upstream's settings from npm's configuration.

Settings other than secrets are npm's answers to `npm config`, since npm alone knows its default registry. Secrets,
which it does not print, are read from the files and variables that npm reads, in npm's order of precedence.

Where `libreseed setup` has pointed npm at this node, its configuration before that is used.
"""

import asyncio
import base64
import binascii
import ipaddress
import logging
import os
import socket
import tempfile
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from yarl import URL

from libreseed.clients.backup import BackupFile, encode
from libreseed.clients.ini import expand, read_ini
from libreseed.errors import ConfigError, UnavailableError
from libreseed.npm import default_registry, list_config, project_folder
from libreseed.upstream.settings import Credentials, Proxies, Tls, UpstreamSettings

NPM_TIMEOUT = 20.0
"""Seconds for each answer of npm's."""

_HINT = "Install Node.js with npm, or name the upstream with --upstream URL, or do without with --upstream none."
_CREDENTIAL_FIELDS = ("_authToken", "_auth", "username", "_password", "certfile", "keyfile")
_PREFIX = "npm_config_"

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where this node listens: a host name or IP address, and a TCP port."""

    host: str
    port: int

    def is_at(self, url: URL) -> bool:
        """Tell whether `url` is this node: its port, at its host or at any name of this machine."""
        host = (url.host or "").lower().rstrip(".")
        return url.port == self.port and (host == self.host.lower() or _is_this_machine(host))


async def read_settings(
    choice: str,
    own: ListenAddress,
    *,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    backups: BackupFile | None = None,
    timeout: float = NPM_TIMEOUT,
) -> UpstreamSettings:
    """Return the settings of the upstream that the user chose by `auto`, `none` or a URL.

    `auto` is the registry that npm is configured with in `directory` (default: the current one). When that is this node
    (`own`), it is the one that npm was configured with before `libreseed setup`, by `backups` (default: the user's),
    and npm's built-in one when that is this node too. A URL is used with npm's TLS, proxy and credentials, if npm is
    there. `timeout`: seconds for each answer of npm's. Raises ConfigError: npm gives no answer, or it or the user names
    no registry; StoreError: the backups cannot be read.
    """
    directory = directory or Path.cwd()
    environment = os.environ if environment is None else environment
    if choice == "none":
        return UpstreamSettings(registry=None)
    if choice == "auto":
        project = await _npm_answer(project_folder(environment, directory, timeout=timeout))
        config = await _effective_config(environment, project, timeout)
        registry = registry_url(config.get("registry"))
        if own.is_at(registry):
            config = await _former_config(
                config, environment=environment, project=project, backups=backups or BackupFile(), timeout=timeout
            )
            registry = registry_url(config.get("registry"))
        if own.is_at(registry):
            registry = registry_url(await _npm_answer(default_registry(environment, timeout=timeout)))
            if own.is_at(registry):
                raise ConfigError("The registry that npm falls back to is this server itself.", hint=_HINT)
    else:
        registry = registry_url(choice)
        if own.is_at(registry):
            raise ConfigError(f"The upstream {choice} is this server itself.", hint=_HINT)
        try:
            project = await _npm_answer(project_folder(environment, directory, timeout=timeout))
            config = await _effective_config(environment, project, timeout)
        except ConfigError as error:
            _log.warning("The upstream is used without npm's TLS, proxy and credentials. %s", error.message)
            config = {}
    return settings_of(registry, config, own, environment)


async def _effective_config(environment: Mapping[str, str], project: Path, timeout: float) -> dict[str, object]:
    public = await _npm_answer(list_config(environment, project, timeout=timeout))
    return await asyncio.to_thread(_with_secrets, public, environment, project)


async def _former_config(
    config: Mapping[str, object], environment: Mapping[str, str], project: Path, backups: BackupFile, timeout: float
) -> dict[str, object]:
    """Return `config` without the changes of `libreseed setup`: npm is asked with copies of its files from before."""
    variables = (f"{_PREFIX}userconfig", f"{_PREFIX}globalconfig")
    rest = {key: value for key, value in environment.items() if key.lower() not in variables}
    with tempfile.TemporaryDirectory(prefix="libreseed-npm-") as folder:
        user, former = Path(folder) / "user", Path(folder) / "project"

        def copy() -> None:
            former.mkdir()
            files = {user: config.get("userconfig"), former / ".npmrc": project / ".npmrc"}
            for target, source in files.items():
                text = backups.former(Path(source)) if source and isinstance(source, str | Path) else None
                target.write_bytes(encode(text or ""))

        await asyncio.to_thread(copy)
        # The machine's file too, because npm looks for it elsewhere when it is told where the project is.
        rest |= dict(zip(variables, (str(user), _text(config.get("globalconfig"))), strict=True))
        public = await _npm_answer(list_config(rest, project, project=former, timeout=timeout))
        return await asyncio.to_thread(_with_secrets, public, rest, former)


async def _npm_answer(answer: Awaitable[T]) -> T:
    """Return npm's answer. Raises ConfigError, with a hint at how to do without npm, when there is none."""
    try:
        return await answer
    except UnavailableError as error:
        raise ConfigError(error.message, hint=_HINT) from error


def _with_secrets(public: Mapping[str, object], environment: Mapping[str, str], project: Path) -> dict[str, object]:
    files = [public.get("globalconfig"), public.get("userconfig"), project / ".npmrc"]
    merged: dict[str, object] = {}
    for file in files:
        if isinstance(file, str | Path):
            merged |= read_ini(Path(file), environment)
    for variable, text in environment.items():
        if not variable.lower().startswith(_PREFIX) or not text:
            continue
        key = variable[len(_PREFIX) :]
        if not key.startswith("//"):
            key = (key[:1] + key[1:].replace("_", "-")).lower()
        merged[key] = expand(text.strip(), environment)
    return merged | dict(public)


def settings_of(
    registry: URL, config: Mapping[str, object], own: ListenAddress, environment: Mapping[str, str]
) -> UpstreamSettings:
    """Return the settings of `registry` from npm's settings in `config`, by npm's keys. Raises ConfigError: a value of
    the wrong form, or an unusable proxy."""
    credentials = _credentials(config)
    scopes: dict[str, str] = {}
    for key, value in config.items():
        scope, colon, field = key.partition(":")
        if not (scope.startswith("@") and colon and field == "registry" and value):
            continue
        url = registry_url(value)
        if not own.is_at(url):
            scopes[scope] = _without_user(url, credentials)
    return UpstreamSettings(
        registry=_without_user(registry, credentials),
        scopes=scopes,
        credentials=credentials,
        tls=Tls(
            strict=config.get("strict-ssl") not in (False, "false"),
            cafile=_text(config.get("cafile")),
            ca=tuple(pem for item in _items(config.get("ca")) if (pem := _pem(item))),
            extra_cafile=environment.get("NODE_EXTRA_CA_CERTS", ""),
            cert=_pem(config.get("cert")),
            key=_pem(config.get("key")),
        ),
        proxies=_proxies(config, environment),
    )


def registry_url(value: object) -> URL:
    """Return `value` as the URL of a registry, with a `/` at its end. Raises ConfigError for anything but an http or
    https URL."""
    text = _text(value).strip()
    try:
        url = URL(text)
        valid = url.scheme in ("http", "https") and bool(url.host) and url.port is not None
    except ValueError:
        valid = False
    if not valid:
        shown = text.rpartition("@")[2][:80]
        raise ConfigError(f"{shown!r} is not the URL of a registry.", hint="It begins with http:// or https://.")
    path = url.raw_path if url.raw_path.endswith("/") else url.raw_path + "/"
    return url.with_path(path, encoded=True)


def _without_user(url: URL, credentials: dict[str, Credentials]) -> str:
    """Return the URL without user and password, which are added to `credentials` if the registry has none there."""
    bare = url.with_user(None)
    if url.user:
        basic = _basic(url.user, url.password or "")
        credentials.setdefault(f"//{bare.host_port_subcomponent}{bare.raw_path}", Credentials(authorization=basic))
    return str(bare)


def _credentials(config: Mapping[str, object]) -> dict[str, Credentials]:
    fields: dict[str, dict[str, str]] = {}
    for key, value in config.items():
        registry, colon, field = key.rpartition(":")
        # `${NAME}` of an unset variable stays as it is; sent as a token, it would make a public registry answer 401.
        if registry.startswith("//") and colon and field in _CREDENTIAL_FIELDS and "${" not in _text(value):
            fields.setdefault(registry, {})[field] = _text(value)
    return {key: found for key, values in fields.items() if (found := _from_fields(key, values)) is not None}


def _from_fields(key: str, values: Mapping[str, str]) -> Credentials | None:
    token, basic, user, password, certfile, keyfile = (values.get(field, "") for field in _CREDENTIAL_FIELDS)
    if any(not character.isprintable() for character in token + basic):
        raise ConfigError(f"npm's credentials for {key} hold a line break or control character.")
    authorization = ""
    if token:
        authorization = f"Bearer {token}"
    elif basic:
        authorization = f"Basic {basic}"
    elif user and password:
        try:
            authorization = _basic(user, base64.b64decode(password + "==").decode(errors="replace"))
        except binascii.Error as error:
            raise ConfigError(f"npm's {key}:_password is not base64.") from error
    if certfile and keyfile:
        return Credentials(authorization, str(Path(certfile).expanduser()), str(Path(keyfile).expanduser()))
    return Credentials(authorization) if authorization else None


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _proxies(config: Mapping[str, object], environment: Mapping[str, str]) -> Proxies:
    variables = {key.lower(): value for key, value in environment.items() if value}
    https = variables.get("https_proxy", "")
    http = https or variables.get("http_proxy", "") or variables.get("proxy", "")
    # npm uses its own setting for both schemes, and prefers `https-proxy`.
    if own := _text(config.get("https-proxy")) or _text(config.get("proxy")):
        http = https = own
    without = [part for item in _items(config.get("noproxy")) for part in _text(item).split(",") if part.strip()]
    for proxy in (http, https):
        if proxy and not proxy.startswith(("http://", "https://")):
            raise ConfigError(
                f"npm's proxy {proxy.rpartition('@')[2]!r} is not an HTTP proxy.",
                hint="Name one that begins with http:// or https://, in npm's https-proxy or in HTTPS_PROXY.",
            )
    return Proxies(
        http=http,
        https=https,
        without=tuple(part.strip() for part in without or variables.get("no_proxy", "").split(",") if part.strip()),
    )


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost") or host == socket.gethostname().lower():
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _pem(value: object) -> str:
    return _text(value).replace("\\n", "\n")
