"""ES modules with register.cjs in real Node.js versions."""

import pytest

from shims.cases import write_app
from support.clients import tool
from support.trees import OURS, node_runner, package, write


@pytest.fixture(params=["20", "22", "26"])
def binary(request):
    return str(tool(f"node@{request.param}"))


@pytest.fixture
def node(tmp_path, binary):
    """Run Node.js in our project as `libreseed run` does."""
    root = write_app(tmp_path, OURS)
    run = node_runner(root, binary)
    register = {"NODE_OPTIONS": f'--require "{root / OURS}/libreseed/register.cjs"'}

    def node(*arguments, env=register):
        return run(*arguments, env=env)

    node.root = root
    return node


@pytest.mark.parametrize(
    ("specifier", "hint"),
    [("absent", "libreseed add absent"), ("@s/absent/file.js", "add @s/absent"), ("listed", "libreseed install")],
)
def test_what_is_missing_says_what_to_run(node, specifier, hint):
    write(node.root, {"app.mjs": f"import x from '{specifier}'; console.log(x);"})
    done = node("app.mjs")
    name = "@s/absent" if "@" in specifier else specifier
    assert done.returncode == 1
    assert f"Cannot find package '{name}' imported from {node.root}/app.mjs\nLibreSeed: " in done.stderr
    assert hint in done.stderr
    assert done.stderr.count("LibreSeed: ") == 1


def test_every_way_to_start(node):
    app = "import esm, { named } from 'esm'; import p from '@s/p'; console.log(esm, named, p);"
    write(node.root, {"app.mjs": app})
    expected = "esm 1 @s/p@1.0.0\n"
    for arguments in (
        ("--require", "libreseed/register", "app.mjs"),
        ("--import", "libreseed/register", "app.mjs"),
        ("--require", "libreseed/register", "--input-type=module", "--eval", app),
        ("--no-warnings", "--loader", "libreseed/loader", "app.mjs"),
        ("--eval", "require('libreseed/register'); import('./app.mjs')"),
        ("--input-type=module", "--eval", "import 'libreseed/register'; await import('./app.mjs')"),
    ):
        done = node(*arguments, env={})
        assert (done.stdout, done.stderr) == (expected, ""), arguments


def test_children_and_threads_load_it_too(node):
    write(node.root, {"child.mjs": "import esm from 'esm'; console.log(esm);"})
    fork, thread = "import('child_process').then((c) => c.fork('./child.mjs'));", "new Worker('./child.mjs');"
    write(node.root, {"app.mjs": f"import {{ Worker }} from 'worker_threads'; {fork} {thread}"})
    write(node.root, {"first.cjs": "require('libreseed/register'); import('./app.mjs')"})
    assert node("app.mjs").stdout == "esm\nesm\n"
    assert node("first.cjs", env={}).stdout == "esm\nesm\n"


@pytest.mark.parametrize("precedence", ["", "libreseed"])
def test_precedence_is_that_of_commonjs(node, precedence):
    write(node.root, package("node_modules/dep", "3.0.0") | package("inner/node_modules/plain", "4.0.0"))
    write(node.root, package(f"near/{OURS}/plain", "5.0.0") | package("node_modules/guest", main="require('host')"))
    write(node.root, package(f"{OURS}/host", main="console.log('host');"))
    for folder in ("inner", "near"):
        both = "import esm from 'plain'; import module from 'module'; import 'guest';"
        check = "console.log(esm === module.createRequire(import.meta.url)('plain'), esm);"
        write(node.root, {f"{folder}/app.mjs": f"{both} {check}"})
    write(node.root, {"app.mjs": "import dep from 'dep'; console.log(dep);"})
    register = str(node.root / OURS / "libreseed/register.cjs")
    env = {"LIBRESEED_PRECEDENCE": precedence}
    assert node("--require", register, "app.mjs", env=env).stdout == f"dep@{2 if precedence else 3}.0.0\n"
    assert node("--require", register, "inner/app.mjs", env=env).stdout == "host\ntrue plain@4.0.0\n"
    assert node("--require", register, "near/app.mjs", env=env).stdout == "host\ntrue plain@5.0.0\n"


def test_hooks_before_ours_keep_their_context(node):
    """A hook that tries again after a failure asks for the same importer."""
    retry = """export async function resolve(specifier, context, next) {
      if (specifier !== 'again') return next(specifier, context);
      try { return await next('plain/absent.js', context); } catch { return next('./self.mjs', context); }
    }"""
    write(node.root, {"retry.mjs": retry, "app.mjs": "import x from 'again'; console.log(x);"})
    write(node.root, {"first.mjs": "import { register } from 'node:module'; register('./retry.mjs', import.meta.url);"})
    done = node("--no-warnings", "--import", "./first.mjs", "app.mjs")
    assert done.stdout == "self\n", done.stderr
