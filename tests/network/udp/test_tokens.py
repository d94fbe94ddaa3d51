from libreseed.network.udp.tokens import ROTATION, Tokens
from support.clock import Clock


def test_token_is_good_for_its_address_only() -> None:
    tokens = Tokens()
    assert tokens.accepts("192.0.2.1", tokens.issue("192.0.2.1"))
    assert not tokens.accepts("192.0.2.2", tokens.issue("192.0.2.1"))
    assert not tokens.accepts("192.0.2.1", b"")
    assert not Tokens().accepts("192.0.2.1", tokens.issue("192.0.2.1"))


def test_token_lives_five_to_ten_minutes() -> None:
    clock = Clock()
    tokens = Tokens(clock)
    token = tokens.issue("192.0.2.1")
    clock.now = ROTATION
    assert tokens.accepts("192.0.2.1", token)
    clock.now = 2 * ROTATION
    assert not tokens.accepts("192.0.2.1", token)


def test_token_does_not_outlive_a_quiet_night() -> None:
    clock = Clock()
    tokens = Tokens(clock)
    token = tokens.issue("192.0.2.1")
    clock.now = 100 * ROTATION
    assert not tokens.accepts("192.0.2.1", token)
