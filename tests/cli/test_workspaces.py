"""Workspaces, from their own folders and from the project's."""

import json

import pytest

from support.commands import libreseed, npm
from support.trees import write

pytestmark = pytest.mark.e2e

NOTE = 'node -e "console.log(process.env.npm_lifecycle_event, process.env.npm_package_name)" | tee -a $TOLD'
EVENTS = ("preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare")


@pytest.fixture
def monorepo(tmp_path):
    scripts = dict.fromkeys(EVENTS, NOTE)
    build = "node -e \"console.log(require('left/package.json').version, process.cwd())\""
    write(
        tmp_path / "monorepo",
        {
            "package.json": json.dumps({"name": "root", "workspaces": ["packages/*"], "scripts": scripts}),
            "packages/one/package.json": json.dumps(
                {"name": "one", "version": "1.0.0", "scripts": {**scripts, "build": build}}
            ),
            "packages/two/package.json": json.dumps(
                {"name": "@s/two", "version": "1.0.0", "scripts": {"prepare": NOTE, "build": "exit 3"}}
            ),
        },
    )
    return tmp_path / "monorepo"


def test_the_scripts_of_workspaces_run_as_with_npm(tmp_path, publisher, monorepo):
    def told(run, *arguments):
        file = tmp_path / "told"
        file.unlink(missing_ok=True)
        run(monorepo, *arguments, "--registry", publisher.url, TOLD=str(file))
        return file.read_text().splitlines() if file.exists() else []

    told(npm, "install")  # the first install of a workspace has another order with some versions of npm
    for command in (("install",), ("ci",), ("install", "--workspace=one", "left")):
        expected = told(npm, *command)
        assert expected, command
        ours = told(libreseed, *command)
        # npm runs the scripts of one event side by side.
        assert [line.split()[0] for line in ours] == [line.split()[0] for line in expected]
        assert sorted(ours) == sorted(expected)
    assert told(libreseed, "ci", "--ignore-scripts") == []


def test_from_the_folder_of_a_workspace(publisher, monorepo):
    one = monorepo / "packages/one"
    shown = libreseed(one, "add", "left", "--ignore-scripts", "--registry", publisher.url).stdout
    assert "3 packages in" in shown
    assert json.loads((one / "package.json").read_text())["dependencies"] == {"left": "^1.0.0"}
    assert not (one / "package-lock.json").exists()
    assert libreseed(one, "run", "build").stdout == f"1.0.0 {one}\n"
    assert "build: exit 3" not in libreseed(one, "run").stdout
    libreseed(one, "remove", "left", "--ignore-scripts", "--registry", publisher.url)
    assert "dependencies" not in json.loads((one / "package.json").read_text())


def test_paths_are_meant_from_where_one_is(publisher, monorepo):
    one = monorepo / "packages/one"
    write(monorepo, {"a/package.json": '{"name": "a"}', "packages/one/b/package.json": '{"name": "b"}'})
    libreseed(one, "add", "../../a", "c@file:./b", "--ignore-scripts", "--registry", publisher.url)
    asked = json.loads((one / "package.json").read_text())["dependencies"]
    assert asked == {"a": "file:../../a", "c": "file:b"}


def test_scripts_of_chosen_workspaces(publisher, monorepo):
    libreseed(monorepo, "add", "left", "-w", "one", "--ignore-scripts", "--registry", publisher.url)
    one = monorepo / "packages/one"
    assert libreseed(monorepo, "run", "-w", "one", "build").stdout == f"1.0.0 {one}\n"
    everywhere = libreseed(monorepo, "run", "--workspaces", "build", code=1)
    assert (everywhere.stdout, "failed in packages/two" in everywhere.stderr) == (f"1.0.0 {one}\n", True)
    lacking = libreseed(monorepo, "run", "--workspaces", "preinstall", code=1)
    assert "no script 'preinstall' in packages/two" in lacking.stderr
    libreseed(monorepo, "run", "--workspaces", "--if-present", "preinstall", TOLD="/dev/null")
    assert "There is no workspace 'three'" in libreseed(monorepo, "run", "-w", "three", "build", code=1).stderr
    assert "packages/one:" in libreseed(monorepo, "run", "--workspaces").stdout


def test_a_failing_script_of_a_workspace_is_named(publisher, monorepo):
    write(monorepo, {"packages/two/package.json": '{"name": "@s/two", "scripts": {"postinstall": "exit 4"}}'})
    failed = libreseed(monorepo, "install", "--registry", publisher.url, code=1, TOLD="/dev/null")
    assert "The script 'postinstall' of" in failed.stderr
    assert "packages/two/package.json ended with 4" in failed.stderr
