"""The commands as a user runs them, each with a node of its own or one that runs."""

import json
import socket

import pytest

from libreseed.store.rootlock import RootLock
from support.commands import libreseed

pytestmark = pytest.mark.e2e


def test_a_project_from_its_first_package_to_its_last(tmp_path, publisher):
    app = tmp_path / "app"
    app.mkdir()
    at = ("--registry", publisher.url)
    assert "1 package in" in libreseed(app, "add", "-D", "-E", "left", *at).stdout
    assert json.loads((app / "package.json").read_text()) == {"devDependencies": {"left": "1.0.0"}}
    assert libreseed(app, "list").stdout == "left@1.0.0\n"
    assert libreseed(app, "why", "left").stdout == "left@1.0.0  node_modules/left\n  1.0.0 for the project\n"
    assert libreseed(app, "outdated", *at).stdout == ""
    summary = json.loads(libreseed(app, "ci", "--json", *at).stdout)
    assert (summary["packages"], summary["sources"]) == (1, {"store": 1})
    assert json.loads(libreseed(app, "ci", "--json", "--production", *at).stdout)["packages"] == 0
    assert libreseed(app, "approve-scripts").stdout == "No package waits for approval.\n"
    assert "has no left with install scripts" in libreseed(app, "approve-scripts", "left", code=1).stderr
    libreseed(app, "remove", "left", *at)
    assert libreseed(app, "list").stdout == ""
    assert "has no left" in libreseed(app, "why", "left", code=1).stderr


def test_the_projects_own_scripts_run_when_everything_is_installed(tmp_path, publisher):
    app = tmp_path / "app"
    app.mkdir()
    note = "require('left/package.json'); console.log(process.env.npm_lifecycle_event, process.env.npm_command)"
    scripts = dict.fromkeys(("prepare", "postinstall", "preinstall"), f'node -e "{note}" | tee -a ran')
    (app / "package.json").write_text(json.dumps({"dependencies": {"left": "1"}, "scripts": scripts}))
    at = ("--registry", publisher.url)

    def ran():
        file = app / "ran"
        text = file.read_text() if file.exists() else ""
        file.unlink(missing_ok=True)
        return text.splitlines()

    assert "preinstall install" in libreseed(app, "install", *at).stdout
    assert ran() == ["preinstall install", "postinstall install", "prepare install"]
    assert json.loads(libreseed(app, "ci", "--json", *at).stdout)["packages"] == 1
    assert ran() == ["preinstall ci", "postinstall ci", "prepare ci"]
    libreseed(app, "install", "--ignore-scripts", *at)
    libreseed(app, "add", "left", *at)
    assert ran() == []
    manifest = json.loads((app / "package.json").read_text())
    manifest["scripts"] = {"prepare": "exit 3", "postprepare": "touch ran"}
    (app / "package.json").write_text(json.dumps(manifest))
    assert "package.json ended with 3" in libreseed(app, "ci", *at, code=1).stderr
    assert not (app / "ran").exists()


def test_without_a_running_node_the_command_has_its_own(tmp_path, publisher):
    app = tmp_path / "app"
    app.mkdir()
    libreseed(app, "add", "left", "--registry", publisher.url)
    publisher.settled()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        free = nobody.getsockname()[1]
    own = {
        "LIBRESEED_PORT": str(free),
        "LIBRESEED_ROOT": str(tmp_path / "own"),
        "LIBRESEED_UPSTREAM": "none",
        "LIBRESEED_P2P_HOST": "127.0.0.1",
        "LIBRESEED_LAN": "false",
        "LIBRESEED_BOOTSTRAP": publisher.overlay(),
    }
    done = libreseed(app, "ci", **own)
    assert "(1 swarm)" in done.stdout
    assert "No LibreSeed is running: this command uses a node of its own." in done.stderr
    assert "(1 store)" in libreseed(app, "ci", **own).stdout
    with RootLock(tmp_path / "own/.libreseed"):
        refused = libreseed(app, "ci", code=1, **own)
    assert f"Another LibreSeed is running on {tmp_path / 'own'}" in refused.stderr
    assert "--registry" in refused.stderr
    assert "(1 store)" in libreseed(app, "ci", "--registry", publisher.url).stdout
    assert "No LibreSeed registry answers" in libreseed(app, "ci", "--registry", "http://127.0.0.1:1", code=1).stderr
