"""register.cjs in real Node processes, compared with plain node_modules where there is something to compare."""

import json

import pytest

from libreseed.shims.render import render_package
from support.trees import OURS, node_runner, package, write, write_shims


@pytest.fixture
def app(tmp_path):
    """A project with a tree of its own, and the shims in it."""
    write(tmp_path, {"package.json": "{}"})
    write_shims(tmp_path)
    return tmp_path


@pytest.fixture
def node(app):
    run = node_runner(app)

    def node(*arguments, env=None, register=app / OURS / "libreseed/register.cjs"):
        return run(*(["--require", str(register)] if register else []), *arguments, env=env)

    return node


def test_packages_scopes_and_subpaths(app, node):
    write(app, package(f"{OURS}/a") | package(f"{OURS}/@s/b", exports={".": "./index.js", "./sub": "./index.js"}))
    write(
        app, {"src/deep/app.js": "console.log(require('a'), require('a/index'), require('@s/b'), require('@s/b/sub'))"}
    )
    assert node("src/deep/app.js").stdout == "a@1.0.0 a@1.0.0 @s/b@1.0.0 @s/b@1.0.0\n"


def test_packages_find_their_own_versions(app, node):
    write(app, package(f"{OURS}/a", "2.0.0") | package(f"{OURS}/b", main="module.exports = require('a');"))
    write(app, package(f"{OURS}/b/node_modules/a", "1.0.0"))
    assert node("-p", "require('a') + ' ' + require('b')").stdout == "a@2.0.0 a@1.0.0\n"


@pytest.mark.parametrize(("precedence", "version"), [("", "1.0.0"), ("libreseed", "2.0.0")])
def test_precedence_in_one_folder(app, node, precedence, version):
    write(app, package("node_modules/a", "1.0.0") | package(f"{OURS}/a", "2.0.0"))
    assert node("-p", "require('a')", env={"LIBRESEED_PRECEDENCE": precedence}).stdout == f"a@{version}\n"


@pytest.mark.parametrize("precedence", ["", "libreseed"])
def test_the_nearest_folder_wins(app, node, precedence):
    write(
        app,
        package(f"{OURS}/a", "1.0.0") | package(f"inner/{OURS}/a", "2.0.0") | package("near/node_modules/a", "3.0.0"),
    )
    for folder, version in (("inner", "2.0.0"), ("near", "3.0.0"), ("other", "1.0.0")):
        write(app, {f"{folder}/app.js": "console.log(require('a'))"})
        assert node(f"{folder}/app.js", env={"LIBRESEED_PRECEDENCE": precedence}).stdout == f"a@{version}\n"


def test_a_package_of_node_modules_finds_ours(app, node):
    write(app, package("node_modules/plugin", main="module.exports = require('host');") | package(f"{OURS}/host"))
    assert node("-p", "require('plugin')").stdout == "host@1.0.0\n"


def test_required_by_the_program_itself(app, node):
    write(app, package(f"{OURS}/a") | {"app.js": "require('libreseed/register'); console.log(require('a'))"})
    done = node("app.js", register=None)
    assert done.stdout == "a@1.0.0\n", done.stderr


def test_every_way_to_ask(app, node):
    write(app, package(f"{OURS}/a"))
    asked = """
      const { createRequire } = require('module');
      console.log(JSON.stringify([
        require.resolve('a'),
        require.resolve('a', { paths: [__dirname] }),
        createRequire(__filename).resolve('a'),
        require.resolve.paths('a').includes(__dirname + '/.libreseed_modules/node_modules'),
        module.paths.includes(__dirname + '/.libreseed_modules/node_modules'),
      ]))"""
    write(app, {"app.js": asked})
    file = str(app / OURS / "a/index.js")
    assert json.loads(node("app.js").stdout) == [file, file, file, True, True]


def test_children_load_it_too(app, node):
    write(app, package(f"{OURS}/a") | {"child.js": "console.log(require('a'))"})
    assert node("-e", "require('child_process').fork('./child.js')").stdout == "a@1.0.0\n"
    assert node("-e", "new (require('worker_threads').Worker)('./child.js')").stdout == "a@1.0.0\n"


@pytest.mark.parametrize("options", ["{}", "{ env: {} }", "{ env: SHARE_ENV }", "{ execArgv: [] }"])
def test_threads_of_a_program_that_requires_it_load_it_too(app, node, options):
    start = f"const {{ Worker, SHARE_ENV }} = require('worker_threads'); new Worker('./child.js', {options})"
    write(app, package(f"{OURS}/a") | {"child.js": "console.log(require('a'), typeof gc)"})
    write(app, {"app.js": f"require('libreseed/register'); {start}"})
    done = node("--expose-gc", "app.js", register=None)
    if "SHARE_ENV" in options:
        assert "Cannot find module 'a'" in done.stderr  # it has the options that the process began with
    else:
        assert done.stdout == "a@1.0.0 function\n", done.stderr


def test_twice_is_once(app, node):
    write(app, {f"other/libreseed/{path}": data.decode() for path, data in render_package("2.0.0").items()})
    write(app, package(f"{OURS}/a"))
    done = node("-r", "./other/libreseed/register.cjs", "-p", "require.resolve.paths('a').length; ")
    alone = node("-p", "require.resolve.paths('a').length")
    assert done.stdout == alone.stdout != ""


def missing(request, **options):
    return f"try {{ require({request!r}) }} catch (e) {{ console.log(JSON.stringify([e.code, e.message, e.stack])) }}"


@pytest.mark.parametrize(
    ("request_", "hint"),
    [
        ("absent", "libreseed add absent"),
        ("@s/absent/deep/file", "libreseed add @s/absent"),
        ("listed", "libreseed install"),
        ("there/no-such-file", "has no such file"),
    ],
)
def test_what_is_missing_says_what_to_run(app, node, request_, hint):
    write(app, {"package.json": '{"dependencies": {"listed": "1"}}', "app.js": missing(request_)})
    write(app, package(f"{OURS}/there"))
    code, message, stack = json.loads(node("app.js").stdout)
    plain_code, plain_message, _ = json.loads(node("app.js", register=None).stdout)
    assert code == plain_code
    *same, last = message.split("\n")
    assert "\n".join(same) == plain_message
    assert hint in last
    assert message in stack


@pytest.mark.parametrize("request_", ["./absent", "/absent", "#absent", "node:absent", "..", ""])
def test_other_failures_stay_nodes_own(app, node, request_):
    write(app, {"app.js": missing(request_)})
    assert json.loads(node("app.js").stdout)[:2] == json.loads(node("app.js", register=None).stdout)[:2]


def test_an_error_inside_a_package_stays_its_own(app, node):
    write(app, package(f"{OURS}/a", main="require('absent');") | {"app.js": missing("a")})
    message = json.loads(node("app.js").stdout)[1]
    assert message.startswith("Cannot find module 'absent'")
    assert message.count("LibreSeed") == 1


def test_internal_names_of_packages(app, node):
    imports = {"#a": "a", "#a/*": "a/lib/*.js", "#way": {"import": "absent", "require": "a/index.js"}}
    write(app, package(f"{OURS}/a") | {f"{OURS}/a/lib/x.js": "module.exports = 'x';"})
    write(app, {"package.json": json.dumps({"imports": imports})})
    write(app, {"app.js": "console.log(require('#a'), require('#a/x'), require('#way'))"})
    done = node("app.js")
    assert done.stdout == "a@1.0.0 x a@1.0.0\n", done.stderr


def test_builtin_modules_stay_builtin(app, node):
    write(app, package(f"{OURS}/fs") | package(f"{OURS}/punycode"))
    assert (
        node("-p", "typeof require('fs').readFileSync + ' ' + require('punycode/')").stdout
        == "function punycode@1.0.0\n"
    )


def test_the_package_works_by_its_name_as_a_flag(app, node):
    write(app, package(f"{OURS}/a"))
    assert node("--require", "libreseed/register", "-p", "require('a')", register=None).stdout == "a@1.0.0\n"
