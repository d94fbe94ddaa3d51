"""Starts Node, a script of package.json or a package's command so that they load from `.libreseed_modules`.

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
from libreseed.modules.scripts import ScriptError
from libreseed.npm import find_command

OWN_SCRIPTS = ("preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare")
"""What npm runs of a project's own scripts once all its dependencies are installed, in this order."""
_EXTENSIONS = ("", ".js", ".cjs", ".mjs", ".json")


def environment(project: Project, base: Mapping[str, str]) -> dict[str, str]:
    """Return `base` with NODE_OPTIONS, NODE_PATH and PATH extended for this project.

    Raises NotFoundError when nothing is installed yet.
    """
    if not project.register.is_file():
        raise NotFoundError(f"{project.root} has no {MODULES_DIR} yet.", hint="Make it with: libreseed install")
    register = f"--require {quote_option(str(project.register))}"
    options = base.get("NODE_OPTIONS", "")
    if register not in options:
        options = f"{options} {register}".strip()
    bins = [str(folder) for folder in _bin_folders(project, base)]
    return {
        **base,
        "NODE_OPTIONS": options,
        "NODE_PATH": _join(base.get("NODE_PATH", ""), str(project.tree)),
        "PATH": _join(*bins, base.get("PATH", "")),
    }


def quote_option(value: str) -> str:
    """Return a value as NODE_OPTIONS wants it: in double quotes, with `\\` and `"` escaped."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def run_file(project: Project, file: Path, arguments: Sequence[str]) -> NoReturn:
    """Become `node FILE ARGUMENTS…`. Raises NotFoundError, UnavailableError."""
    _become(["node", str(file), *arguments], environment(project, os.environ), Path.cwd())


def find_file(name: str) -> Path | None:
    """Return the file or folder that `node NAME` would start, or None."""
    for extension in _EXTENSIONS:
        path = Path(name + extension)
        if path.is_file() or (not extension and path.is_dir()):
            return path
    return None


def run_script(project: Project, name: str, arguments: Sequence[str]) -> NoReturn:
    """Run a script of package.json with its `pre` and `post` scripts, as `npm run` does, then exit with its code.

    Raises NotFoundError, InvalidInputError, UnavailableError.
    """
    scripts = read_scripts(project)
    env = environment(project, os.environ) | _npm_environment(project, "run-script")
    steps = [(event, scripts[event]) for event in (f"pre{name}", name, f"post{name}") if event in scripts]
    for number, (event, script) in enumerate(steps, start=1):
        command = shlex.join(arguments) if event == name else ""
        line = f"{script} {command}".strip()
        step = env | _step(event, script)
        if number == len(steps):
            _become(["sh", "-c", line], step, project.root)
        code = _call(["sh", "-c", line], step, project.root)
        if code:
            sys.exit(code)
    raise NotFoundError(f"package.json has no script {name!r}.")


def run_own_scripts(project: Project, command: str, *, quiet: bool = False) -> None:
    """Run the scripts of package.json that belong to an install of all dependencies; blocks.

    `command`: "install" or "ci"; `quiet`: what they print goes to stderr. Raises ScriptError: one failed; as
    `environment` and `read_scripts`.
    """
    scripts = read_scripts(project)
    events = [event for event in OWN_SCRIPTS if event in scripts]
    if not events:
        return
    env = environment(project, os.environ) | _npm_environment(project, command)
    for event in events:
        step = env | _step(event, scripts[event])
        code = _call(["sh", "-c", scripts[event]], step, project.root, output=sys.stderr if quiet else None)
        if code:
            raise ScriptError(
                f"The script {event!r} of package.json ended with {code}.",
                hint="Everything is installed; to leave such scripts out: --ignore-scripts",
            )


def read_scripts(project: Project) -> Mapping[str, str]:
    """Return the scripts of package.json; none when there is no package.json. Raises InvalidInputError."""
    if not project.manifest.is_file():
        return {}
    scripts = project.read_manifest().get("scripts", {})
    if not isinstance(scripts, dict) or not all(isinstance(script, str) for script in scripts.values()):
        raise InvalidInputError(f"{project.manifest} has 'scripts' that are no table of texts.")
    return scripts


def has_bin(project: Project, command: str) -> bool:
    """Tell whether an installed package has this command."""
    return _find_bin(project, command) is not None


def run_bin(project: Project, command: str, arguments: Sequence[str]) -> NoReturn:
    """Become a package's command. Raises NotFoundError, UnavailableError."""
    env = environment(project, os.environ)
    file = _find_bin(project, command)
    if file is not None:
        _become([str(file), *arguments], env, Path.cwd())
    raise NotFoundError(
        f"No installed package has a command {command!r}.", hint="Add the package that has it: libreseed add NAME"
    )


def _find_bin(project: Project, command: str) -> Path | None:
    files = [folder / command for folder in _bin_folders(project, os.environ)]
    return next((file for file in files if file.is_file()), None) if Path(command).name == command else None


def _bin_folders(project: Project, env: Mapping[str, str]) -> list[Path]:
    """Return the `.bin` folders in the order in which packages are looked up."""
    folders = [project.root / "node_modules" / ".bin", project.tree / ".bin"]
    return folders[::-1] if env.get("LIBRESEED_PRECEDENCE") == "libreseed" else folders


def _step(event: str, script: str) -> dict[str, str]:
    return {"npm_lifecycle_event": event, "npm_lifecycle_script": script}


def _npm_environment(project: Project, command: str) -> dict[str, str]:
    """Return the variables that npm gives to scripts (npm's RFC 21)."""
    manifest = project.read_manifest()
    described = {key: manifest[key] for key in ("name", "version", "config", "engines", "bin") if key in manifest}
    return {
        "INIT_CWD": str(Path.cwd()),
        "npm_command": command,
        "npm_package_json": str(project.manifest),
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
    """Run a program and return its exit code as a shell gives it; SIGINT and SIGTERM are its to handle."""
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
