"""Work that takes a few milliseconds or more is a thread's, so that the event loop goes on."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def offload(work: Callable[[], T], size: int, *, quick: int) -> T:
    """Return the result of `work` on `size` bytes: done at once below `quick` bytes, where handing it over would take
    longer, else in a thread."""
    return work() if size < quick else await asyncio.to_thread(work)
