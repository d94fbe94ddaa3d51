import gzip
import hashlib
import io
import itertools
import tarfile
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import ConflictError, IntegrityError, InvalidInputError
from libreseed.packages import publish
from libreseed.packages.integrity import format_integrity, sha512
from libreseed.packages.publish import add_release, clean_version, read_release
from support.packages import make_tarball, publish_body

NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, UTC)


def changed(name: str = "pkg", version: str = "1.0.0", /, **manifest: Any) -> dict[str, Any]:
    """A publish body whose manifest has other fields."""
    body = publish_body(name, version)
    body["versions"][version] |= manifest
    return body


def with_tarball(tarball: bytes) -> dict[str, Any]:
    return publish_body("pkg", "1.0.0", tarball)


def archive(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_release() -> None:
    tarball = make_tarball("@s/pkg", "1.0.0")
    body = publish_body("@s/pkg", "1.0.0", tarball) | {
        "dist-tags": {"next": "1.0.0", "latest": "0.9.0"},
        "readme": "Hi",
    }
    body["versions"]["1.0.0"]["dist"]["tarball"] = "http://elsewhere.test/x.tgz"
    release = read_release("@s/pkg", body)
    assert (release.name, release.version, release.tags) == ("@s/pkg", "1.0.0", ("next",))
    assert (release.tarball.open().read(), release.tarball.digest) == (tarball, sha512(tarball))
    assert (release.tarball.length, release.shared) == (len(tarball), {"readme": "Hi"})
    assert release.manifest["dist"] == {
        "integrity": format_integrity(sha512(tarball)),
        "shasum": hashlib.sha1(tarball, usedforsecurity=False).hexdigest(),
        "tarball": "@s/pkg/-/pkg-1.0.0.tgz",
    }


def test_integrity_is_computed_where_the_client_gave_none() -> None:
    release = read_release("pkg", changed(dist={"keep": 1}))
    assert release.manifest["dist"]["integrity"] == format_integrity(release.tarball.digest)
    assert release.manifest["dist"]["keep"] == 1
    assert release.tags == ("latest",)


@pytest.mark.parametrize("name", ["Capital", "..", "@./x", "other"])
def test_bad_or_other_name(name: str) -> None:
    with pytest.raises(InvalidInputError):
        read_release(name, publish_body("pkg", "1.0.0"))


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"versions": {}, "_attachments": {}},
        changed() | {"versions": publish_body("pkg", "1.0.0")["versions"] | publish_body("pkg", "2.0.0")["versions"]},
        changed() | {"versions": {"1.0.0": None}},
        changed() | {"_attachments": None},
        changed(version="1.0.1"),
        changed(name="pkg2"),
        changed("pkg", "1.0"),
        changed("pkg", "v1.0.0"),
        changed("pkg", "1.0.0/../.."),
        changed(dist=None),
        changed(dist={"integrity": "sha512-é"}),
        changed() | {"_attachments": {}},
        changed() | {"_attachments": {"pkg.zip": {"data": ""}}},
        changed() | {"_attachments": {"pkg.tgz": None}},
        changed() | {"_attachments": {"pkg.tgz": {}}},
        changed() | {"_attachments": {"pkg.tgz": {"data": "not base64!"}}},
        changed() | {"_attachments": {"pkg.tgz": {"data": 5}}},
    ],
)
def test_malformed_bodies(body: object) -> None:
    with pytest.raises(InvalidInputError):
        read_release("pkg", body)


@pytest.mark.parametrize(
    "dist",
    [
        {"integrity": format_integrity(sha512(b"other"))},
        {"shasum": hashlib.sha1(b"other", usedforsecurity=False).hexdigest()},
        {"integrity": "", "shasum": "0" * 40},
    ],
)
def test_tarball_with_another_hash(dist: dict[str, str]) -> None:
    with pytest.raises(IntegrityError):
        read_release("pkg", changed(dist=dist))


def test_tarball_of_another_length() -> None:
    body = publish_body("pkg", "1.0.0")
    body["_attachments"]["pkg-1.0.0.tgz"]["length"] += 1
    with pytest.raises(IntegrityError, match="as long as"):
        read_release("pkg", body)


@pytest.mark.parametrize(
    "tarball",
    [
        b"",
        b"not gzip",
        gzip.compress(b""),
        gzip.compress(b"not a tarball" * 100),
        make_tarball("pkg", "1.0.0")[:-20],
        make_tarball("pkg", "1.0.0")[:60],
        make_tarball("pkg", "1.0.0")[:30] + b"\xff" * 10 + make_tarball("pkg", "1.0.0")[40:],
        archive(("package/index.js", b"")),
        archive(("package/lib/package.json", b'{"name":"pkg","version":"1.0.0"}')),
        archive(("package/package.json", b"")),
        archive(("package/package.json", b"[]")),
        archive(("package/package.json", b'{"name":"pkg","version":"1.0.1"}')),
        archive(("package/package.json", b'{"name":"other","version":"1.0.0"}')),
    ],
    ids=map(str, itertools.count()),  # some have the time of day in them
)
def test_tarball_that_is_not_this_version(tarball: bytes) -> None:
    with pytest.raises(InvalidInputError):
        read_release("pkg", with_tarball(tarball))


@pytest.mark.parametrize(
    ("inner", "sent"),
    [("1.0.1-alpha.0+81e3b44", "1.0.1-alpha.0"), ("v1.2.3", "1.2.3"), (" =1.2.3 ", "1.2.3"), ("01.2.3", "1.2.3")],
)
def test_a_version_that_the_client_has_normalised(inner: str, sent: str) -> None:
    """The package.json in the tarball stays as it is."""
    assert read_release("pkg", publish_body("pkg", sent, make_tarball("pkg", inner))).version == sent


@given(st.from_regex(r"[v= ]?[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(-[a-z0-9.]{0,9})?(\+[a-z0-9.]{0,5})?", fullmatch=True))
def test_a_normalised_version_is_its_own_normal_form(text: str) -> None:
    found = clean_version(text)
    assert found is None or clean_version(found) == found


def test_every_broken_byte_is_our_error() -> None:
    """A damaged tarball never raises anything but our errors, wherever the damage is."""
    whole = make_tarball("pkg", "1.0.0")
    for at in range(10, len(whole)):
        damaged = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        try:
            read_release("pkg", with_tarball(damaged))
        except InvalidInputError:
            continue


def test_a_package_json_that_is_replaced_while_unpacking() -> None:
    """Who unpacks keeps the last file of a name, so the last one counts."""
    good, bad = (orjson.dumps({"name": name, "version": "1.0.0"}) for name in ("pkg", "other"))
    with pytest.raises(InvalidInputError, match="another name"):
        read_release("pkg", with_tarball(archive(("package/package.json", good), ("package/package.json", bad))))
    with pytest.raises(InvalidInputError, match="another name"):
        read_release("pkg", with_tarball(archive(("package/package.json", good), ("x/package.json", bad))))


def test_the_package_json_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "MAX_MANIFEST", 20)
    with pytest.raises(InvalidInputError):
        read_release("pkg", publish_body("pkg", "1.0.0"))


def test_a_bomb_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "MAX_UNPACKED", 1 << 20)
    with pytest.raises(InvalidInputError, match="it holds more than"):
        read_release("pkg", with_tarball(make_tarball("pkg", "1.0.0", bytes(2 << 20))))


def test_first_and_second_release() -> None:
    first = add_release(None, read_release("pkg", publish_body("pkg", "1.0.0")), "ann", NOW)
    assert first["time"] == {
        "created": "2024-05-06T07:08:09.123Z",
        "modified": "2024-05-06T07:08:09.123Z",
        "1.0.0": "2024-05-06T07:08:09.123Z",
    }
    assert first["maintainers"] == [{"name": "ann", "email": ""}]
    body = publish_body("pkg", "2.0.0-rc.1") | {"dist-tags": {"next": "2.0.0-rc.1"}, "description": "New."}
    second = add_release(first, read_release("pkg", body), "bob", NOW.replace(year=2025))
    assert second["dist-tags"] == {"latest": "1.0.0", "next": "2.0.0-rc.1"}
    assert list(second["versions"]) == ["1.0.0", "2.0.0-rc.1"]
    assert second["time"]["created"].startswith("2024")
    assert second["time"]["modified"].startswith("2025")
    assert (second["maintainers"], second["description"]) == ([{"name": "ann", "email": ""}], "New.")
    assert "2.0.0-rc.1" not in first["versions"]


def test_a_version_is_never_published_twice() -> None:
    release = read_release("pkg", publish_body("pkg", "1.0.0"))
    packument = add_release(None, release, "ann", NOW)
    with pytest.raises(ConflictError, match="published already"):
        add_release(packument, release, "ann", NOW)
    unpublished = packument | {"versions": {}, "dist-tags": {}}
    with pytest.raises(ConflictError):
        add_release(unpublished, release, "ann", NOW)
