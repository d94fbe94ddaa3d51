"""Upstreams declared in the configuration file, `[upstreams.NAME]`, each with the package names that belong to it.

A name belongs to one source. When that does not have the package or does not answer, no other source is asked:
otherwise a package that somebody publishes on a public registry under a company's private name would be installed
instead (dependency confusion).
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from yarl import URL

from libreseed.errors import ConfigError, InvalidInputError
from libreseed.packages.names import check_pattern, matches, scope_of
from libreseed.upstream.limits import Limits
from libreseed.upstream.npmrc import ListenAddress, registry_url, settings_of
from libreseed.upstream.settings import UpstreamSettings

_FILES = ("cafile", "certfile", "keyfile")
_SECRETS = ("token", "password")
_NUMBERS = ("timeout", "connect-timeout")
_KEYS = (
    "url",
    "packages",
    "username",
    "proxy",
    "strict-ssl",
    "retries",
    *_FILES,
    *_NUMBERS,
    *(f"{key}{form}" for key in _SECRETS for form in ("", "-env", "-file")),
)
_MAX_SECONDS = 3600
"""The longest time-out."""


@dataclass(frozen=True, slots=True)
class DeclaredUpstream:
    """The source of exactly those package names that match a pattern in `packages`.

    `*` in a pattern stands for any characters, but matches no scope.
    """

    name: str
    packages: tuple[str, ...]
    settings: UpstreamSettings
    limits: Limits

    def knows_scope(self, scope: str) -> bool:
        """Tell whether packages of `scope`, such as `@corp`, may match one of the patterns."""
        return any(scope_of(pattern) == scope for pattern in self.packages)


def owner_of(declared: Iterable[DeclaredUpstream], name: str) -> DeclaredUpstream | None:
    """Return the upstream that `name` is declared for, None for the default source. Of several matching patterns the
    most specific counts, which has the most characters other than `*`."""
    found = [
        (not pattern.count("*"), len(pattern) - pattern.count("*"), upstream)
        for upstream in declared
        for pattern in upstream.packages
        if scope_of(pattern) == scope_of(name) and matches(name, pattern)
    ]
    return max(found, key=lambda each: each[:2])[2] if found else None


def read_declared(tables: object, own: ListenAddress, environment: Mapping[str, str]) -> tuple[DeclaredUpstream, ...]:
    """Return the upstreams in the table `upstreams` of the configuration file, with their secrets read (blocking).

    `own` is this node's address, which is refused as an upstream. Raises ConfigError: an unknown key, a wrong value, a
    missing secret, a pattern in two tables.
    """
    if not isinstance(tables, Mapping):
        raise ConfigError("'upstreams' is not a table.", hint="Write [upstreams.NAME], then url and packages.")
    declared = tuple(_Table(name, table, environment).read(own) for name, table in tables.items())
    owners: dict[str, str] = {}
    for upstream in declared:
        for pattern in upstream.packages:
            if pattern in owners:
                raise ConfigError(f"Both upstreams {owners[pattern]!r} and {upstream.name!r} declare {pattern!r}.")
            owners[pattern] = upstream.name
    return declared


class _Table:
    """One `[upstreams.NAME]`."""

    def __init__(self, name: str, table: object, environment: Mapping[str, str]) -> None:
        self._where = f"upstreams.{name}"
        self._name = name
        self._environment = environment
        if not isinstance(table, Mapping):
            raise self._wrong(f"{self._where} is not a table.")
        self._table: Mapping[str, Any] = {key.replace("_", "-"): value for key, value in table.items()}
        unknown = sorted(self._table.keys() - set(_KEYS))
        if unknown:
            raise self._wrong(f"{self._where} has an unknown key {unknown[0]!r}.", f"Known keys: {', '.join(_KEYS)}.")

    def read(self, own: ListenAddress) -> DeclaredUpstream:
        if "url" not in self._table:
            raise self._wrong(f"{self._where} has no url.")
        registry = registry_url(self._text("url"))
        if own.is_at(registry):
            raise self._wrong(f"{self._where} is at {registry.with_user(None)}, which is this server itself.")
        settings = settings_of(registry, self._as_npm(registry), own, self._environment)
        return DeclaredUpstream(self._name, self._packages(), replace(settings, private=True), self._limits())

    def _as_npm(self, registry: URL) -> dict[str, object]:
        """Return the table as settings of npm's, with npm's keys."""
        files = {key: self._file(key) for key in _FILES}
        strict = self._table.get("strict-ssl", True)
        if not isinstance(strict, bool):
            raise self._wrong(f"{self._where}.strict-ssl is neither true nor false.")
        key = f"//{registry.host_port_subcomponent}{registry.raw_path}"
        return {
            "cafile": files["cafile"],
            "strict-ssl": strict,
            "https-proxy": self._text("proxy"),
            f"{key}:certfile": files["certfile"],
            f"{key}:keyfile": files["keyfile"],
            f"{key}:_authToken": self._secret("token"),
            f"{key}:username": self._text("username"),
            f"{key}:_password": base64.b64encode(self._secret("password").encode()).decode(),
        }

    def _packages(self) -> tuple[str, ...]:
        packages = self._table.get("packages")
        if not isinstance(packages, list) or not packages:
            raise self._wrong(
                f"{self._where} has no list of packages.", 'It says whose names they are: packages = ["@corp/*"].'
            )
        for pattern in packages:
            try:
                check_pattern(pattern if isinstance(pattern, str) else "")
            except InvalidInputError as error:
                raise self._wrong(f"{self._where}.packages: {error.message}", error.hint) from error
            if "*" in scope_of(pattern) or not pattern.strip("*"):
                raise self._wrong(
                    f"{self._where}.packages: {pattern!r} means names of every kind.",
                    "Name scopes ('@corp/*') or beginnings ('internal-*'); `upstream` is for everything else.",
                )
        return tuple(packages)

    def _limits(self) -> Limits:
        timeout, connect = (self._number(key) for key in _NUMBERS)
        limits = Limits()
        retries = self._table.get("retries", limits.retries)
        if not isinstance(retries, int) or not 0 <= retries <= 10:
            raise self._wrong(f"{self._where}.retries is not a number from 0 to 10.")
        limits = replace(limits, retries=retries)
        limits = limits if timeout is None else limits.within(timeout)
        return limits if connect is None else replace(limits, connect=connect)

    def _number(self, key: str) -> float | None:
        value = self._table.get(key)
        if value is not None and (not isinstance(value, int | float) or not 0 < value <= _MAX_SECONDS):
            raise self._wrong(f"{self._where}.{key} is not a number of seconds up to {_MAX_SECONDS}.")
        return value

    def _text(self, key: str) -> str:
        value = self._table.get(key, "")
        if not isinstance(value, str):
            raise self._wrong(f"{self._where}.{key} is not a text.")
        return value

    def _file(self, key: str) -> str:
        """Return the path of an existing file, "" without that key."""
        text = self._text(key)
        if text and not Path(text).expanduser().is_file():
            raise self._wrong(f"{self._where}.{key}: there is no file {text}.")
        return str(Path(text).expanduser()) if text else ""

    def _secret(self, key: str) -> str:
        """Return a secret from `key`, from the variable that `key-env` names, or the file that `key-file` names."""
        given = [form for form in ("", "-env", "-file") if self._text(f"{key}{form}")]
        if len(given) > 1:
            raise self._wrong(f"{self._where} names its {key} in more than one way.")
        match given:
            case ["-env"]:
                variable = self._text(f"{key}-env")
                secret = self._environment.get(variable, "")
                if not secret:
                    raise self._wrong(f"{self._where}.{key}-env: the variable {variable} is not set.")
            case ["-file"]:
                file = self._file(f"{key}-file")
                try:
                    secret = Path(file).read_text(encoding="utf-8")
                except (OSError, UnicodeDecodeError) as error:
                    raise self._wrong(f"{self._where}.{key}-file: {file} cannot be read.") from error
            case _:
                secret = self._text(key)
        return secret.strip()

    def _wrong(self, message: str, hint: str = "") -> ConfigError:
        return ConfigError(f"In the configuration file, {message}", hint=hint)
