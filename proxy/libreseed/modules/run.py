"""Runs Node, scripts of package.json and packages' commands, with an environment in which they load packages from
`.libreseed_modules`.


Source: Node's documentation of NODE_OPTIONS and NODE_PATH, npm's of `npm run`.
"""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

from libreseed.config import MODULES_DIR
from libreseed.errors import InvalidInputError, NotFoundError, UnavailableError
from libreseed.modules.project import Project
from libreseed.modules.workspaces import Workspace
from libreseed.npm import find_command

_EXTENSIONS = ("", ".js", ".cjs", ".mjs", ".json")


def environment(workspace: Workspace, base: Mapping[str, str]) -> dict[str, str]:
    """Return `base` with NODE_OPTIONS, NODE_PATH and PATH extended for a workspace.

    Raises NotFoundError when nothing is installed yet.
    """
    project = workspace.project
    if not project.register.is_file():
        raise NotFoundError(f"{project.root} has no {MODULES_DIR} yet.", hint="Make it with: libreseed install")
    register = f"--require {quote_option(str(project.register))}"
    options = base.get("NODE_OPTIONS", "")
    if register not in options:
        options = f"{options} {register}".strip()
    bins = [str(folder) for folder in _bin_folders(workspace, base)]
    trees = dict.fromkeys(str(each.tree) for each in (workspace.home, project))
    return {
        **base,
        "NODE_OPTIONS": options,
        "NODE_PATH": _join(base.get("NODE_PATH", ""), *trees),
        "PATH": _join(*bins, base.get("PATH", "")),
    }


def quote_option(value: str) -> str:
    """Return a value in NODE_OPTIONS' syntax: in double quotes, with `\\` and `"` escaped."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def run_file(workspace: Workspace, file: Path, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by `node FILE ARGUMENTS…`. Raises NotFoundError, UnavailableError."""
    _become(["node", str(file), *arguments], environment(workspace, os.environ), Path.cwd())


def find_file(name: str) -> Path | None:
    """Return the file or folder that `node NAME` would run, or None."""
    for extension in _EXTENSIONS:
        path = Path(name + extension)
        if path.is_file() or (not extension and path.is_dir()):
            return path
    return None


def run_script(workspace: Workspace, name: str, arguments: Sequence[str]) -> NoReturn:
    """Run a script of package.json with its `pre` and `post` scripts, as `npm run` does, then exit with its code.

    Raises NotFoundError, InvalidInputError, UnavailableError.
    """
    *first, (event, line) = _steps(workspace, name, arguments)
    for before, its_line in first:
        if code := call_script(workspace, "run-script", before, its_line):
            sys.exit(code)
    _become(["sh", "-c", line], _script_environment(workspace, "run-script", event, line), workspace.home.root)


def run_script_in_each(workspaces: Sequence[Workspace], name: str, arguments: Sequence[str]) -> list[Workspace]:
    """Run a script as `run_script` does in one workspace after another; return those in which it failed."""
    return [
        workspace
        for workspace in workspaces
        if any(call_script(workspace, "run-script", *step) for step in _steps(workspace, name, arguments))
    ]


def call_script(workspace: Workspace, command: str, event: str, line: str, *, output: IO[str] | None = None) -> int:
    """Run `line`, the script `event` of package.json, in a shell and return its exit code; blocks.

    `command`: npm's command that it belongs to, such as "install" (`npm_command`); `output`: the file for its standard
    output. Raises as `environment`.
    """
    env = _script_environment(workspace, command, event, line)
    return _call(["sh", "-c", line], env, workspace.home.root, output)


def read_scripts(project: Project) -> Mapping[str, str]:
    """Return the scripts of package.json; none when there is no package.json. Raises InvalidInputError."""
    if not project.manifest.is_file():
        return {}
    scripts = project.read_manifest().get("scripts", {})
    if not isinstance(scripts, dict) or not all(isinstance(script, str) for script in scripts.values()):
        raise InvalidInputError(f"{project.manifest} has 'scripts' that are no table of texts.")
    return scripts


def has_bin(workspace: Workspace, command: str) -> bool:
    """Tell whether an installed package has this command."""
    return _find_bin(workspace, command) is not None


def run_bin(workspace: Workspace, command: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by a package's command. Raises NotFoundError, UnavailableError."""
    env = environment(workspace, os.environ)
    file = _find_bin(workspace, command)
    if file is not None:
        _become([str(file), *arguments], env, Path.cwd())
    raise NotFoundError(
        f"No installed package has a command {command!r}.", hint="Add the package that has it: libreseed add NAME"
    )


def _find_bin(workspace: Workspace, command: str) -> Path | None:
    files = [folder / command for folder in _bin_folders(workspace, os.environ)]
    return next((file for file in files if file.is_file()), None) if Path(command).name == command else None


def _bin_folders(workspace: Workspace, env: Mapping[str, str]) -> list[Path]:
    """Return the `.bin` folders, in Node's order of looking up packages."""
    folders = []
    for each in dict.fromkeys((workspace.home, workspace.project)):
        pair = [each.root / "node_modules" / ".bin", each.tree / ".bin"]
        folders += pair[::-1] if env.get("LIBRESEED_PRECEDENCE") == "libreseed" else pair
    return folders


def _steps(workspace: Workspace, name: str, arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Return the events and lines of a script: its `pre` script, itself with the arguments, its `post` script. Raises
    NotFoundError when there is no such script."""
    scripts = read_scripts(workspace.home)
    if name not in scripts:
        raise NotFoundError(f"{workspace.home.manifest} has no script {name!r}.", hint="See them with: libreseed run")
    line = f"{scripts[name]} {shlex.join(arguments)}".strip()
    before, after = f"pre{name}", f"post{name}"
    return [
        *([(before, scripts[before])] if before in scripts else []),
        (name, line),
        *([(after, scripts[after])] if after in scripts else []),
    ]


def _script_environment(workspace: Workspace, command: str, event: str, line: str) -> dict[str, str]:
    """Return the environment of a script, with the variables that npm sets (npm's RFC 21)."""
    home = workspace.home
    manifest = home.read_manifest()
    described = {key: manifest[key] for key in ("name", "version", "config", "engines", "bin") if key in manifest}
    return environment(workspace, os.environ) | {
        "INIT_CWD": str(Path.cwd()),
        "npm_command": command,
        "npm_lifecycle_event": event,
        "npm_lifecycle_script": line,
        "npm_package_json": str(home.manifest),
        "npm_node_execpath": find_command("node"),
        **dict(_variables("npm_package", described)),
    }


def _variables(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield the variables for a part of package.json: `npm_package_config_port` for `{"config": {"port": 1}}`."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _variables(f"{name}_{key}", part)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _variables(f"{name}_{number}", part)
    else:
        yield name, "" if value is None or value is False else "true" if value is True else str(value)


def _join(*paths: str) -> str:
    return os.pathsep.join(path for path in paths if path)


def _become(command: list[str], env: Mapping[str, str], cwd: Path) -> NoReturn:
    """Replace this process, so that signals and the exit code are the program's own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.chdir(cwd)
    try:
        os.execvpe(command[0], command, env)  # noqa: S606
    except OSError as error:
        raise UnavailableError(
            f"{command[0]} could not be started: {error.strerror}.", hint="Is Node.js installed and on the PATH?"
        ) from None


def _call(command: Sequence[str], env: Mapping[str, str], cwd: Path, output: IO[str] | None = None) -> int:
    """Run a program and return its exit code as a shell does, 128 + n after signal n. SIGINT and SIGTERM are left to
    the program."""
    process = subprocess.Popen(command, env=env, cwd=cwd, stdout=output)
    with _signals_passed_to(process):
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _signals_passed_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    handlers = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),  # the terminal sends it to both
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number)),
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
