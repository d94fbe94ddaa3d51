"""ES modules with register.cjs in real Node.js versions, compared case by case with plain node_modules."""

import json

import pytest

from support.clients import tool
from support.trees import OURS, node_runner, package, write, write_shims

MANIFEST = {
    "name": "app",
    "exports": "./self.mjs",
    "dependencies": {"listed": "1"},
    "imports": {
        "#dep": "dep",
        "#lib/*": "plain/lib/*.js",
        "#lib/special/*": "dep/*.js",
        "#missing": "absent",
        "#gone": "plain/gone.js",
        "#not-exported": "esm/absent",
        "#invalid": "invalid",
        "#local": "./self.mjs",
        "#builtin": "fs",
        "#way": {"import": "dep", "require": "plain"},
        "#list": [{"never": "absent"}, "dep", "./self.mjs"],
        "#null": None,
        "#nested": {"custom": "plain", "node": {"import": "esm/sub", "default": "@s/p"}},
    },
}

# Failures of `require` with these differ in their words only.
WORDED_OTHERWISE = {f"{ask} {name}" for ask in ("require", "find") for name in ("#gone", "#not-exported", "#invalid")}

SPECIFIERS = """
    esm esm/sub esm/features/x esm/features/secret/x esm/features/y esm/gone esm/absent ways broken invalid uses
    plain plain/lib/file.js plain/lib/file plain/lib plain/lib/file.js?x=1 plain/lib/file.js#y plain/absent.js plain/
    @s/p @s/p/lib/file.js @s/absent @s @bad no-main dep only listed absent absent/deep/file.js
    app app/absent test punycode punycode/ fs node:fs
    #dep #lib/file #lib/special/two #missing #gone #not-exported #invalid #local #builtin #way #list #null #nested #none
    a%2fb .x a\\b a:b ./self.mjs ./absent.mjs
"""

CASES = """
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const results = {};
async function attempt(name, run) {
  try {
    const value = await run();
    results[name] = ['string', 'object'].includes(typeof value) ? JSON.stringify(value) : typeof value;
  } catch ({ code, message, stack }) {
    results[name] = { code, message, inStack: stack.includes(message.split('\\n')[0]) };
  }
}
for (const specifier of JSON.parse(process.argv[2])) {
  await attempt('import ' + specifier, async () => (await import(specifier)).default);
  await attempt('resolve ' + specifier, () => import.meta.resolve(specifier));
  await attempt('require ' + specifier, () => require(specifier));
  await attempt('find ' + specifier, () => require.resolve(specifier));
}
console.log(JSON.stringify(results));
"""


def says(text):
    return f"module.exports = '{text}';"


def packages(tree):
    """Return the files of many kinds of packages, below `tree`."""
    exports = {
        ".": {"import": "./index.mjs", "require": "./index.js"},
        "./sub": "./sub.js",
        "./features/*": "./f/*.js",
        "./features/secret/*": None,
        "./gone": "./gone.js",
    }
    ways = {"custom": "./custom.js", "node": "./node.js", "default": "./index.js"}
    uses = "import dep from 'dep'; import internal from '#plain'; import * as self from 'uses/self';"
    return (
        package(f"{tree}/esm", exports=exports)
        | {f"{tree}/esm/index.mjs": "export default 'esm'; export const named = 1;"}
        | {f"{tree}/esm/sub.js": says("sub"), f"{tree}/esm/f/x.js": says("feature")}
        | package(f"{tree}/ways", exports=ways)
        | {f"{tree}/ways/{way}.js": says(way) for way in ("custom", "node")}
        | package(f"{tree}/plain", main=says("plain"))
        | {f"{tree}/plain/lib/file.js": says("file"), f"{tree}/plain/lib/index.js": says("folder")}
        | package(f"{tree}/@s/p")
        | {f"{tree}/@s/p/lib/file.js": says("scoped file")}
        | package(f"{tree}/dep", "2.0.0")
        | {f"{tree}/dep/two.js": says("two")}
        | package(f"{tree}/uses", exports={".": "./index.mjs", "./self": "./index.js"}, imports={"#plain": "plain"})
        | {f"{tree}/uses/index.mjs": f"{uses} export default [dep, internal, self.default];"}
        | package(f"{tree}/uses/node_modules/dep", "1.0.0")
        | {f"{tree}/no-main/package.json": '{"name": "no-main"}', f"{tree}/no-main/other.js": ""}
        | package(f"{tree}/only", main="export default 'only';", type="module", exports="./index.js")
        | package(f"{tree}/broken", main="export * from 'absent-inside';", type="module", exports="./index.js")
        | package(f"{tree}/invalid", exports={".": "../outside.js"})
        | package(f"{tree}/app")
        | package(f"{tree}/test")
        | package(f"{tree}/punycode")
        | package(f"{tree}/fs")
    )


@pytest.fixture(params=["20", "22", "24"])
def binary(request):
    return str(tool(f"node@{request.param}"))


@pytest.fixture
def project(tmp_path):
    """Return a function that makes a project with the packages in one of the two places."""

    def project(tree):
        root = tmp_path / ("ours" if tree == OURS else "plain")
        write(root, {"package.json": json.dumps(MANIFEST), "self.mjs": "export default 'self';", "cases.mjs": CASES})
        write(root, packages(tree))
        if tree == OURS:
            write_shims(root)
        return root

    return project


@pytest.fixture
def node(project, binary):
    """Run Node.js in our project as `libreseed run` does."""
    root = project(OURS)
    run = node_runner(root, binary)
    register = {"NODE_OPTIONS": f'--require "{root / OURS}/libreseed/register.cjs"'}

    def node(*arguments, env=register):
        return run(*arguments, env=env)

    node.root = root
    return node


def test_every_case_is_as_in_node_modules(node, project, binary):
    plain = project("node_modules")
    arguments = ("--conditions=custom", "cases.mjs", json.dumps(SPECIFIERS.split()))
    expected = json.loads(node_runner(plain, binary)(*arguments).stdout)
    moved = node(*arguments).stdout.replace(str(node.root / OURS), str(plain / "node_modules"))
    found = json.loads(moved.replace(str(node.root), str(plain)))
    for result in found.values():
        if isinstance(result, dict):
            result["message"] = "\n".join(x for x in result["message"].split("\n") if not x.startswith("LibreSeed: "))
    for name in WORDED_OTHERWISE:
        assert found.pop(name)["code"] == expected.pop(name)["code"]
    assert found == expected
    assert found["import esm"] == '"esm"'
    assert found["import uses"] == '["dep@1.0.0","plain","uses@1.0.0"]'
    assert found["import ways"] == found["require ways"] == '"custom"'
    assert found["import #nested"] == '"plain"'
    assert found["import app"] == '"self"'
    assert found["resolve dep"] == json.dumps((plain / "node_modules/dep/index.js").as_uri())


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
    write(node.root, package(f"near/{OURS}/plain", "5.0.0") | package("node_modules/plugin", main="require('host')"))
    write(node.root, package(f"{OURS}/host", main="console.log('host');"))
    for folder in ("inner", "near"):
        both = "import esm from 'plain'; import module from 'module'; import 'plugin';"
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
