import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import NotFoundError
from libreseed.upstream.limits import Limits
from libreseed.upstream.retries import TransientError, parse_retry_after, with_retries

QUICK = Limits(backoff=0.0, retries=2)


class Work:
    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.runs = 0

    async def __call__(self) -> str:
        self.runs += 1
        if self.faults:
            raise self.faults.pop(0)
        return "done"


async def test_transient_faults_are_tried_again() -> None:
    work = Work(TransientError("one"), TransientError("two"))
    assert await with_retries(work, QUICK) == "done"
    assert work.runs == 3


async def test_the_last_fault_is_raised() -> None:
    work = Work(*(TransientError(text) for text in ("one", "two", "three", "four")))
    with pytest.raises(TransientError, match="three"):
        await with_retries(work, QUICK)


async def test_other_errors_are_final() -> None:
    work = Work(NotFoundError("no"))
    with pytest.raises(NotFoundError):
        await with_retries(work, QUICK)
    assert work.runs == 1


async def test_the_wait_that_is_asked_for_is_kept() -> None:
    clock = asyncio.get_running_loop().time
    start = clock()
    await with_retries(Work(TransientError("busy", wait=0.05)), QUICK)
    assert clock() - start >= 0.049


async def test_back_off_doubles() -> None:
    clock = asyncio.get_running_loop().time
    start = clock()
    await with_retries(Work(TransientError("one"), TransientError("two")), Limits(backoff=0.02))
    assert clock() - start >= 0.5 * (0.02 + 0.04) - 0.001


async def test_too_long_a_wait_is_not_kept() -> None:
    work = Work(TransientError("busy", wait=6.0))
    with pytest.raises(TransientError):
        await with_retries(work, QUICK)
    assert work.runs == 1


def test_retry_after_is_seconds_or_a_date() -> None:
    assert parse_retry_after("3") == 3.0
    assert parse_retry_after("") == 0.0
    assert parse_retry_after("soon") == 0.0
    assert parse_retry_after("²") == 0.0
    soon = datetime.now(UTC) + timedelta(seconds=100)
    assert 90 < parse_retry_after(format_datetime(soon, usegmt=True)) <= 100
    assert parse_retry_after(format_datetime(soon - timedelta(days=1), usegmt=True)) == 0.0


@given(st.text())
def test_retry_after_takes_every_text(text: str) -> None:
    assert parse_retry_after(text) >= 0.0
