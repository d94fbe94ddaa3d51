import orjson
import pytest

from libreseed.errors import NotFoundError
from libreseed.modules.lock.lockfile import read_lockfile
from libreseed.modules.queries import Reason, find_named, find_outdated, find_reasons, list_tree, newest_in
from libreseed.packages.integrity import format_integrity

INTEGRITY = format_integrity(bytes(64))


def entry(version="1.0.0", **fields):
    return {"version": version, "integrity": INTEGRITY, **fields}


LOCK = read_lockfile(
    orjson.dumps(
        {
            "packages": {
                "": {"dependencies": {"a": "^1.0.0", "ws": "1", "gone": "1"}, "optionalDependencies": {"maybe": "1"}},
                "node_modules/a": entry(dependencies={"b": "2"}),
                "node_modules/a/node_modules/b": entry("2.0.0", dependencies={"a": "1"}),
                "node_modules/b": entry("1.0.0"),
                "node_modules/ws": {"resolved": "packages/ws", "link": True},
                "packages/ws": {"version": "1.1.0", "dependencies": {"b": "1"}},
            }
        }
    )
)


def test_the_list_follows_nodes_look_up_and_goes_into_each_package_once():
    lines = [(line.depth, line.name, line.version, line.location, line.seen) for line in list_tree(LOCK, 9)]
    assert lines == [
        (0, "a", "1.0.0", "node_modules/a", False),
        (1, "b", "2.0.0", "node_modules/a/node_modules/b", False),
        (2, "a", "1.0.0", "node_modules/a", True),
        (0, "gone", "", None, False),
        (0, "ws", "1.1.0", "node_modules/ws", False),
        (1, "b", "1.0.0", "node_modules/b", False),
    ]
    assert len(list(list_tree(LOCK, 0))) == 3


def test_the_list_ends_with_the_workspaces_and_what_each_depends_on():
    lockfile = read_lockfile(
        orjson.dumps(
            {
                "packages": {
                    "": {"workspaces": ["packages/*"], "dependencies": {"a": "1"}},
                    "node_modules/a": entry(dependencies={"b": "1"}),
                    "node_modules/b": entry(),
                    "node_modules/@s/two": {"resolved": "packages/two", "link": True},
                    "node_modules/one": {"resolved": "packages/one", "link": True},
                    "packages/one": {"version": "1.1.0", "dependencies": {"@s/two": "*", "a": "1"}},
                    "packages/two": {"version": "2.2.0"},
                }
            }
        )
    )
    top = [
        (0, "a", "1.0.0", False),
        (0, "@s/two", "2.2.0", False),
        (0, "one", "1.1.0", False),
        (1, "@s/two", "2.2.0", True),
        (1, "a", "1.0.0", False),
    ]
    assert [(line.depth, line.name, line.version, line.seen) for line in list_tree(lockfile, 0)] == top
    assert len(list(list_tree(lockfile, 9))) == 6


def test_the_reasons_lead_up_to_the_project():
    reasons = find_reasons(LOCK)
    assert reasons["node_modules/b"] == [Reason("packages/ws", "1")]
    assert reasons["packages/ws"] == [Reason("node_modules/ws", "link")]
    assert reasons["node_modules/ws"] == [Reason("", "1")]
    assert find_named(LOCK, "b") == ["node_modules/a/node_modules/b", "node_modules/b"]
    with pytest.raises(NotFoundError, match="has no zzz"):
        find_named(LOCK, "zzz")


PACKUMENT = {
    "dist-tags": {"latest": "1.1.0", "next": "2.0.0-rc.1"},
    "versions": dict.fromkeys(["1.0.0", "1.1.0", "1.2.0", "2.0.0-rc.1", "nonsense"]),
}


@pytest.mark.parametrize(
    ("range_", "newest"), [("^1.0.0", "1.1.0"), (">1.1.0", "1.2.0"), ("next", "2.0.0-rc.1"), ("^9.0.0", "1.0.0")]
)
def test_the_newest_in_a_range_is_the_one_tagged_latest_if_it_fits(range_, newest):
    assert newest_in(range_, PACKUMENT, "1.0.0") == newest


async def test_what_is_outdated(run_install, registry, project):
    registry.add("a", "1.0.0")
    registry.add("b", "1.0.0")
    await run_install("a@^1", "b")
    registry.add("a", "1.1.0")
    registry.add("a", "2.0.0")
    lockfile = read_lockfile(project.lockfile.read_bytes())
    (found,) = await find_outdated(lockfile, registry.url, [])
    assert (found.name, found.current, found.wanted, found.latest) == ("a", "1.0.0", "1.1.0", "2.0.0")
    with pytest.raises(NotFoundError):
        await find_outdated(lockfile, registry.url, ["zzz"])
