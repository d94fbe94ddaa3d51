import json
import os
import shlex
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libreseed import __version__
from libreseed.errors import NotFoundError
from libreseed.modules.project import Project, find_project
from libreseed.modules.run import environment, quote_option
from libreseed.modules.workspaces import Workspace
from libreseed.shims.render import render_package


@pytest.fixture
def project(tmp_path):
    """A project in a folder with a difficult name: with `greet` installed, and its command."""
    project = Project(tmp_path / 'a "folder" with $HOME and ü')
    package = project.tree / "greet"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "greet", "version": "1.0.0", "main": "main.js"}')
    (package / "main.js").write_text("module.exports = 'hello';")
    (package / "cli.js").write_text("#!/usr/bin/env node\nconsole.log('cli', require('greet'), process.argv.slice(2));")
    (package / "cli.js").chmod(0o755)
    (project.tree / ".bin").mkdir()
    (project.tree / ".bin/greet").symlink_to("../greet/cli.js")
    for path, data in render_package(__version__).items():
        (project.tree / "libreseed").mkdir(exist_ok=True)
        (project.tree / "libreseed" / path).write_bytes(data)
    scripts = {
        "preall": "echo pre $npm_lifecycle_event",
        "all": "greet $npm_package_name",
        "postall": "echo post",
        "fail": "exit 7",
        "prestop": "exit 3",
        "stop": "echo never",
    }
    project.manifest.write_text(json.dumps({"name": "app", "scripts": scripts}))
    return project


@pytest.fixture
def libreseed(project):
    def run(*arguments, **options):
        command = [sys.executable, "-c", "from libreseed.cli.main import main; main()", *arguments]
        return subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=60, **options)

    return run


def test_a_file_loads_from_the_tree(libreseed, project):
    (project.root / "app.js").write_text("console.log(require('greet'), ...process.argv.slice(2))")
    done = libreseed("run", "app.js", "--flag", "two words")
    assert (done.returncode, done.stdout) == (0, "hello --flag two words\n"), done.stderr


def test_children_of_the_program_load_from_the_tree(libreseed, project):
    (project.root / "app.js").write_text(
        "process.stdout.write(require('child_process').execFileSync('node', ['-p', 'require(\"greet\")']))"
    )
    assert libreseed("run", "app.js").stdout == "hello\n"


def test_exit_codes_and_signals_pass_through(libreseed, project):
    (project.root / "app.js").write_text("process.exit(42)")
    assert libreseed("run", "app.js").returncode == 42
    (project.root / "app.js").write_text("process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 10000)")
    assert libreseed("run", "app.js").returncode == -signal.SIGTERM


def test_a_script_runs_with_pre_and_post_and_arguments(libreseed):
    done = libreseed("run", "all", "--", "two words", "$HOME")
    assert done.stdout.splitlines() == ["pre preall", "cli hello [ 'app', 'two words', '$HOME' ]", "post"], done.stderr


def test_a_script_that_fails_gives_its_code(libreseed):
    assert libreseed("run", "fail").returncode == 7
    stopped = libreseed("run", "stop")
    assert (stopped.returncode, stopped.stdout) == (3, "")


def test_a_command_of_a_package(libreseed):
    assert libreseed("exec", "greet", "--version", "x").stdout == "cli hello [ '--version', 'x' ]\n"


def test_what_is_missing_is_said(libreseed, project):
    done = libreseed("exec", "nothing")
    assert done.returncode == 1
    assert done.stderr.startswith("libreseed: No installed package has a command 'nothing'.")
    assert "libreseed add" in done.stderr
    assert libreseed("exec", "../greet/cli.js").returncode == 1
    done = libreseed("run", "nothing.js")
    assert (done.returncode, "neither a script 'nothing.js'" in done.stderr) == (1, True)
    assert "all: greet" in libreseed("run").stdout
    project.register.unlink()
    assert "libreseed install" in libreseed("run", "all").stderr


def test_the_link_for_plain_node_is_repaired(libreseed, project):
    libreseed("exec", "greet")
    (project.root / "app.js").write_text("require('libreseed/register'); console.log(require('greet'))")
    done = subprocess.run(["node", "app.js"], cwd=project.root, capture_output=True, text=True, timeout=60)
    assert done.stdout == "hello\n", done.stderr


def test_the_environment_extends_what_is_there(project):
    base = {"NODE_OPTIONS": "--no-warnings", "NODE_PATH": "/n", "PATH": "/bin", "OTHER": "1"}
    workspace = Workspace(project, project)
    env = environment(workspace, base)
    assert env["NODE_OPTIONS"] == f"--no-warnings --require {quote_option(str(project.register))}"
    assert env["NODE_PATH"] == f"/n:{project.tree}"
    assert env["PATH"] == f"{project.root}/node_modules/.bin:{project.tree}/.bin:/bin"
    assert env["OTHER"] == "1"
    assert environment(workspace, env)["NODE_OPTIONS"] == env["NODE_OPTIONS"]
    ours_first = environment(workspace, base | {"LIBRESEED_PRECEDENCE": "libreseed"})
    assert ours_first["PATH"].startswith(f"{project.tree}/.bin:")


def test_nothing_installed_is_an_error(tmp_path):
    with pytest.raises(NotFoundError, match=r"has no \.libreseed_modules"):
        environment(Workspace(Project(tmp_path), Project(tmp_path)), os.environ)


def test_a_workspace_has_its_own_commands_before_those_of_the_project(project):
    home = Project(project.root / "packages/one")
    env = environment(Workspace(project, home), {"PATH": "/bin"})
    assert env["PATH"].split(":") == [
        f"{home.root}/node_modules/.bin",
        f"{home.tree}/.bin",
        f"{project.root}/node_modules/.bin",
        f"{project.tree}/.bin",
        "/bin",
    ]
    assert env["NODE_PATH"] == f"{home.tree}:{project.tree}"


@given(st.text(st.characters(exclude_characters="'", exclude_categories=["Cs", "Cc"])))
def test_options_are_quoted_for_node(value):
    assert shlex.split(quote_option(value)) == [value]


def test_the_project_is_the_nearest_with_a_package_json(tmp_path):
    inner = tmp_path / "app/src/deep"
    inner.mkdir(parents=True)
    (tmp_path / "app/package.json").write_text("{}")
    assert find_project(inner).root == tmp_path / "app"
