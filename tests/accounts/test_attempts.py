import pytest

from libreseed.accounts import attempts
from libreseed.accounts.attempts import Attempts
from libreseed.errors import ForbiddenError
from support.clock import Clock


def test_a_few_are_free_and_then_one_at_a_time() -> None:
    clock = Clock()
    limit = Attempts(3, 60.0, clock)
    for _ in range(3):
        limit.take("ann")
    with pytest.raises(ForbiddenError, match=r"Try again in 1 minute\."):
        limit.take("ann")
    limit.take("bob")
    clock.now = 60.0
    limit.take("ann")
    with pytest.raises(ForbiddenError):
        limit.take("ann")


def test_right_ones_do_not_count() -> None:
    limit = Attempts(2, 60.0, Clock())
    for _ in range(10):
        limit.take("ann")
        limit.give_back("ann")
    limit.take("ann")
    limit.take("ann")
    with pytest.raises(ForbiddenError):
        limit.take("ann")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_REMEMBERED", 5)
    limit = Attempts(1, 60.0, Clock())
    names = [f"name {number}" for number in range(50)]
    for name in names:
        limit.take(name)
    for name in names[-5:]:
        with pytest.raises(ForbiddenError):
            limit.take(name)
    for name in reversed(names[:-5]):
        limit.take(name)
