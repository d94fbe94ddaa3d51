from libreseed.network.udp.throttle import LOCAL_FACTOR, Throttle
from support.clock import Clock


def test_a_stranger_gets_its_rate_and_no_more() -> None:
    clock = Clock()
    throttle = Throttle(100, 1000, clock)
    assert throttle.allows("8.8.8.8", 1000)
    assert not throttle.allows("8.8.8.8", 1)
    assert throttle.allows("8.8.4.4", 1000)
    clock.now = 1
    assert throttle.allows("8.8.8.8", 100)
    assert not throttle.allows("8.8.8.8", 1)


def test_colleagues_may_ask_for_more() -> None:
    throttle = Throttle(100, 1000, Clock())
    assert throttle.allows("10.0.0.1", 1000 * LOCAL_FACTOR)
    assert not throttle.allows("10.0.0.1", 1)


def test_memory_is_bounded() -> None:
    throttle = Throttle(100, 1, Clock())
    strangers = [f"8.{number >> 8}.{number & 255}.1" for number in range(10_000)]
    assert all(throttle.allows(ip, 1) for ip in strangers)
    assert not any(throttle.allows(ip, 1) for ip in strangers[-4096:])
    assert all(throttle.allows(ip, 1) for ip in reversed(strangers[:-4096]))
