import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import InvalidInputError
from libreseed.registry.http.paths import read_package_path


@pytest.mark.parametrize("sent", ["..%2fsecret-1.0.0.tgz", "a%2fb.tgz", "a%5cb.tgz", "%00.tgz", "a%0ab.tgz", "..", "."])
def test_a_file_is_in_no_folder(sent: str) -> None:
    """An upstream may read these as the path of another package, which this client may not read."""
    with pytest.raises(InvalidInputError, match="is no name of a version or file"):
        read_package_path(f"/pkg/-/{sent}")


@given(st.text(min_size=1, max_size=40))
def test_whatever_is_read_can_be_part_of_a_path(text: str) -> None:
    sent = "".join(f"%{byte:02x}" for byte in text.encode(errors="surrogatepass"))
    try:
        path = read_package_path(f"/pkg/{sent}")
    except InvalidInputError:
        return
    (segment,) = path.rest
    assert "/" not in segment
    assert segment not in (".", "..")
    assert segment.isprintable() or not any(ord(letter) < 32 for letter in segment)
