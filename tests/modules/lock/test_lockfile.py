import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import InvalidInputError
from libreseed.modules.lock.entry import names_of
from libreseed.modules.lock.lockfile import read_lockfile
from libreseed.packages.integrity import format_integrity

INTEGRITY = format_integrity(bytes(64))


def lock(**entries):
    return orjson.dumps({"lockfileVersion": 3, "packages": {"": {}, **entries}})


def entry(**fields):
    return {"version": "1.0.0", "integrity": INTEGRITY, **fields}


def test_reads_what_an_install_needs():
    text = lock(
        **{
            "node_modules/@s/a": entry(bin={"a": "cli.js"}, hasInstallScript=True),
            "node_modules/@s/a/node_modules/b": entry(optional=True, os=["linux"], engines={"node": ">=18"}),
            "node_modules/c": {"version": "2.0.0", "inBundle": True},
        }
    )
    packages = read_lockfile(text).packages
    a, b, c = packages.values()
    assert (a.name, a.file, a.bin, a.has_install_script) == ("@s/a", "a-1.0.0.tgz", {"a": "cli.js"}, True)
    assert (b.name, b.os, b.node, b.optional) == ("b", ("linux",), ">=18", True)
    assert (c.kind, c.digest) == ("bundled", None)


def test_an_alias_is_fetched_by_its_real_name():
    package = read_lockfile(lock(**{"node_modules/short": entry(name="@s/long")})).packages["node_modules/short"]
    assert (package.name, package.file) == ("@s/long", "long-1.0.0.tgz")


def test_odd_tarball_names_of_the_registry_are_kept():
    url = "https://registry.test/handlebars/-/handlebars-1.0.2-beta.tgz"
    (package,) = read_lockfile(lock(**{"node_modules/handlebars": entry(resolved=url)})).packages.values()
    assert package.file == "handlebars-1.0.2-beta.tgz"


def test_the_shims_are_not_taken_from_the_lock_file():
    text = lock(
        **{
            "node_modules/libreseed": {"resolved": ".libreseed_modules/node_modules/libreseed", "link": True},
            ".libreseed_modules/node_modules/libreseed": {"version": "0.1.0"},
        }
    )
    assert read_lockfile(text).packages == {}


def test_peers_and_optional_dependencies_are_told_apart():
    root = read_lockfile(
        orjson.dumps(
            {
                "packages": {
                    "": {
                        "dependencies": {"a": "1"},
                        "devDependencies": {"b": "1"},
                        "optionalDependencies": {"c": "1"},
                        "peerDependencies": {"d": "1", "e": "1"},
                        "peerDependenciesMeta": {"e": {"optional": True}},
                    }
                }
            }
        )
    ).root
    assert (root.required.keys(), root.optional.keys()) == ({"a", "b", "d"}, {"c", "e"})


@pytest.mark.parametrize(
    ("location", "fields"),
    [
        ("node_modules/../../evil", entry()),
        ("node_modules/a/../../evil", entry()),
        ("node_modules/a/../../evil", entry(name="a")),
        ("node_modules/.bin", entry()),
        ("node_modules/a/node_modules", entry()),
        ("node_modules/a/lib/node_modules/b", entry()),
        ("/node_modules/a", entry()),
        ("node_modules/a", entry(name="../evil")),
        ("node_modules/a", entry(version="../1")),
        ("node_modules/a", entry(version=None)),
        ("node_modules/a", {"version": "1.0.0"}),
        ("node_modules/a", entry(integrity="sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=")),
        ("node_modules/a", entry(bin={"a": 1})),
        ("node_modules/a", entry(os=[1])),
        ("node_modules/a", []),
        ("node_modules/a", entry(link=True)),
        ("node_modules/a", entry(link=True, resolved="packages/a")),
        ("../a", {"version": "1.0.0"}),
        ("/a", {"version": "1.0.0"}),
        ("a/../../b", {"version": "1.0.0"}),
        ("../a/node_modules/b", entry()),
        ("node_modules/a", entry(resolved="git+ssh://git@host.test/a.git#main")),
        ("node_modules/a", entry(resolved="git+ssh://git@host.test/a.git --upload-pack=x#" + "0" * 40)),
        ("node_modules/a", {"version": "1.0.0", "resolved": "https://host.test/a.tgz"}),
        ("node_modules/a", entry(resolved="ftp://host.test/a.tgz")),
        ("node_modules/a", entry(resolved="--global")),
    ],
)
def test_hostile_and_unsupported_entries_are_refused(location, fields):
    with pytest.raises(InvalidInputError):
        read_lockfile(lock(**{location: fields}))


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"lockfileVersion": 1, "dependencies": {}}', b'{"packages": []}']
)
def test_what_is_no_lock_file_is_refused(text):
    with pytest.raises(InvalidInputError):
        read_lockfile(text)


@given(st.lists(st.sampled_from([*"ab@./", "node_modules/", "/node_modules/"]), max_size=20).map("".join))
def test_a_location_is_nested_node_modules_or_nothing(location):
    try:
        names = names_of(location)
    except InvalidInputError:
        return
    inner = "".join(f"/node_modules/{name}" for name in names)
    assert f"/{location}".endswith(inner)
    assert not f"/{location}".removesuffix(inner).endswith("/")
    assert not {".", "..", ""} & set(location.split("/"))
