import pytest

from libreseed.errors import ConfigError
from libreseed.network.addresses import canonical_ip, is_plausible, parse_contact, prefix_of


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("seed.example:4881", ("seed.example", 4881)),
        ("192.0.2.1:1", ("192.0.2.1", 1)),
        ("[2001:db8::1]:65535", ("2001:db8::1", 65535)),
        ("  localhost:80 ", ("localhost", 80)),
    ],
)
def test_contact(text: str, address: tuple[str, int]) -> None:
    assert parse_contact(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:", ":80", "host:0", "host:65536", "host:-1", "2001:db8::1:80", "a b:80", "host:８０", "[]:1"],
)
def test_contact_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_contact(text)


def test_one_spelling() -> None:
    assert canonical_ip("::ffff:192.0.2.1") == "192.0.2.1"
    assert canonical_ip("FE80::1%eth0") == "fe80::1"


def test_one_party_has_a_whole_64() -> None:
    assert prefix_of("2001:db8::1") == prefix_of("2001:db8::2:3")
    assert prefix_of("2001:db8:0:1::1") != prefix_of("2001:db8::1")
    assert prefix_of("192.0.2.1") != prefix_of("192.0.2.2")


@pytest.mark.parametrize(
    ("ip", "told_by", "plausible"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "10.0.0.1", False),
        ("127.0.0.1", "8.8.8.8", False),
        ("10.0.0.2", "10.0.0.1", True),
        ("10.0.0.2", "8.8.8.8", False),
        ("8.8.4.4", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", False),
        ("224.0.0.1", "127.0.0.1", False),
    ],
)
def test_strangers_do_not_send_us_into_our_own_network(ip: str, told_by: str, plausible: bool) -> None:
    assert is_plausible((ip, 80), told_by) is plausible
    assert not is_plausible((ip, 0), told_by)
