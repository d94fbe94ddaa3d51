import base64
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import InvalidInputError
from libreseed.packages import longtexts
from libreseed.packages.longtexts import LongTexts

TOKEN = "token-that-nobody-guesses-"
SHORT = 8
json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=SHORT)
    | st.binary(max_size=60).map(base64.b64encode),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


class Texts(list[bytes]):
    """Collects what the sinks take."""

    def open(self) -> "Texts":
        self.append(b"")
        return self

    def write(self, text: bytes) -> None:
        self[-1] += text

    def finish(self) -> None:
        self[-1] += b"."


def take_apart(data: bytes, *cuts: int, limit: int = 1 << 20) -> tuple[bytes, Texts]:
    texts = Texts()
    reader = LongTexts(TOKEN, limit, texts.open)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        reader.feed(data[start:end])
    return reader.finish(), texts


def put_back(value: Any, texts: Texts) -> Any:
    match value:
        case str() if value.startswith(TOKEN):
            return texts[int(value.removeprefix(TOKEN))].decode().removesuffix(".")
        case list():
            return [put_back(each, texts) for each in value]
        case dict():
            return {key: put_back(each, texts) for key, each in value.items()}
        case _:
            return value


@given(json, st.lists(st.integers(0, 10_000), max_size=6))
def test_nothing_gets_lost_wherever_it_is_cut(value: Any, cuts: list[int]) -> None:
    text = orjson.dumps(value, default=bytes.decode)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(longtexts, "LONG", 6 * SHORT)  # a character is at most six bytes, as \uXXXX
        rest, texts = take_apart(text, *cuts)
    assert put_back(orjson.loads(rest), texts) == orjson.loads(text)


def test_only_long_texts_are_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(longtexts, "LONG", 8)
    rest, texts = take_apart(b'{"a":"12345678","b":"123456789","c":["x\\"\\\\","1234567890"]}')
    assert rest == f'{{"a":"12345678","b":"{TOKEN}0","c":["x\\"\\\\","{TOKEN}1"]}}'.encode()
    assert texts == [b"123456789.", b"1234567890."]


def test_a_slash_may_be_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(longtexts, "LONG", 8)
    text = b'"ab\\/cd\\/\\/efgh\\/\\/ij\\/"'
    for cut in range(len(text)):
        assert take_apart(text, cut)[1] == [b"ab/cd//efgh//ij/."]


def test_limits() -> None:
    assert take_apart(b" " * 10, limit=10)
    with pytest.raises(InvalidInputError, match="beside its attachments"):
        take_apart(b" " * 11, limit=10)
    with pytest.raises(InvalidInputError, match="ends within a text"):
        take_apart(b'{"a":"b')
