import contextlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import IntegrityError
from libreseed.modules.unpack import tar as tar_module
from libreseed.modules.unpack.tar import TarReader

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=300).filter(
    lambda name: not name.endswith("/")
)


def read(data: bytes):
    reader = TarReader(io.BytesIO(data).read)
    return [(entry.path, b"".join(reader.content())) for entry in reader]


@given(
    st.dictionaries(names, st.binary(max_size=1500), max_size=5),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_reads_what_the_standard_library_writes(files, kind):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=kind) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    assert read(archive.getvalue()) == list(files.items())


@given(st.binary(max_size=2000))
def test_anything_else_is_empty_or_an_integrity_error(data):
    with contextlib.suppress(IntegrityError):
        read(data)


@given(st.binary(max_size=300))
def test_a_broken_pax_header_is_an_integrity_error(data):
    info = tarfile.TarInfo("pax")
    info.type = tarfile.XHDTYPE
    info.size = len(data)
    block = info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)
    with contextlib.suppress(IntegrityError):
        read(block + tarfile.TarInfo("a").tobuf() + bytes(1024))


@given(st.integers(0, 0o777), st.binary(min_size=100, max_size=100), st.integers(-70_000, 70_000))
def test_a_header_is_taken_with_its_own_checksum_only(mode, path, difference):
    header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
    header[0:108] = path + b"%07o\0" % mode
    header[345:500] = b"\xff" * 155
    total = sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
    header[148:156] = b"%07o\0" % max(total + difference, 0)
    if difference == 0:
        assert read(bytes(header))
    else:
        with pytest.raises(IntegrityError, match="checksum"):
            read(bytes(header))


def test_what_is_not_read_is_skipped(tarball):
    reader = TarReader(io.BytesIO(tarball(("a", b"x" * 700), ("b", b"y"), zipped=False)).read)
    assert [entry.path for entry in reader] == ["a", "b"]


def test_headers_are_bounded(monkeypatch, tarball):
    archive = tarball(("x" * 300, b""), zipped=False)
    assert read(archive)
    monkeypatch.setattr(tar_module, "MAX_HEADER", 100)
    with pytest.raises(IntegrityError, match="header of"):
        read(archive)
