"""The nodes of the demo, each with its own root, key and ports; they run in this process, on loopback only."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from libreseed.config import Settings
from libreseed.errors import UnavailableError
from libreseed.network.overlay.overlay import Overlay
from libreseed.network.overlay.settings import OverlaySettings
from libreseed.node.node import Node
from libreseed.packages.names import tarball_path
from libreseed.store.database import Database
from libreseed.store.tables.overlay import OverlayStore
from libreseed.trust.items import SignedItem

_JOIN_SECONDS = 10.0
_SPREAD_SECONDS = 30.0
_POLL = 0.02
"""Seconds between two reads of a node's status."""
_ANSWER_SECONDS = 10.0
_USER = "demo"


@dataclass(frozen=True, slots=True)
class DemoNodes:
    """The running nodes."""

    publisher: Node
    mirror: Node
    newcomer: Node


@asynccontextmanager
async def running(folder: Path, upstream: str) -> AsyncIterator[DemoNodes]:
    """Start the three nodes and wait until each has both others as peers. `upstream` is the mirror's; the others have
    none.

    Raises UnavailableError when they do not find each other within 10 s, and what Node.start raises.
    """
    async with AsyncExitStack() as stack:
        publisher = await start(stack, folder / "publisher", "none")
        mirror, newcomer = await asyncio.gather(
            start(stack, folder / "mirror", upstream, publisher), start(stack, folder / "newcomer", "none", publisher)
        )
        for node in (publisher, mirror, newcomer):
            await wait_for_peers(node, 2)
        yield DemoNodes(publisher, mirror, newcomer)


async def start(stack: AsyncExitStack, root: Path, upstream: str, *known: Node) -> Node:
    """Start a node that joins by those it knows, until the stack is closed. Raises what Node.start raises."""
    contacts = tuple([await address_of(node) for node in known])
    node = await Node.start(
        Settings(root, port=0, upstream=upstream, p2p_host="127.0.0.1", lan=False, bootstrap=contacts)
    )
    stack.push_async_callback(node.stop)
    return node


async def wait_for_peers(node: Node, count: int) -> None:
    """Wait until a node knows so many others. Raises UnavailableError after 10 s."""
    await _until(
        node,
        lambda status: bool(status["peers"]["overlay"] >= count),
        _JOIN_SECONDS,
        "The nodes did not find each other",
    )


async def address_of(node: Node) -> str:
    """Return the overlay address of a node, `host:port`."""
    return str(node.status()["overlay"])


async def wait_until_announced(node: Node) -> None:
    """Wait until a node has nothing left to sign and announce. Raises UnavailableError after 30 s."""
    await _until(node, _is_idle, _SPREAD_SECONDS, "A node did not finish announcing what it has")


async def log_in(node: Node) -> str:
    """Make an account on a node, as `npm login` does, and return its token. Raises UnavailableError."""
    account = {"name": _USER, "password": secrets.token_urlsafe()}
    status, body = await _request(node, "PUT", f"-/user/org.couchdb.user:{_USER}", _ANSWER_SECONDS, account)
    if status != 201:
        raise UnavailableError(f"The demo could not log in: {_error(body)}")
    return str(orjson.loads(body)["token"])


async def ask(node: Node, name: str, timeout: float = _ANSWER_SECONDS) -> str | None:
    """Ask a node for the packument of `name`; return None when it has one, else the error's message.

    Raises UnavailableError when there is no answer within `timeout` seconds.
    """
    status, body = await _request(node, "GET", name, timeout)
    return None if status == 200 else _error(body)


async def tarball(node: Node, name: str, version: str, integrity: str = "") -> bytes:
    """Download a tarball from a node, with its `integrity` if a lock file says it. Raises UnavailableError."""
    headers = {"pacote-integrity": integrity} if integrity else {}
    status, body = await _request(node, "GET", tarball_path(name, version), _ANSWER_SECONDS, headers=headers)
    if status != 200:
        raise UnavailableError(f"The tarball of {name}@{version} cannot be had: {_error(body)}")
    return body


async def find_records(folder: Path, contact: str, name: str) -> list[SignedItem]:
    """Look a name up in the overlay as a fourth node, which joins at `contact` and has its database in `folder`.

    Raises NetworkError, StoreError.
    """
    database = await Database.open(folder / "observer.db")
    try:
        overlay = Overlay(OverlaySettings(client_only=True), OverlayStore(database))
        await overlay.start()
        try:
            await overlay.bootstrap([contact])
            return await overlay.find_records(name)
        finally:
            await overlay.stop()
    finally:
        await database.close()


async def _until(node: Node, condition: Callable[[dict[str, Any]], bool], seconds: float, complaint: str) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not condition(node.status()):  # noqa: ASYNC110 - a node reports its state, not changes of it
                await asyncio.sleep(_POLL)
    except TimeoutError as error:
        raise UnavailableError(f"{complaint} within {seconds:.0f} s.") from error


def _is_idle(status: dict[str, Any]) -> bool:
    return not status["mirroring"] and not status["announcing"]


async def _request(
    node: Node, method: str, path: str, timeout: float, body: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Return status and body. Raises UnavailableError."""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit) as client,
            client.request(method, f"{node.url}/{path}", json=body, headers=headers) as answer,
        ):
            return answer.status, await answer.read()
    except TimeoutError as error:
        raise UnavailableError(f"{node.url}/{path} was not answered within {timeout:.0f} s.") from error
    except aiohttp.ClientError as error:
        raise UnavailableError(f"{node.url}/{path} could not be had: {error}") from error


def _error(body: bytes) -> str:
    return str(orjson.loads(body)["error"])
