import zlib

from hypothesis import given
from hypothesis import strategies as st

from libreseed.store.packing import pack, unpack


@given(st.binary(max_size=2000))
def test_round_trip(data: bytes) -> None:
    assert unpack(pack(data)) == data
    assert unpack(zlib.compress(data, 1)) == data, "as earlier versions packed"


def test_it_gets_smaller() -> None:
    assert len(pack(b"lodash" * 10_000)) < 1000
