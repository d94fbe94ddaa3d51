"""Moves work to a thread when it would block the event loop for milliseconds."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def offload(work: Callable[[], T], size: int, *, quick: int) -> T:
    """Return the result of `work` on `size` bytes: run in a thread, but below `quick` bytes, where a hand-over to a
    thread takes longer than the work, on the event loop."""
    return work() if size < quick else await asyncio.to_thread(work)
