import orjson
import pytest

from libreseed.modules.lock import selection as selection_module
from libreseed.modules.lock.lockfile import read_project
from libreseed.modules.lock.node_platform import Platform
from libreseed.modules.lock.selection import cached_selection, select

LINUX = Platform("linux", "x64", "glibc", "22.0.0")
INTEGRITY = "sha512-" + "A" * 86 + "=="
ENTRIES = {
    "": {"dependencies": {"a": "1", "f": "1"}, "optionalDependencies": {"win": "1"}, "devDependencies": {"tool": "1"}},
    "node_modules/a": {"version": "1.0.0", "integrity": INTEGRITY, "hasInstallScript": True, "engines": {"node": "*"}},
    "node_modules/win": {"version": "1.0.0", "integrity": INTEGRITY, "os": ["win32"], "optional": True},
    "node_modules/tool": {"version": "1.0.0", "integrity": INTEGRITY, "dev": True, "bin": {"tool": "cli.js"}},
    "node_modules/f": {"resolved": "f", "link": True},
    "f": {"version": "3.0.0", "bin": {"f": "f.js"}, "dependencies": {"a": "1"}},
}


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Say which system this is."""

    def say(platform):
        async def answer(_cache):
            return platform

        monkeypatch.setattr(selection_module, "detect_platform", answer)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    say(LINUX)
    return say


@pytest.fixture
def locked(project, here):
    """Write a lock file of these entries and select from it."""

    async def lock(entries=ENTRIES, omit=()):
        project.lockfile.write_bytes(orjson.dumps({"lockfileVersion": 3, "packages": entries}))
        return await select(read_project(project), omit)

    return lock


async def test_what_is_recalled_is_all_that_an_install_needs(locked, project):
    selected = await locked()
    recalled = await cached_selection(project, ())
    assert recalled is not None
    assert (recalled.left_out, recalled.platform, recalled.asked) == (1, LINUX, selected.asked)
    assert recalled.asked[""]["devDependencies"] == {"tool": "1"}
    fields = ("digest", *selection_module._FIELDS)
    told = [[[getattr(each, field) for field in fields] for each in some.packages] for some in (recalled, selected)]
    assert told[0] == told[1]
    assert {each.location: (each.version, each.bin) for each in recalled.packages} == {
        "node_modules/a": ("1.0.0", {}),
        "node_modules/tool": ("1.0.0", {"tool": "cli.js"}),
        "node_modules/f": ("3.0.0", {"f": "f.js"}),
    }


async def test_another_lock_file_system_or_choice_is_looked_at_anew(locked, here, project):
    await locked()
    here(Platform("win32", "x64", "", "22.0.0"))
    assert await cached_selection(project, ()) is None
    here(LINUX)
    assert await cached_selection(project, ("dev",)) is None
    assert await cached_selection(project, ()) is not None
    project.lockfile.write_bytes(project.lockfile.read_bytes() + b"\n")
    assert await cached_selection(project, ()) is None
    project.lockfile.unlink()
    assert await cached_selection(project, ()) is None


async def test_node_is_not_asked_about_packages_for_any_system(locked, here, project):
    await locked({"": {}, "node_modules/a": ENTRIES["node_modules/a"]})
    here(None)
    assert await cached_selection(project, ()) is not None


async def test_a_lock_file_that_lacks_something_is_not_kept(locked, project):
    await locked({"": ENTRIES[""]})
    assert await cached_selection(project, ()) is None


@pytest.mark.parametrize(
    "value", [None, [], [[["x"]], 0, None, {}], [[], 0, {"os": 1}, {}], [[[None, 1]], 0, None, {}]]
)
async def test_what_cannot_be_read_counts_as_nothing(locked, project, tmp_path, value):
    selected = await locked()
    (kept,) = (tmp_path / "cache").glob("libreseed/selections/*.json")
    kept.write_bytes(orjson.dumps(orjson.loads(kept.read_bytes()) | {"value": value}))
    assert await cached_selection(project, ()) is None
    assert len(selected.packages) == 3


async def test_an_install_does_not_read_a_lock_file_twice(run_install, registry, monkeypatch):
    registry.add("a")
    await run_install("a")
    monkeypatch.setattr("libreseed.modules.install.read_lockfile", None)
    assert (await run_install(clean=True)).fetched == 1
    assert (await run_install()).fetched == 0
