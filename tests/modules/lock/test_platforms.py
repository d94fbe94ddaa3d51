import orjson
import pytest

from libreseed.errors import InvalidInputError
from libreseed.modules.lock.lockfile import read_lockfile
from libreseed.modules.lock.node_platform import Platform
from libreseed.modules.lock.platforms import unsuitable
from libreseed.packages.integrity import format_integrity

LINUX = Platform("linux", "x64", "glibc", "20.20.2")


def left_out(platform=LINUX, root=("a",), **packages):
    entries = {"": {"dependencies": dict.fromkeys(root, "*")}}
    for name, fields in packages.items():
        entries[f"node_modules/{name}"] = {"version": "1.0.0", "integrity": format_integrity(bytes(64)), **fields}
    locations = unsuitable(read_lockfile(orjson.dumps({"packages": entries})), platform)
    return {location.removeprefix("node_modules/") for location in locations}


@pytest.mark.parametrize(
    ("fields", "suits"),
    [
        ({"os": ["linux"]}, True),
        ({"os": ["darwin", "win32"]}, False),
        ({"os": ["!win32"]}, True),
        ({"os": ["!linux"]}, False),
        ({"os": ["any"]}, True),
        ({"cpu": ["arm64"]}, False),
        ({"cpu": "x64"}, True),
        ({"libc": ["glibc"]}, True),
        ({"libc": ["musl"]}, False),
        ({"engines": {"node": ">=20"}}, True),
        ({"engines": {"node": ">=22"}}, False),
        ({"engines": {"node": "no range at all"}}, False),
    ],
)
def test_an_optional_package_for_another_system_is_left_out(fields, suits):
    packages = {"a": {"optionalDependencies": {"o": "1"}}, "o": {"optional": True, **fields}}
    assert left_out(**packages) == (set() if suits else {"o"})


def test_a_package_for_one_libc_is_left_out_where_there_is_none():
    packages = {"a": {"optionalDependencies": {"o": "1"}}, "o": {"optional": True, "libc": ["glibc"]}}
    assert left_out(Platform("darwin", "arm64", "", "20.0.0"), **packages) == {"o"}


def test_what_needs_it_goes_and_what_only_it_needs():
    optional = {"optional": True}
    assert left_out(
        a={"optionalDependencies": {"parent": "1"}, "dependencies": {"shared": "1"}},
        parent={**optional, "dependencies": {"native": "1"}},
        native={**optional, "os": ["win32"], "dependencies": {"helper": "1", "shared": "1"}},
        helper={**optional, "dependencies": {"deeper": "1"}},
        deeper=optional,
        shared={},
    ) == {"parent", "native", "helper", "deeper"}


def test_what_only_packages_left_out_need_goes():
    optional = {"optional": True}
    native = {**optional, "os": ["win32"], "dependencies": {"helper": "1"}}
    assert left_out(
        a={"optionalDependencies": {"native1": "1", "native2": "1"}}, native1=native, native2=native, helper=optional
    ) == {"native1", "native2", "helper"}


def test_a_required_package_for_another_system_is_an_error():
    with pytest.raises(InvalidInputError, match="not for this system"):
        left_out(a={"os": ["win32"]})
