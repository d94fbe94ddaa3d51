from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.packages.licences import is_permitted, licence_of

PERMITTED = {"mit", "apache-2.0", "gpl-2.0", "see license in license.md"}


@pytest.mark.parametrize(
    ("expression", "permitted"),
    [
        ("MIT", True),
        ("mit", True),
        ("ISC", False),
        ("(MIT OR ISC)", True),
        ("ISC OR MIT", True),
        ("MIT AND ISC", False),
        ("MIT AND Apache-2.0", True),
        ("ISC OR MIT AND Apache-2.0", True),
        ("(ISC OR MIT) AND Apache-2.0", True),
        ("(ISC OR MIT) AND BSD", False),
        ("((MIT) AND (ISC OR (Apache-2.0)))", True),
        ("GPL-2.0+", True),
        ("GPL-2.0 WITH Classpath-exception-2.0", True),
        ("ISC WITH MIT", False),
        ("SEE LICENSE IN LICENSE.md", True),
        ("SEE LICENSE IN COPYING", False),
        ("UNLICENSED", False),
        ("", False),
        ("MIT OR", False),
        ("MIT ISC", False),
        ("(MIT", False),
        ("MIT)", False),
        ("(MIT)(MIT)", False),
        ("<yes>", False),
        ("ISC OR <yes>", False),
        ("(" * 100 + "MIT" + ")" * 100, True),
        ("MIT OR " * 100 + "MIT", False),
    ],
)
def test_expressions(expression: str, permitted: bool) -> None:
    assert is_permitted(expression, PERMITTED) is permitted


@pytest.mark.parametrize(
    ("manifest", "licence"),
    [
        ({}, ""),
        ({"license": "MIT"}, "MIT"),
        ({"license": {"type": "MIT", "url": "x"}}, "MIT"),
        ({"license": ["MIT"]}, ""),
        ({"license": " "}, ""),
        ({"license": {"type": 5}}, ""),
        ({"licenses": [{"type": "MIT"}, {"type": "ISC"}, 5]}, "(MIT) OR (ISC)"),
        ({"licenses": "MIT"}, ""),
        ({"license": "BSD", "licenses": [{"type": "MIT"}]}, "BSD"),
    ],
)
def test_where_it_stands(manifest: dict[str, Any], licence: str) -> None:
    assert licence_of(manifest) == licence


@given(st.text(alphabet="MITSC ()ANDOR<yesno>+", max_size=40))
def test_any_text_has_an_answer(text: str) -> None:
    assert is_permitted(text, frozenset()) is False


@given(
    st.recursive(st.sampled_from(["MIT", "ISC", "BSD"]), lambda inner: st.tuples(inner, st.sampled_from("&|"), inner))
)
def test_like_logic(tree: Any) -> None:
    def spell(node: Any) -> str:
        return (
            node
            if isinstance(node, str)
            else f"({spell(node[0])} {'AND' if node[1] == '&' else 'OR'} {spell(node[2])})"
        )

    def holds(node: Any) -> bool:
        if isinstance(node, str):
            return node == "MIT"
        return (holds(node[0]) and holds(node[2])) if node[1] == "&" else (holds(node[0]) or holds(node[2]))

    text = spell(tree)
    assert is_permitted(text, {"mit"}) is (holds(tree) and len(text) <= 500)
