import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from libreseed.errors import LibreseedError, NotFoundError, UnavailableError
from libreseed.upstream.breaker import Breaker
from libreseed.upstream.client import Upstream
from libreseed.upstream.limits import Limits
from libreseed.upstream.settings import UpstreamSettings
from support.clock import Clock
from upstream.fake_registry import Drop, FakeRegistry, Hang, Reply

LIMITS = Limits(faults=3, pause=5.0, longest_pause=12.0, retries=0, backoff=0.0)
BODY = b'{"name":"lodash"}'


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(LIMITS, clock)


def request(breaker: Breaker, error: Exception | None = None) -> None:
    with breaker.attempt("http://a"):
        if error is not None:
            raise error


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(aiohttp.ServerDisconnectedError):
            request(breaker, aiohttp.ServerDisconnectedError())


def test_it_opens_after_so_many_faults_in_a_row(breaker: Breaker) -> None:
    fail(breaker, 2)
    request(breaker)
    fail(breaker, 2)
    assert not breaker.is_open
    fail(breaker)
    with pytest.raises(UnavailableError, match=r"http://a could not be reached 3 times in a row.* in 5 s") as refused:
        request(breaker)
    assert refused.value.wait == 5.0


def test_one_request_at_a_time_tries_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 5.0
    with breaker.attempt("http://a"), pytest.raises(UnavailableError, match="right now"):
        request(breaker)
    request(breaker)
    assert not breaker.is_open


def test_each_failed_try_doubles_the_pause(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    for pause in (5.0, 10.0, 12.0, 12.0):
        assert breaker.wait == pause
        clock.now += pause
        fail(breaker)


def test_a_try_that_is_given_up_makes_way_for_another(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 5.0
    with pytest.raises(asyncio.CancelledError), breaker.attempt("http://a"):
        raise asyncio.CancelledError
    request(breaker)


def test_what_fails_late_prolongs_nothing(breaker: Breaker, clock: Clock) -> None:
    with pytest.raises(aiohttp.ServerDisconnectedError), breaker.attempt("http://a"):
        fail(breaker, 3)
        clock.now += 1.0
        raise aiohttp.ServerDisconnectedError
    assert breaker.wait == 4.0


@pytest.fixture
async def upstream(registry: FakeRegistry) -> AsyncIterator[Upstream]:
    async with Upstream(UpstreamSettings(registry.url), node_id="node-1", limits=LIMITS) as opened:
        yield opened


async def ask(upstream: Upstream, times: int, error: type[LibreseedError]) -> None:
    for _ in range(times):
        with pytest.raises(error):
            await upstream.packument("lodash")


@pytest.mark.parametrize(("status", "error"), [(404, NotFoundError), (500, UnavailableError), (503, UnavailableError)])
async def test_who_answers_is_there(
    registry: FakeRegistry, upstream: Upstream, status: int, error: type[LibreseedError]
) -> None:
    registry.on("/lodash", Reply(status))
    await ask(upstream, 5, error)
    assert len(registry.requests) == 5
    assert [each["state"] for each in upstream.state()] == ["up"]


async def test_who_breaks_off_is_left_alone(registry: FakeRegistry, upstream: Upstream) -> None:
    registry.on("/lodash", Drop())
    await ask(upstream, 3, UnavailableError)
    asked = len(registry.requests)
    registry.on("/lodash", Reply(body=BODY))
    await ask(upstream, 3, UnavailableError)
    assert len(registry.requests) == asked
    [state] = upstream.state()
    assert (state["state"], 0 < state["wait"] <= 5.0) == ("down", True)


async def test_who_keeps_silent_is_left_alone(registry: FakeRegistry) -> None:
    registry.on("/lodash", Hang())
    hasty = Limits(faults=3, pause=60.0, idle=0.05, retries=0)
    async with Upstream(UpstreamSettings(registry.url), node_id="node-1", limits=hasty) as upstream:
        await ask(upstream, 5, UnavailableError)
    assert len(registry.requests) == 3


async def test_another_server_is_not_meant(registry: FakeRegistry, upstream: Upstream) -> None:
    registry.on("/lodash", Drop())
    await ask(upstream, 3, UnavailableError)
    async with FakeRegistry() as files:
        files.on("/x.tgz", Reply(body=b"x"))
        async with upstream.tarball_at(f"{files.url}x.tgz", name="lodash") as stream:
            assert [chunk async for chunk in stream] == [b"x"]


def test_two_requests_that_fail_do_not_open_it() -> None:
    limits = Limits()
    assert limits.faults > 2 * (1 + limits.retries)
