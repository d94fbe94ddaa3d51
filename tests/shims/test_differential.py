"""Programs that load from `.libreseed_modules`, compared exactly with the same under plain `node_modules`.

Results, codes, messages and warnings have to be the same; only our line of advice may come after a message.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shims.cases import STARTS, write_app
from support.clients import tool
from support.trees import OURS, node_runner, write

VERSIONS = ("20", "22.14.0", "22.15.0", "22", "24", "26")
"""Node.js: the majors in use, and the two sides of the border where synchronous hooks came."""

ASYNCHRONOUS = {"warnings", "a name that is not exported by CommonJS.mjs"}
LIMITS = {"20": ASYNCHRONOUS, "22.14.0": ASYNCHRONOUS, "22.15.0": {"warnings"}}
"""What Node does otherwise as soon as there are asynchronous hooks, even such as do nothing: a message, and warnings of
the thread that they run in. 22.15 warns of what a package lacks with the importer that our hook names."""

WAYS = [
    (("--require", "libreseed/register", "run.cjs"), "fork elsewhere"),  # the name means nothing there
    (("--import", "libreseed/register", "run.cjs"), "fork elsewhere"),
    (("register-and-run.cjs",), "thread with the same environment"),  # it takes the options of the start
]

RUNNER = (Path(__file__).parent / "run-cases.cjs").read_text()
ADVICE = re.compile(r"(?:\\n|\n)LibreSeed: [^\n\"\\]*")
VOLATILE = re.compile(
    r"duration_ms:? [\d.]+"  # of a test
    r"|\(node:\d+\)"  # the process
    r"|^ +at .*\n?"  # where in Node an error came up,
    r"|^(?:node:|/).*\n.*\n *\^+\n\n?"  # and the line there
    r"|\s+(?=[}{\[\]'])",  # how the error's parts are spread over lines
    re.MULTILINE,
)


@pytest.fixture(params=VERSIONS)
def binary(request):
    return str(tool(f"node@{request.param}"))


@pytest.fixture
def plain(tmp_path):
    return make(tmp_path / "plain", "node_modules")


@pytest.fixture
def ours(tmp_path):
    return make(tmp_path / "libre", OURS)


def make(root, tree):
    write_app(root, tree)
    write(root, {"run.cjs": RUNNER, "register-and-run.cjs": "require('libreseed/register'); require('./run.cjs');"})
    return root


def options(root):
    """Return the environment that `libreseed run` gives to Node."""
    return {"NODE_OPTIONS": f'--require "{root / OURS}/libreseed/register.cjs"'}


def run_cases(binary, *arguments, start=("run.cjs",)):
    """Return a function that gives the results of run-cases.cjs in a project."""

    def run(root, env):
        done = node_runner(root, binary)(*start, *arguments, env=env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def run_starts(binary):
    """Return a function that starts Node in all ways in a project, and gives exit codes and output."""

    def run(root, env):
        def start(case):
            arguments, text = case
            arguments = [argument.replace("{root}", str(root)) for argument in arguments]
            done = node_runner(root, binary)(*arguments, env=env, text=text)
            return [done.returncode, done.stdout, done.stderr]

        with ThreadPoolExecutor(4) as pool:
            return dict(zip(STARTS, pool.map(start, STARTS.values()), strict=True))

    return run


def compare(ours, plain, run, env=None, run_plain=None):
    """Return what differs between two projects, name -> (ours, plain), by the results that `run` gives in each."""
    found, expected = run(ours, options(ours) if env is None else env), (run_plain or run)(plain, {})
    assert found.keys() == expected.keys()
    pairs = {name: (_comparable(found[name], ours), _comparable(expected[name], plain)) for name in expected}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _comparable(result, root):
    """Return a result without our advice, what changes from run to run, and the places of project and packages."""
    if isinstance(result, dict):
        return {name: _comparable(part, root) for name, part in result.items()}
    if isinstance(result, list):
        return [_comparable(part, root) for part in result]
    if not isinstance(result, str):
        return result
    text = result.replace(OURS, "node_modules").replace(str(root), "/project")
    return VOLATILE.sub("", ADVICE.sub("", text)).strip()


def test_every_program(request, binary, plain, ours):
    different = compare(ours, plain, run_cases(binary))
    limits = LIMITS.get(request.node.callspec.params["binary"], set())
    assert {name: pair for name, pair in different.items() if name not in limits} == {}
    assert compare(ours, plain, run_cases(binary), env={}).keys() > different.keys()


def test_every_process_and_thread(binary, plain, ours):
    assert compare(ours, plain, run_cases(binary, "tasks")).keys() == {"process with an empty environment"}


@pytest.mark.parametrize(("start", "limit"), WAYS)
def test_what_each_way_to_register_does_not_reach(binary, plain, ours, start, limit):
    run, run_plain = run_cases(binary, "tasks", start=start), run_cases(binary, "tasks")
    assert compare(ours, plain, run, {}, run_plain).keys() == {"process with an empty environment", limit}


def test_every_start(binary, plain, ours):
    assert compare(ours, plain, run_starts(binary)) == {}
