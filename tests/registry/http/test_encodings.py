import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.registry.http.encodings import choose_encoding

OFFERED = ("zstd", "gzip")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip,deflate", "gzip"),  # npm
        ("zstd,gzip,deflate", "zstd"),  # pnpm
        ("gzip, deflate, br, zstd", "zstd"),  # bun
        ("gzip, deflate, br", "gzip"),  # berry
        ("gzip/deflate", "identity"),  # bun's whoami
        ("br", "identity"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *", "gzip"),
        ("*;q=0", "identity"),
        ("gzip;q=0", "identity"),
        ("gzip;q=0.000, zstd;q=0.0", "identity"),
        ("gzip;q=0.5, zstd;q=0.4", "gzip"),
        ("gzip ; q=0.5 , identity ; Q=1", "identity"),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("identity;q=0", "identity"),
        ("identity;q=0, gzip", "gzip"),
        ("gzip;q=x", "identity"),
        ("gzip;q=7", "identity"),
        ("gzip;q=nan", "identity"),
        ("gzip;level=1", "gzip"),
        (",,gzip,", "gzip"),
    ],
)
def test_what_is_chosen(accept: str | None, chosen: str) -> None:
    assert choose_encoding(accept, OFFERED) == chosen


@given(st.text())
def test_any_header(accept: str) -> None:
    assert choose_encoding(accept, OFFERED) in (*OFFERED, "identity")
