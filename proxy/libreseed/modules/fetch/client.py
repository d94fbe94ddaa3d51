"""An HTTP client of an npm registry, usually the node on this machine."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from libreseed.errors import (
    ForbiddenError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
)
from libreseed.modules.fetch.probe import nobody_answers
from libreseed.modules.lock.entry import LockedPackage
from libreseed.packages.integrity import format_integrity

CONNECTIONS = 16
MAX_TARBALL = 2**30
"""Bytes of a tarball."""
ATTEMPTS = 3
CHUNK = 256 * 1024
MAX_ERROR = 64 * 1024
"""Bytes that are read of an error's body."""

_TIMEOUT = aiohttp.ClientTimeout(total=1800, connect=15, sock_read=90)
_STATUS_TIMEOUT = aiohttp.ClientTimeout(total=10)
_BACKOFF = 0.5
_RETRIED = frozenset({429, 500, 502, 503, 504})


class RegistryClient:
    """A client of the npm registry at a URL, and an asynchronous context manager. It sends at most 16 requests at a
    time, each with `headers`, such as `Authorization`."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise InvalidInputError(
                f"{url[:120]!r} is not the URL of a registry.", hint="Such as http://localhost:4880"
            )
        self.url = url.rstrip("/")
        self._headers = dict(headers or {})
        self._slots = asyncio.Semaphore(CONNECTIONS)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, trust_env=True, auto_decompress=False, headers=self._headers
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    async def ping(self) -> None:
        """Ask for `/-/ping`, as `npm ping` does. Raises UnavailableError when no registry answers."""
        try:
            async with self._session.get(f"{self.url}/-/ping", timeout=_STATUS_TIMEOUT) as response:
                if response.status == 200:
                    return
        except (aiohttp.ClientError, TimeoutError):
            pass
        raise nobody_answers(self.url)

    async def status(self) -> dict[str, Any] | None:
        """Return the status of the node there (`node.status`), None from a registry that is no LibreSeed node.

        Raises UnavailableError when none answers.
        """
        try:
            async with self._session.get(f"{self.url}/-/libreseed/status", timeout=_STATUS_TIMEOUT) as response:
                if response.status < 500:
                    status = await response.json(content_type=None) if response.status == 200 else None
                    return status if isinstance(status, dict) and "publisher" in status else None
        except ValueError:
            return None
        except (aiohttp.ClientError, TimeoutError):
            pass
        raise nobody_answers(self.url)

    async def log_in(self, name: str, password: str) -> str:
        """Log in, or make the account if there is none of that name, as npm does, and return a token.

        Raises UnauthorizedError when the registry refuses, UnavailableError when it does not answer as expected.
        """
        url = f"{self.url}/-/user/org.couchdb.user:{quote(name, safe='')}"
        reason = "it gave no token"
        try:
            async with self._session.put(
                url, json={"name": name, "password": password}, timeout=_STATUS_TIMEOUT
            ) as response:
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            answer, reason = None, str(error) or "no answer in time"
        match answer:
            case {"token": str(token)} if response.status < 300 and token.isprintable() and token:
                return token
            case {"error": str(refusal)} if response.status < 500:
                raise UnauthorizedError(f"{self.url} does not let {name!r} in: {refusal[:300]}")
        raise UnavailableError(f"Nobody could be logged in at {self.url}: {reason}.", hint="Try again later.")

    async def info(self, name: str, wanted: str) -> dict[str, Any]:
        """Return the node's description of a version, dist-tag or range of a package (`PackageInfo.describe`).

        Raises NotFoundError: there is no such version; UnavailableError: no node answers, or it cannot tell.
        """
        url = f"{self.url}/-/libreseed/info/{quote(name, safe='@/')}/{quote(wanted, safe='')}"
        try:
            async with self._session.get(URL(url, encoded=True), timeout=_STATUS_TIMEOUT) as response:
                answer = await response.json(content_type=None)
        except ValueError:
            answer = None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnavailableError(f"No answer from {self.url}.", hint="Start one with: libreseed serve") from error
        if "X-Libreseed-Source" not in response.headers or not isinstance(answer, dict):
            raise UnavailableError(
                f"{self.url} is a registry, but not LibreSeed.", hint="Name another with --registry."
            )
        if response.status == 200:
            return answer
        kind = NotFoundError if response.status in (400, 404) else UnavailableError
        raise kind(str(answer.get("error")))

    async def packument(self, name: str) -> dict[str, Any]:
        """Return a package's abbreviated packument. Raises NotFoundError, UnavailableError."""
        headers = {"Accept": "application/vnd.npm.install-v1+json, application/json", "Accept-Encoding": "identity"}
        try:
            async with (
                self._slots,
                self._session.get(f"{self.url}/{quote(name, safe='@')}", headers=headers) as response,
            ):
                body = await response.json(content_type=None) if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise UnavailableError(f"{self.url} did not tell the versions of {name}: {error}.") from error
        if isinstance(body, dict):
            return body
        if response.status in (404, 405):
            raise NotFoundError(f"{self.url} does not know {name}.")
        raise UnavailableError(f"{self.url} answered {response.status} when asked for {name}.", hint="Try again later.")

    async def download(self, package: LockedPackage, target: Path) -> str:
        """Write a package's tarball to `target`, unchecked, and return its source.

        That is the answer's `X-Libreseed-Source`, or "registry" when it has none.

        The sha512 is sent in the header `pacote-integrity`, as npm does, so that the node can fetch the tarball from
        the swarm without a packument. Raises NotFoundError, ForbiddenError, UnavailableError, IntegrityError (over 1
        GiB).
        """
        problem = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(_BACKOFF * 2**attempt)
            try:
                async with self._slots:
                    return await self._try(package, target)
            except _RetryError as error:
                problem = str(error)
            except (aiohttp.ClientError, TimeoutError) as error:
                problem = str(error) or "no answer in time"
        raise UnavailableError(
            f"{package.name}@{package.version} could not be fetched from {self.url}: {problem}.",
            hint="Try again later.",
        )

    async def _try(self, package: LockedPackage, target: Path) -> str:
        url = f"{self.url}/{quote(package.name, safe='@/')}/-/{quote(package.file, safe='')}"
        headers = {"pacote-integrity": format_integrity(package.digest)} if package.digest else {}
        async with self._session.get(url, headers=headers) as response:
            if response.status in _RETRIED:
                raise _RetryError(f"it answered {response.status}")
            if response.status == 403:
                raise ForbiddenError(f"{self.url} refuses {package.name}@{package.version}: {await _reason(response)}")
            if response.status != 200:
                raise NotFoundError(
                    f"{package.name}@{package.version} is not to be had: {self.url} answered {response.status}.",
                    hint="Nobody who can be reached has it; see: libreseed doctor",
                )
            await self._write(package, response, target)
            return response.headers.get("X-Libreseed-Source", "registry")

    async def _write(self, package: LockedPackage, response: aiohttp.ClientResponse, target: Path) -> None:
        size = 0
        with target.open("wb") as file:
            async for chunk in response.content.iter_chunked(CHUNK):
                size += len(chunk)
                if size > MAX_TARBALL:
                    raise IntegrityError(f"The tarball of {package.name}@{package.version} is over 1 GiB.")
                file.write(chunk)


async def _reason(response: aiohttp.ClientResponse) -> str:
    """Return the message of an error response, `{"error": message}` as npm's registry sends it."""
    try:
        match orjson.loads(await response.content.read(MAX_ERROR)):
            case {"error": str(reason)}:
                return reason
    except orjson.JSONDecodeError:
        pass
    return f"it answered {response.status}, and does not say why."


class _RetryError(Exception):
    """An attempt failed in a way that a retry may overcome."""
