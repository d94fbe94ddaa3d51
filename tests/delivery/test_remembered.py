from types import SimpleNamespace

import pytest

from libreseed.delivery import remembered
from libreseed.delivery.remembered import Remembered


def test_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(remembered, "time", SimpleNamespace(monotonic=lambda: now))
    values: Remembered[str, int] = Remembered(5.0)
    assert values.get("a") is None
    values.put("a", 1)
    now = 104.9
    assert values.get("a") == 1
    now = 105.0
    assert values.get("a") is None


def test_the_oldest_go_first() -> None:
    values: Remembered[str, int] = Remembered(5.0, limit=2)
    for number, key in enumerate("abab" + "c"):
        values.put(key, number)
    assert [values.get(key) for key in "abc"] == [None, 3, 4]
