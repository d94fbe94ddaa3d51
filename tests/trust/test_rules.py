from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import ConflictError, InvalidInputError, NotFoundError
from libreseed.trust.keys import format_key
from libreseed.trust.registry_signatures import RegistryKey, read_keys
from libreseed.trust.rules import Pin, TrustRules
from support.signing import RegistrySigner

A, B, C = (bytes([n]) * 32 for n in (1, 2, 3))


def test_nobody_is_trusted_by_default() -> None:
    assert TrustRules().publisher_of("lodash") is None
    assert TrustRules(mirrors=(A,)).publisher_of("lodash") is None


@pytest.mark.parametrize("reverse", [False, True])
def test_the_most_specific_pin_decides(reverse: bool) -> None:
    pins = [Pin("*", C), Pin("@a/*", A), Pin("@a/core*", C), Pin("@a/core", B)]
    rules = TrustRules(tuple(reversed(pins) if reverse else pins))
    assert rules.publisher_of("@a/core") == B
    assert rules.publisher_of("@a/core-js") == C
    assert rules.publisher_of("@a/x") == A
    assert rules.publisher_of("lodash") == C


def test_an_exact_pin_is_stronger_than_any_pattern() -> None:
    rules = TrustRules().with_pin("ab*********", A).with_pin("abc", B)
    assert rules.publisher_of("abc") == B


@pytest.mark.parametrize("name", ["@b/x", "@aa/x", "x", "@A/x", "a/x"])
def test_a_scope_covers_nothing_else(name: str) -> None:
    assert TrustRules().with_pin("@a/*", A).publisher_of(name) is None


@pytest.mark.parametrize("pattern", ["", "@a", "../*", "a/b", "[ab]*", "a?", "@a/../*"])
def test_bad_patterns(pattern: str) -> None:
    with pytest.raises(InvalidInputError):
        TrustRules().with_pin(pattern, A)


def test_a_pin_is_not_replaced_silently() -> None:
    rules = TrustRules().with_pin("lodash", A)
    assert rules.with_pin("lodash", A) == rules
    with pytest.raises(ConflictError, match="is pinned to"):
        rules.with_pin("lodash", B)


def test_removal() -> None:
    rules = TrustRules().with_pin("a", A).with_pin("b", B).with_pin("@a/*", A).with_mirror(A).with_mirror(B)
    assert rules.without("b").publisher_of("b") is None
    assert rules.without("b").mirrors == (A, B)
    left = rules.without(format_key(A))
    assert left.pins == (Pin("b", B),)
    assert left.mirrors == (B,)
    for unknown in ("lodash", format_key(C)):
        with pytest.raises(NotFoundError):
            rules.without(unknown)


def test_a_mirror_counts_once() -> None:
    """Else one mirror would be as good as two that agree."""
    assert TrustRules().with_mirror(A).with_mirror(B).with_mirror(A).mirrors == (B, A)


keys = st.binary(min_size=32, max_size=32)
patterns = st.from_regex(r"(@[a-z]{1,8}/)?[a-z0-9*-]{1,8}", fullmatch=True)


@given(st.dictionaries(patterns, keys, max_size=5), st.lists(keys, unique=True, max_size=4))
def test_round_trip(pins: dict[str, bytes], mirrors: list[bytes]) -> None:
    rules = TrustRules()
    for pattern, key in pins.items():
        rules = rules.with_pin(pattern, key)
    for key in mirrors:
        rules = rules.with_mirror(key)
    assert TrustRules.decode(rules.encode()) == rules


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"pins": {}}',
        b'{"pins": [], "mirrors": []}',
        b'{"pins": {"lodash": "key"}, "mirrors": []}',
        b'{"pins": {"lodash": 7}, "mirrors": []}',
        b'{"pins": {"..": "%s"}, "mirrors": []}' % format_key(A).encode(),
        b'{"pins": {}, "mirrors": [null]}',
        b'{"pins": {}, "mirrors": ["\xff"]}',
    ],
)
def test_a_damaged_file_is_refused_whole(text: bytes) -> None:
    with pytest.raises(InvalidInputError):
        TrustRules.decode(text)


def test_a_registrys_key_may_end_but_not_change() -> None:
    old, ended, later, other = (
        RegistryKey("k", b"der", None),
        RegistryKey("k", b"der", datetime(2025, 1, 29, tzinfo=UTC)),
        RegistryKey("k", b"der", datetime(2026, 1, 29, tzinfo=UTC)),
        RegistryKey("k", b"red", None),
    )
    rules = TrustRules().with_registry_keys([old])
    assert rules.with_registry_keys([ended]).registry_keys == (ended,)
    assert rules.with_registry_keys([RegistryKey("l", b"red")]).registry_keys == (old, RegistryKey("l", b"red"))
    for before, after in [(old, other), (ended, old), (ended, later)]:
        with pytest.raises(ConflictError, match="not the one that is pinned"):
            TrustRules().with_registry_keys([before]).with_registry_keys([after])
    assert rules.without("k").with_registry_keys([other]).registry_keys == (other,)


def test_registry_keys_are_kept() -> None:
    rules = TrustRules().with_registry_keys(read_keys({"keys": [RegistrySigner().entry()]}))
    assert TrustRules.decode(rules.encode()) == rules
    with pytest.raises(InvalidInputError):
        TrustRules.decode(b'{"pins": {}, "mirrors": [], "registryKeys": [{}]}')
