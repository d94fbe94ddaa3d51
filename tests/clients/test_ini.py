import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.clients.ini import expand, parse_ini


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("a=b", {"a": "b"}),
        ("  a = b c  ", {"a": "b c"}),
        ("a=b=c", {"a": "b=c"}),
        ("; no=1\n# no=2\na=b ; comment\nc=d # comment", {"a": "b", "c": "d"}),
        (r"a=b\;c\#d\\e\f", {"a": r"b;c#d\e\f"}),
        ("a=\"b ; c\"\nd='e # f'", {"a": "b ; c", "d": "e # f"}),
        (r'a="one\ntwo"', {"a": "one\ntwo"}),
        ("ca[]=x\nca[]=y", {"ca": ["x", "y"]}),
        ("ca=x\nca[]=y\nca=z", {"ca": ["x", "y", "z"]}),
        ("flag\nno=false\nnothing=null\nempty=", {"flag": True, "no": False, "nothing": None, "empty": ""}),
        ("a=1\r\nb=2\rc=3", {"a": "1", "b": "2", "c": "3"}),
        ("\ufeffa=1", {"a": "1"}),
        ("//host:8080/path/:_authToken=secret==", {"//host:8080/path/:_authToken": "secret=="}),
        ("a=1\n[section]\nb=2", {"a": "1"}),
        ("=x\n==\n", {}),
        ("a=1\na=2", {"a": "2"}),
    ],
)
def test_parse(text: str, settings: dict[str, object]) -> None:
    assert parse_ini(text) == settings


@given(st.text())
def test_parse_takes_every_text(text: str) -> None:
    parse_ini(text)


@given(st.text().filter(lambda text: not text.startswith("\ud800")))
def test_a_quoted_value_comes_back_as_it_was(value: str) -> None:
    parsed = parse_ini(f"key = {json.dumps(value)}")["key"]
    assert parsed == {"true": True, "false": False, "null": None}.get(value, value)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${SET}", "value"),
        ("a${SET}b${SET}", "avaluebvalue"),
        ("${UNSET}", "${UNSET}"),
        ("${UNSET?}", ""),
        ("${SET?}", "value"),
        (r"\${SET}", "${SET}"),
        (r"\\${SET}", r"\value"),
        ("$SET ${} {SET}", "$SET ${} {SET}"),
    ],
)
def test_expand(text: str, expanded: str) -> None:
    assert expand(text, {"SET": "value"}) == expanded
