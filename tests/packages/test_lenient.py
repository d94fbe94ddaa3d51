import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import InvalidInputError
from libreseed.packages import lenient
from libreseed.packages.lenient import read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_what_is_strict_is_read_as_it_is(value: Any) -> None:
    assert read_json(json.dumps(value).encode()) == (value, True)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": "cut \\ud83d"}', {"a": "cut \ufffd"}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (b'{"a": "\\ude00\\ud83d"}', {"a": "\ufffd\ufffd"}),
        (b'{"\\ud83d": 1}', {"\ufffd": 1}),
        (b'["\xe9t\xe9"]', ["\ufffdt\ufffd"]),
        (b"\xef\xbb\xbf[1]", [1]),
    ],
)
def test_what_only_javascript_reads(data: bytes, value: object) -> None:
    assert read_json(data).value == value


@pytest.mark.parametrize("data", [b"", b"{", b"[NaN]", b"[Infinity]", b"nothing", b"[" * 100_000, b"\xff"])
def test_what_nobody_reads(data: bytes) -> None:
    with pytest.raises(InvalidInputError, match="not JSON"):
        read_json(data)


def test_what_is_not_strict_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lenient, "MOST", 4)
    with pytest.raises(InvalidInputError):
        read_json(b'["\xff"]')
