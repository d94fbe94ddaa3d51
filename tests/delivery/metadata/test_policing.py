import asyncio

import orjson
import pytest

from libreseed.delivery.metadata import policing as module
from libreseed.delivery.metadata.policing import Policing
from libreseed.errors import ForbiddenError
from libreseed.packages.packument import manifest_of_tarball
from libreseed.packages.policy import read_policy
from support.packages import manifest_of


def packument(name: str, *versions: str) -> bytes:
    manifests = {version: manifest_of(name, version, version.encode()) for version in versions}
    return orjson.dumps({"name": name, "dist-tags": {"latest": versions[-1]}, "versions": manifests})


@pytest.fixture
def policing() -> Policing:
    return Policing(read_policy({"block": ["a@2.0.0", "b", "c@*"], "allow": ["c@1"]}))


async def test_the_same_bytes_are_judged_once(policing: Policing) -> None:
    source = packument("a", "1.0.0", "2.0.0")
    judged = await asyncio.gather(*(policing.judge("a", source, own=False) for _ in range(5)))
    judged.append(await policing.judge("a", bytes(bytearray(source)), own=False))
    assert all(each is judged[0] for each in judged)
    assert list(orjson.loads(judged[0].body)["versions"]) == ["1.0.0"]
    assert await policing.judge("a", packument("a", "1.0.0"), own=False) is not judged[0]


async def test_what_is_left_whole_takes_no_second_copy(policing: Policing) -> None:
    source = packument("a", "1.0.0")
    judged = await policing.judge("a", source, own=False)
    assert judged.body is source
    judged.check_any()
    judged.check_wanted("latest")


async def test_only_so_much_is_kept(policing: Policing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIMIT", 2000)
    for number in range(20):
        await policing.judge("a", packument("a", f"1.0.{number}"), own=False)
    sources = {name: packument(name, "1.0.0") for name in "abcdef"}
    first = {name: await policing.judge(name, source, own=False) for name, source in sources.items()}
    assert await policing.judge("f", sources["f"], own=False) is first["f"]
    assert await policing.judge("a", sources["a"], own=False) is not first["a"]
    kept = [name for name in "fedcb" if await policing.judge(name, sources[name], own=False) is first[name]]
    assert kept == ["f", "e"], "and the one anew: each takes more than 500 bytes"


async def test_names_and_files(policing: Policing) -> None:
    assert [policing.concerns(name) for name in "abcd"] == [True, True, True, False]
    for name in "ac":
        policing.check_name(name)
    with pytest.raises(ForbiddenError, match='b is blocked by the rule block "b"'):
        policing.check_name("b")
    policing.check_tarball("a", "a-1.0.0.tgz")
    for file in ("a-2.0.0.tgz", "a-2.0.0+x.tgz", "anything.tgz"):
        with pytest.raises(ForbiddenError, match=r'of a is blocked by the rule block "a@2\.0\.0"'):
            policing.check_tarball("a", file)


async def test_one_file_name_for_all_versions(policing: Policing) -> None:
    """The version that is judged is the one whose tarball would be sent."""
    content = orjson.loads(packument("a", "2.0.0", "1.0.0"))
    for manifest in content["versions"].values():
        manifest["dist"]["tarball"] = "http://registry.test/package.tgz"
    judged = await policing.judge("a", orjson.dumps(content), own=False)
    assert judged.version_of("package.tgz") == manifest_of_tarball(content, "package.tgz")["version"] == "2.0.0"
    assert judged.version_of("a-1.0.0.tgz") == "1.0.0"
    assert judged.version_of("a-7.0.0.tgz") is None


@pytest.mark.parametrize(("versions", "more"), [(["2.0.0"], ""), (["2.0.0", "2.0.0+x"], " So is every other version.")])
async def test_nothing_is_left(policing: Policing, versions: list[str], more: str) -> None:
    judged = await policing.judge("a", packument("a", *versions), own=False)
    with pytest.raises(ForbiddenError) as caught:
        judged.check_any()
    assert caught.value.message == f'a@{versions[-1]} is blocked by the rule block "a@2.0.0" of this registry.{more}'
