import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed.errors import InvalidInputError
from libreseed.modules.lock.entry import LockedPackage
from libreseed.modules.scripts.install_scripts import ScriptError, approve, is_allowed, read_allowed, write_allowed

A = LockedPackage("node_modules/a", "a", "1.0.0", bytes(64), "a-1.0.0.tgz", has_install_script=True)
GIT = LockedPackage("node_modules/a", "a", "1.0.0", None, "", "packed", "git+ssh://git@host.test/a.git#" + "0" * 40)
BUNDLED = LockedPackage("node_modules/b/node_modules/a", "a", "1.0.0", None, "", "bundled")


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ({}, None),
        ({"a": True}, True),
        ({"a@*": True}, True),
        ({"a@1.0.0": True}, True),
        ({"a@0.9.0 || 1.0.0": True}, True),
        ({"a@1.0.1": True}, None),
        ({"a@^1.0.0": True}, None),
        ({"a@latest": True}, None),
        ({"b": True}, None),
        ({"a": False}, False),
        ({"a@1.0.0": True, "a": False}, False),
    ],
)
def test_who_may_run_scripts(allowed, expected):
    assert is_allowed(A, allowed) is expected


def test_a_name_of_the_registry_allows_nothing_that_only_calls_itself_so():
    assert is_allowed(GIT, {"a": True, "a@1.0.0": True}) is None
    assert is_allowed(GIT, {GIT.origin: True}) is True
    assert is_allowed(BUNDLED, {"a": True}) is None


def test_an_approval_pins_and_replaces_older_pins_but_not_a_denial():
    after, denied = approve([A], {"a@0.9.0": True, "a": True, "b": True, "a@1 || 2": True}, pin=True)
    assert (after, denied) == ({"a@1.0.0": True, "b": True, "a@1 || 2": True}, [])
    assert approve([A], {"a@0.9.0": True}, pin=False)[0] == {"a": True}
    assert approve([A], {"a": False}, pin=True) == ({"a": False}, [A])


@given(st.dictionaries(st.sampled_from(["a", "a@1.0.0", "a@2.0.0", "b", "a@1.0.0 || 3.0.0"]), st.booleans()))
def test_what_is_approved_is_allowed_unless_it_is_denied(allowed):
    after, denied = approve([A], allowed, pin=True)
    assert is_allowed(A, after) is (not denied)
    assert {key: value for key, value in after.items() if not value} == {
        key: value for key, value in allowed.items() if not value
    }


def test_the_field_is_checked():
    for field in ([], {"a": "yes"}, {"a": 1}, True):
        with pytest.raises(InvalidInputError):
            read_allowed({"allowScripts": field})


def test_the_rest_of_package_json_stays_as_it_is(tmp_path):
    manifest = tmp_path / "package.json"
    manifest.write_text('{\n\t"name": "ä",\n\t"version": "1.0.0"\n}\n')
    write_allowed(manifest, {"b": True, "a": False})
    assert manifest.read_text() == (
        '{\n\t"name": "ä",\n\t"version": "1.0.0",\n\t"allowScripts": {\n\t\t"a": false,\n\t\t"b": true\n\t}\n}\n'
    )


async def test_scripts_run_once_for_those_that_are_allowed(run_install, registry, project):
    for name in ("yes", "no"):
        registry.add(name, scripts={"install": "echo x >> ran"})
    project.manifest.write_bytes(orjson.dumps({"allowScripts": {"yes": True}}))
    summary = await run_install("yes", "no")
    assert (summary.ran_scripts, summary.skipped_scripts) == (["yes@1.0.0"], ["no@1.0.0"])
    assert (project.tree / "yes/ran").read_text() == "x\n"
    assert not (project.tree / "no/ran").exists()
    summary = await run_install()
    assert (summary.ran_scripts, summary.skipped_scripts) == ([], ["no@1.0.0"])
    assert (await run_install(clean=True, scripts=False)).skipped_scripts == ["no@1.0.0", "yes@1.0.0"]
    assert not (project.tree / "yes/ran").exists()


async def test_a_script_that_fails_is_an_error_and_tried_again(run_install, registry, project):
    registry.add("fails", scripts={"install": "test -e ../../now"})
    project.manifest.write_bytes(orjson.dumps({"allowScripts": {"fails@1.0.0": True}}))
    with pytest.raises(ScriptError, match=r"fails@1\.0\.0 failed"):
        await run_install("fails")
    assert orjson.loads(project.manifest.read_bytes())["dependencies"] == {"fails": "^1.0.0"}
    (project.folder / "now").touch()
    assert (await run_install()).ran_scripts == ["fails@1.0.0"]
