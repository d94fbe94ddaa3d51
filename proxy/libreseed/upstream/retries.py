"""Trying again what may succeed the next time."""

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
    """A fault that may be gone soon; `wait` is how long the other side asked us to stay away."""


async def with_retries(work: Callable[[], Awaitable[T]], limits: Limits) -> T:
    """Return the result of `work`, started again after a TransientError, `limits.retries` times at most.

    Between attempts: exponential back-off with jitter, or what the other side asked for if that is longer. Raises
    the last TransientError; at once when the other side asks for more patience than `limits.retry_after`.
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
    """Return the seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3), 0 for none or nonsense."""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
