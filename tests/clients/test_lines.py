import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.clients.lines import insert, put, split, take_back

TEXTS = st.text(st.sampled_from("ab=\n\r \ufeff"), max_size=40)


@given(st.text())
def test_the_lines_of_a_text_are_the_text(text: str) -> None:
    assert "".join(split(text)) == text


@pytest.mark.parametrize(
    ("text", "index", "expected"),
    [
        ("", 0, "new\n"),
        ("a", 0, "new\na"),
        ("a", 1, "a\nnew\n"),
        ("a\r\nb", 0, "new\r\na\r\nb"),
        ("a\r\nb", 2, "a\r\nb\r\nnew\r\n"),
        ("\ufeffa\n", 0, "\ufeffnew\na\n"),
    ],
)
def test_insert(text: str, index: int, expected: str) -> None:
    assert "".join(insert(split(text), index, "new")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1\r\nb", "new\r\nb"),
        ("\ufeffa=1", "\ufeffnew"),
        ("a=1\nb\na=2\n", "new\nb\nnew\n"),
        ("b\n", "new\nb\n"),
        ("new\n", "new\nnew\n"),
    ],
)
def test_put(text: str, expected: str) -> None:
    assert "".join(put(split(text), lambda line: line.startswith("a"), "new")) == expected


@given(TEXTS, TEXTS)
def test_what_nobody_edited_is_as_before(before: str, after: str) -> None:
    assert take_back(before, after, after) == (before, True)


@given(TEXTS, TEXTS, TEXTS)
def test_nothing_is_taken_from_another_text(before: str, after: str, current: str) -> None:
    take_back(before, after, current)
    assert take_back(before, before, current)[0] in (current, before)


@pytest.mark.parametrize(
    ("before", "after", "current", "expected"),
    [
        # a new line of ours, between what was added on either side
        ("a\n", "ours\na\n", "top\nours\na\nend\n", ("top\na\nend\n", True)),
        # a line that we changed gets its old value, also where it has moved to
        ("r=old\nb\n", "r=ours\nb\n", "b2\nb\nr=ours\n", ("b2\nb\nr=old\n", True)),
        # a line of ours that was changed is left
        ("r=old\nb\n", "r=ours\nb\n", "r=mine\nb\nc\n", ("r=mine\nb\nc\n", False)),
        ("a\n", "ours\na\n", "a\nb\n", ("a\nb\n", False)),
        # one of two is left, the other taken back
        ("a\nr=1\n", "t\na\nr=2\n", "a\nr=2\nc\n", ("a\nr=1\nc\n", False)),
        # the last line had no end
        ("r=old", "r=ours", "r=ours\nb\n", ("r=old\nb\n", True)),
        # what we took away comes back behind its old neighbour, or at the beginning
        ("a\nb\nc\n", "a\nc\n", "x\na\nc\n", ("x\na\nb\nc\n", True)),
        ("a\nb\n", "b\n", "x\nb\n", ("a\nx\nb\n", True)),
    ],
)
def test_edits_made_since_are_kept(before: str, after: str, current: str, expected: tuple[str, bool]) -> None:
    assert take_back(before, after, current) == expected
