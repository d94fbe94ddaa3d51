import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.cli.rates import read_rate


@given(st.integers(0, 10**9), st.sampled_from(["", "K", "k", "M", "m", "G", "g"]))
def test_a_number_and_a_factor(number: int, factor: str) -> None:
    expected = number << {"": 0, "K": 10, "M": 20, "G": 30}[factor.upper()]
    assert read_rate(f"{number}{factor}") == expected


def test_a_number_of_a_toml_file() -> None:
    assert read_rate(500_000) == 500_000


@pytest.mark.parametrize("text", ["", "fast", "-1", "1.5M", "5 M", "5MB", "5T", "M", "1" * 13, True])
def test_no_rate(text: object) -> None:
    with pytest.raises(click.BadParameter, match="Write bytes a second, such as 500K or 5M"):
        read_rate(text)
