"""Retries with exponential back-off."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from libreseed.errors import UnavailableError
from libreseed.upstream.limits import Limits

T = TypeVar("T")


class TransientError(UnavailableError):
    """A fault that a retry may overcome. `wait`: seconds that the other side asked to wait (Retry-After), else 0."""


async def with_retries(work: Callable[[], Awaitable[T]], limits: Limits) -> T:
    """Return the result of `work`, which is retried after a TransientError, `limits.retries` times at most.

    Before a retry it waits: exponential back-off with jitter, or the error's `wait` if that is longer. Raises the last
    TransientError, and one whose `wait` exceeds `limits.retry_after` at once.
    """
    for attempt in range(limits.retries):
        try:
            return await work()
        except TransientError as error:
            if error.wait > limits.retry_after:
                raise
            pause = limits.backoff * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311 (jitter, no secret)
            await asyncio.sleep(max(pause, error.wait))
    return await work()


def parse_retry_after(text: str) -> float:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3), 0 for an empty or malformed one."""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
