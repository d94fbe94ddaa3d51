from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import (
    BadRecordError,
    BadSignatureError,
    EquivocationError,
    ExpiredError,
    FastForwardError,
    RollbackError,
    WrongNameError,
)
from libreseed.packages.names import key_text
from libreseed.trust import bencode
from libreseed.trust.bencode import Bencodable
from libreseed.trust.items import MAX_VALUE, SignedItem, salt_for, sign_item
from libreseed.trust.keys import PrivateKey
from libreseed.trust.records import (
    CLOCK_SKEW,
    MAX_SEEDERS,
    BlobRef,
    Endpoint,
    Record,
    check_fresh,
    check_succession,
    next_seq,
    pack_endpoint,
    read_record,
    sign_record,
    unpack_endpoint,
)

NOW = 1_700_000_000.0
SEQ = int(NOW * 1000)
KEY = PrivateKey(bytes(32))
BLOB = BlobRef(bytes(20), bytes(32), 1234, bytes(64))
RECORD = Record("package", "lodash", int(NOW) + 60, BLOB, bytes(64), 2, bytes(32), (("10.0.0.1", 6881), ("fe80::1", 1)))


def signed(name: str = "lodash", seq: int = SEQ, **change: Bencodable) -> SignedItem:
    """Sign RECORD with some fields of its bencoded form replaced, or left out where they are `[]`."""
    fields = bencode.decode(RECORD.encode())
    assert isinstance(fields, dict)
    fields |= {field.encode(): value for field, value in change.items()}
    kept = {field: value for field, value in fields.items() if value != [] or field == b"s"}
    return sign_item(KEY, salt_for(key_text(name)), seq, bencode.encode(kept))


def test_round_trip() -> None:
    item = sign_record(KEY, RECORD, SEQ)
    assert item.salt == b"libreseed:lodash"
    assert read_record(item, "lodash", NOW) == RECORD


names = st.one_of(
    st.from_regex(r"[a-z0-9~-][a-z0-9._~-]{0,213}", fullmatch=True),
    st.from_regex(r"@[a-z0-9~-]{1,100}/[a-z0-9~-][a-z0-9._~-]{0,112}", fullmatch=True),
).filter(lambda name: name not in ("node_modules", "favicon.ico"))
endpoints = st.tuples(st.ip_addresses().map(str), st.integers(0, 65535))


@given(names, st.lists(endpoints, max_size=MAX_SEEDERS), st.integers(1, 1 << 40), st.integers(0, 1 << 40))
def test_every_record_fits(name: str, seeders: list[Endpoint], length: int, events: int) -> None:
    snapshot = replace(BLOB, length=length)
    record = Record("mirror", name, (1 << 63) - 1, snapshot, bytes(64), events, bytes(32), tuple(seeders))
    assert read_record(sign_record(KEY, record, SEQ), name, NOW) == record


def test_the_largest_record_fits() -> None:
    seeders = tuple((f"2001:db8:ffff:ffff:ffff:ffff:ffff:fff{n}", 65535) for n in range(MAX_SEEDERS))
    largest = (1 << 63) - 1
    snapshot = replace(BLOB, length=largest)
    record = Record("package", "x" * 214, largest, snapshot, bytes(64), largest, bytes(32), seeders)
    assert len(record.encode()) <= MAX_VALUE
    assert read_record(sign_record(KEY, record, SEQ), record.name, NOW) == record


def test_seeders_over_the_limit_are_left_out() -> None:
    seeders = tuple(("10.0.0.1", port) for port in range(9))
    item = sign_record(KEY, replace(RECORD, seeders=seeders), SEQ)
    assert read_record(item, "lodash", NOW).seeders == seeders[:8]


@pytest.mark.parametrize("field", ["value", "signature", "salt"])
def test_tampered_records(field: str) -> None:
    item = sign_record(KEY, RECORD, SEQ)
    forged = replace(item, **{field: getattr(item, field)[:-1] + b"~"})
    with pytest.raises(BadSignatureError):
        read_record(forged, "lodash", NOW)


def test_a_raised_seq_is_tampering() -> None:
    with pytest.raises(BadSignatureError):
        read_record(replace(sign_record(KEY, RECORD, SEQ), seq=SEQ + 1), "lodash", NOW)


def test_record_of_another_name() -> None:
    with pytest.raises(WrongNameError):
        read_record(sign_record(KEY, RECORD, SEQ), "underscore", NOW)


def test_record_under_the_salt_of_another_name() -> None:
    with pytest.raises(WrongNameError):
        read_record(signed("underscore"), "lodash", NOW)
    with pytest.raises(WrongNameError):
        read_record(signed("underscore"), "underscore", NOW)


def test_records_from_the_future() -> None:
    limit = SEQ + CLOCK_SKEW * 1000
    read_record(signed(seq=limit), "lodash", NOW)
    with pytest.raises(FastForwardError, match="in the future"):
        read_record(signed(seq=limit + 1), "lodash", NOW)


def test_expired_records() -> None:
    item = sign_record(KEY, RECORD, SEQ)
    check_fresh(item, RECORD, RECORD.expiry)
    with pytest.raises(ExpiredError, match="expired"):
        check_fresh(item, RECORD, RECORD.expiry + 1)


def test_rollback() -> None:
    with pytest.raises(RollbackError, match="rollback"):
        check_succession(signed(), signed(seq=SEQ - 1), "lodash")


def test_equivocation() -> None:
    with pytest.raises(EquivocationError, match="two different"):
        check_succession(signed(), signed(l=99), "lodash")


def test_lawful_succession() -> None:
    check_succession(None, signed(), "lodash")
    check_succession(signed(), signed(), "lodash")
    check_succession(signed(), signed(seq=SEQ + 1, l=99), "lodash")


def test_next_seq() -> None:
    assert next_seq(NOW, None) == SEQ
    assert next_seq(NOW, SEQ - 5) == SEQ
    assert next_seq(NOW, SEQ) == SEQ + 1
    assert next_seq(NOW, SEQ + CLOCK_SKEW * 1000) == SEQ + CLOCK_SKEW * 1000 + 1
    assert next_seq(NOW, SEQ + CLOCK_SKEW * 1000 + 1) == SEQ, "signed while the clock was ahead, and refused by all"
    assert next_seq(NOW, SEQ + 9) == SEQ + 10, "also when the clock went back"


@pytest.mark.parametrize(
    "change",
    [
        {"t": b"publishers"},
        {"t": 1},
        {"n": b"\xff"},
        {"n": b"../lodash"},
        {"n": b""},
        {"e": b"1"},
        {"i1": bytes(19)},
        {"i2": bytes(33)},
        {"h": bytes(63)},
        {"d": bytes(65)},
        {"hr": bytes(31)},
        {"hs": -1},
        {"l": 0},
        {"l": -5},
        {"s": b""},
        {"s": [bytes(6)] * 9},
        {"s": [bytes(7)]},
        *({field: []} for field in ("t", "n", "e", "i1", "i2", "l", "h", "d", "hs", "hr")),
    ],
)
def test_malformed_records(change: dict[str, Bencodable]) -> None:
    """Correctly signed, by a publisher with broken or hostile software."""
    with pytest.raises(BadRecordError):
        read_record(signed(**change), "lodash", NOW)


def test_a_value_that_is_not_bencoded() -> None:
    with pytest.raises(BadRecordError):
        read_record(sign_item(KEY, salt_for(key_text("lodash")), SEQ, b"hello"), "lodash", NOW)


def test_fields_of_later_versions_are_ignored() -> None:
    assert read_record(signed(zz=b"new"), "lodash", NOW) == RECORD


@given(endpoints)
def test_endpoints_round_trip(endpoint: Endpoint) -> None:
    assert unpack_endpoint(pack_endpoint(endpoint)) == endpoint
