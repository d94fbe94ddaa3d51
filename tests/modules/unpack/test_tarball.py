import gzip
import hashlib
import io
import stat
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import IntegrityError
from libreseed.modules.unpack import tarball as unpack_module
from libreseed.modules.unpack.tarball import safe_path, unpack


@pytest.fixture
def extract(tmp_path):
    def extract(data: bytes):
        (tmp_path / "t.tgz").write_bytes(data)
        return unpack(str(tmp_path / "t.tgz"), hashlib.sha512(data).digest(), str(tmp_path / "out"))

    return extract


def info(name, kind, linkname=""):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = linkname
    return entry


def test_drops_the_first_component(extract, tarball, tmp_path):
    contents = extract(tarball(("package/a/b.js", b"1"), ("other/c.js", b"22"), ("package/", None)))
    assert (tmp_path / "out/a/b.js").read_bytes() == b"1"
    assert (tmp_path / "out/c.js").read_bytes() == b"22"
    assert (list(contents.folders), contents.files) == (["", "a"], {"a/b.js", "c.js"})


@pytest.mark.parametrize(
    ("packed", "expected"), [(0o600, 0o644), (0o644, 0o644), (0o755, 0o755), (0o4777, 0o755), (0o000, 0o644)]
)
def test_modes_are_npms(extract, tarball, tmp_path, packed, expected):
    extract(tarball(("package/d/x", b""), mode=packed))
    assert stat.S_IMODE((tmp_path / "out/d/x").stat().st_mode) == expected
    assert stat.S_IMODE((tmp_path / "out/d").stat().st_mode) == 0o755


def test_gitignore_becomes_npmignore_unless_there_is_one(extract, tarball, tmp_path):
    extract(
        tarball(
            ("p/.gitignore", b"g"),
            ("p/a/.npmignore", b"n"),
            ("p/a/.gitignore", b"g"),
            ("p/b/.gitignore", b"g"),
            ("p/b/.npmignore", b"n"),
        )
    )
    files = {str(path.relative_to(tmp_path / "out")): path.read_bytes() for path in (tmp_path / "out").rglob(".*")}
    assert files == {".npmignore": b"g", "a/.npmignore": b"n", "b/.npmignore": b"n"}


def test_of_one_path_twice_the_last_counts(extract, tarball, tmp_path):
    extract(tarball(("package/a", b"first and longer"), ("package/a", b"last")))
    assert (tmp_path / "out/a").read_bytes() == b"last"


def test_long_paths_and_big_files(extract, tarball, tmp_path):
    path = "/".join(["a" * 90] * 6)
    data = bytes(range(256)) * 4096
    extract(tarball((f"package/{path}", b"x"), ("package/big", data)))
    assert (tmp_path / "out" / path).read_bytes() == b"x"
    assert (tmp_path / "out/big").read_bytes() == data


def test_gnu_long_names(extract, tmp_path):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("package/" + "b" * 200))
    extract(archive.getvalue())
    assert (tmp_path / "out" / ("b" * 200)).is_file()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("limit", ["IN_MEMORY", "IN_MEMORY_INFLATED"])
def test_a_large_tarball_is_read_in_pieces(extract, tarball, tmp_path, monkeypatch, limit, zipped):
    monkeypatch.setattr(unpack_module, limit, 1)
    data = bytes(range(256)) * 4096
    extract(tarball(("package/big", data), ("package/a", b"1"), zipped=zipped))
    assert (tmp_path / "out/big").read_bytes() == data
    assert (tmp_path / "out/a").read_bytes() == b"1"


def test_a_gzip_file_of_several_parts(extract, tarball, tmp_path):
    plain = tarball(("package/a", b"1"), ("package/b", b"2"), zipped=False)
    extract(gzip.compress(plain[:1000]) + gzip.compress(plain[1000:]))
    assert (tmp_path / "out/b").read_bytes() == b"2"


def test_a_tar_that_is_not_zipped(extract, tarball, tmp_path):
    extract(tarball(("package/a", b"1"), zipped=False))
    assert (tmp_path / "out/a").read_bytes() == b"1"


def test_nothing_is_unpacked_that_has_another_hash(tarball, tmp_path):
    (tmp_path / "t.tgz").write_bytes(tarball(("package/a", b"1")))
    with pytest.raises(IntegrityError, match="sha512"):
        unpack(str(tmp_path / "t.tgz"), bytes(64), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "entry",
    [
        ("/etc/passwd", b""),
        ("package/../../evil", b""),
        ("../evil", b""),
        ("package/a/../../../evil", b""),
        ("package\\..\\..\\evil", b""),
        ("C:/evil", b""),
        ("package/C:evil", b""),
        ("package/" + "x" * 256, b""),
        ("package/" + "\U0001f4e6" * 64, b""),
        info("package/link", tarfile.SYMTYPE, "/etc/passwd"),
        info("package/link", tarfile.SYMTYPE, "inside"),
        info("package/hard", tarfile.LNKTYPE, "package/a"),
        info("package/device", tarfile.CHRTYPE),
        info("package/device", tarfile.BLKTYPE),
        info("package/pipe", tarfile.FIFOTYPE),
    ],
)
def test_hostile_entries_are_refused(extract, tarball, tmp_path, entry):
    with pytest.raises(IntegrityError):
        extract(tarball(("package/first", b"1"), entry))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.tgz"]


@pytest.mark.parametrize(
    "paths",
    [("p/README", "p/readme"), ("p/Lib/a", "p/lib/b"), ("p/a", "p/a/b"), ("p/a/b", "p/a"), ("p/\u00e9", "p/e\u0301")],
)
def test_colliding_paths_are_refused(extract, tarball, paths):
    with pytest.raises(IntegrityError):
        extract(tarball(*((path, b"") for path in paths)))


def test_too_many_entries_are_refused(extract, tarball, monkeypatch):
    monkeypatch.setattr(unpack_module, "MAX_ENTRIES", 3)
    with pytest.raises(IntegrityError, match="more than 3 entries"):
        extract(tarball(*((f"p/{number}", b"") for number in range(4))))


@pytest.mark.parametrize("in_memory", [2**20, 0])
def test_a_decompression_bomb_is_refused(extract, tarball, tmp_path, monkeypatch, in_memory):
    monkeypatch.setattr(unpack_module, "IN_MEMORY", in_memory)
    with pytest.raises(IntegrityError, match="far more"):
        extract(tarball(("package/zeros", bytes(40 * 2**20))))
    assert not (tmp_path / "out").exists()


def test_the_total_size_is_bounded(extract, tarball, monkeypatch):
    monkeypatch.setattr(unpack_module, "MAX_BYTES", 10_000)
    with pytest.raises(IntegrityError, match="far more"):
        extract(tarball(("package/a", bytes(6000)), ("package/b", bytes(6000))))


def test_damage_is_one_clear_error(extract, tarball, tmp_path):
    good = tarball(("package/a", b"x" * 5000), ("package/b", bytes(range(256)) * 40))
    plain = gzip.decompress(good)
    for damaged in (b"", b"\x1f\x8b", b"no archive" * 100, good[:100], gzip.compress(plain[:700]), gzip.compress(b"")):
        with pytest.raises(IntegrityError):
            extract(damaged)
        assert not (tmp_path / "out").exists()


@given(st.text(st.sampled_from("ab./\\:\0CĀ"), max_size=30) | st.text(max_size=30))
def test_no_path_leads_outside(path):
    try:
        parts = safe_path(path)
    except IntegrityError:
        return
    assert not {"", ".", ".."} & set(parts)
    assert not any("/" in part or "\0" in part for part in parts)
    assert not any(piece == ".." for part in parts for piece in part.split("\\"))
