"""The bundler plugins in the real bundlers, compared with what comes out of plain node_modules."""

import json
import re
import shutil
from pathlib import Path

import pytest

from libreseed.modules.linking import link_folder, link_packages
from libreseed.modules.project import Project
from libreseed.shims.render import render_package
from support.clients import tool, tools
from support.trees import OURS, node_runner, package, write, write_shims

BUNDLE = str(Path(__file__).parent / "bundle.mjs")
BUILDS = {
    "webpack": "webpack",
    "rspack": "rspack",
    "rollup": "rollup",
    "rolldown": "rollup",
    "esbuild": "esbuild",
    "vite": "vite",
    "vite-ssr": "vite",
}

MAIN = """
import esm, { named } from 'esm';
import sub from 'esm/sub';
import scoped from '@s/p';
import uses from 'uses';
import internal from '#internal';
import chosen from '#chosen';
import events from 'events';
import { used } from 'tree';
console.log(JSON.stringify([esm, named, sub, scoped, uses, internal, chosen, used, typeof events]));
import('lazy').then((lazy) => console.log(lazy.default));
"""
IMPORTS = {"#internal": "esm/sub", "#chosen": {"require": "absent", "import": "chosen"}}


def packages(tree):
    exports = {".": {"import": "./index.mjs", "require": "./index.js"}, "./sub": "./sub.mjs"}
    return (
        package(f"{tree}/esm", exports=exports)
        | {f"{tree}/esm/index.mjs": "export default 'esm'; export const named = 1;"}
        | {f"{tree}/esm/sub.mjs": "export default 'sub';"}
        | package(f"{tree}/@s/p")
        | package(f"{tree}/dep", "2.0.0")
        | package(f"{tree}/uses", main="module.exports = [require('dep'), require('@s/p')];")
        | package(f"{tree}/uses/node_modules/dep", "1.0.0")
        | package(f"{tree}/events", main="module.exports = { browser: true };")
        | package(f"{tree}/tree", main="export * from './used.js'; import './effect.js';", type="module")
        | {f"{tree}/tree/used.js": "export const used = 'used';", f"{tree}/tree/effect.js": "console.log('effect');"}
        | package(f"{tree}/chosen", main="export default 'chosen';", type="module", exports="./index.js")
        | package(f"{tree}/lazy", main="export default 'lazy';", type="module", exports="./index.js")
        | {f"{tree}/css/package.json": '{"name": "css"}', f"{tree}/css/style.css": "i { color: #010203 }"}
    )


@pytest.fixture
def project(tmp_path):
    """Return a function that makes a project with the packages in one of the two places."""

    def project(tree):
        root = tmp_path / ("ours" if tree == OURS else "plain")
        write(root, {"package.json": json.dumps({"name": "app", "imports": IMPORTS}), "src/main.mjs": MAIN})
        write(root, packages(tree))
        if tree == OURS:
            write_shims(root)
        return root

    return project


@pytest.fixture
def bundle():
    def bundle(root, *arguments, **env):
        done = node_runner(root)(BUNDLE, *arguments, env={"TOOLS": str(tools("bundlers")), **env})
        assert done.returncode in (0, 1), done.stderr
        return done

    return bundle


def output(root):
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.glob("dist/**/*")) if path.is_file()}


@pytest.mark.parametrize(("build", "plugin"), BUILDS.items())
def test_a_build_gives_the_same_as_from_node_modules(project, bundle, build, plugin):
    plain, ours = project("node_modules"), project(OURS)
    assert bundle(plain, build).returncode == 0
    failed = bundle(ours, build)
    assert failed.returncode == 1
    assert "resolve" in failed.stderr
    done = bundle(ours, build, plugin)
    assert done.returncode == 0, done.stderr
    assert output(ours) == output(plain) != {}
    built = "".join(output(ours).values())
    if build != "vite-ssr":  # which leaves the packages to Node
        assert all(text in built for text in ("esm", "sub", "@s/p@1.0.0", "used", "effect", "chosen", "lazy"))
        assert ("dep@2.0.0" if build == "vite" else "dep@1.0.0") in built  # as `dedupe` wants it


@pytest.mark.parametrize(("precedence", "version"), [("", "2.0.0"), ("libreseed", "1.0.0")])
@pytest.mark.parametrize("build", ["webpack", "rolldown", "esbuild"])
def test_precedence_is_that_of_node(project, bundle, build, precedence, version):
    root = project(OURS)
    write(root, package("node_modules/lazy", "2.0.0") | package(f"{OURS}/lazy") | {"src/main.mjs": "import 'lazy';"})
    write(root, {"src/main.mjs": "import lazy from 'lazy'; console.log(lazy);"})
    done = bundle(root, build, BUILDS[build], LIBRESEED_PRECEDENCE=precedence)
    assert done.returncode == 0, done.stderr
    assert f"lazy@{version}" in "".join(output(root).values())


def test_webpack_finds_loaders(project, bundle):
    root = project(OURS)
    loader = "module.exports = (text) => `export default ${JSON.stringify(text.toUpperCase())}`;"
    write(root, package(f"{OURS}/loud-loader", main=loader) | {"src/text.txt": "whisper"})
    write(root, {"src/main.mjs": "import text from 'loud-loader!./text.txt'; console.log(text);"})
    done = bundle(root, "webpack", "webpack")
    assert done.returncode == 0, done.stderr
    assert "WHISPER" in output(root)["dist/main.js"]


@pytest.mark.parametrize("build", ["webpack", "rspack", "esbuild", "vite"])
def test_style_sheets_are_the_same_as_from_node_modules(project, bundle, build):
    plain, ours = project("node_modules"), project(OURS)
    for root in (plain, ours):
        write(root, {"src/main.mjs": "import './main.css';", "src/main.css": "@import 'css/style.css'; b { top: 0 }"})
    assert bundle(plain, build).returncode == 0
    assert bundle(ours, build).returncode == 1
    done = bundle(ours, build, BUILDS[build])
    assert done.returncode == 0, done.stderr
    assert output(ours) == output(plain)
    assert "#010203" in "".join(output(ours).values())


def test_vite_serves_the_same_as_from_node_modules(project, bundle):
    plain, ours = project("node_modules"), project(OURS)
    expected = bundle(plain, "vite-dev")
    done = bundle(ours, "vite-dev", "vite")
    # Vite writes some of its statements in the order in which it gets to them.
    assert sorted(re.split("[;\n]", done.stdout)) == sorted(re.split("[;\n]", expected.stdout))
    assert done.stderr == expected.stderr
    assert "node_modules/.vite/deps/@s_p.js 200" in done.stdout
    assert " 404" not in done.stdout


def test_vite_loads_for_the_server_in_development(project, bundle):
    plain, ours = project("node_modules"), project(OURS)
    expected = bundle(plain, "vite-ssr-dev")
    done = bundle(ours, "vite-ssr-dev", "vite")
    assert (done.stdout, done.stderr) == (expected.stdout, expected.stderr)
    assert '"@s/p@1.0.0"' in done.stdout


@pytest.mark.parametrize("link", [link_packages, link_folder])
def test_vite_7_loads_for_the_server_in_development_by_links(project, bundle, link):
    plain, ours = project("node_modules"), project(OURS)
    vite_7 = {"TOOLS": str(tools("vite-7"))}
    expected = bundle(plain, "vite-ssr-dev", **vite_7)
    manifest = json.loads((ours / "package.json").read_text())
    direct = ("esm", "@s/p", "uses", "events", "tree", "chosen", "lazy", "css")
    write(ours, {"package.json": json.dumps(manifest | {"dependencies": dict.fromkeys(direct, "*")})})
    assert bundle(ours, "vite-ssr-dev", **vite_7).returncode == 1
    shutil.rmtree(ours / "node_modules", ignore_errors=True)  # Vite's cache
    link(Project(ours))
    done = bundle(ours, "vite-ssr-dev", **vite_7)
    assert (done.stdout, done.returncode) == (expected.stdout, 0), done.stderr
    assert '"@s/p@1.0.0"' in done.stdout


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("{}", "esm esm/sub plain/lib/file.js @s/p"),
        ("{ noExternal: true }", ""),
        ("{ noExternal: ['@s/*', /^pl/] }", "esm esm/sub"),
        ("{ noExternal: ['esm', 'plain', '@s/p'], external: ['@s/p'] }", "@s/p"),
    ],
)
def test_vite_leaves_to_node_what_it_leaves_from_node_modules(project, options, expected):
    imports = "import a from 'esm'; import b from 'esm/sub'; import c from 'plain/lib/file'; import d from '@s/p';"
    code = f"{imports} console.log(a, b, c, d);"
    module = tools("bundlers") / "node_modules/vite/dist/node/index.js"
    build = f"""
      const {{ build }} = await import({json.dumps(module.as_uri())});
      const {{ default: libreseed }} = await import('libreseed/vite').catch(() => ({{}}));
      const options = {{ build: {{ ssr: 'src/main.mjs', write: false }}, ssr: {options} }};
      const plugins = libreseed ? [libreseed()] : [];
      const {{ output }} = await build({{ configFile: false, logLevel: 'silent', plugins, ...options }});
      console.log(output[0].imports.filter((name) => !name.startsWith('node:')).join(' '));"""
    for tree in ("node_modules", OURS):
        root = project(tree)
        write(root, package(f"{tree}/plain") | {f"{tree}/plain/lib/file.js": "module.exports = 1;"})
        write(root, {"src/main.mjs": code, "build.mjs": build})
        done = node_runner(root)("build.mjs")
        assert sorted(done.stdout.split()) == sorted(expected.split()), done.stderr


ENTRIES = [entry for entry in json.loads(render_package("1.0.0")["package.json"])["exports"] if ".json" not in entry]


def test_every_entry_can_be_required_and_imported(project):
    root = project(OURS)
    names = json.dumps([entry.replace(".", "libreseed", 1) for entry in ENTRIES])
    code = f"""
      import {{ createRequire }} from 'node:module';
      const require = createRequire(import.meta.url);
      for (const name of {names}) console.log((await import(name)).default === require(name));"""
    write(root, {"app.mjs": code})
    done = node_runner(root)("app.mjs")
    assert done.stdout.split() == ["true"] * 8, done.stderr


def test_the_types_are_right(project):
    """TypeScript takes the plugins for those of the bundlers, and refuses a wrong option."""
    root = project(OURS)
    code = """
      import 'libreseed/register';
      import { resolve } from 'libreseed/loader';
      import LibreSeed from 'libreseed/webpack';
      import LibreSeedToo from 'libreseed/rspack';
      import rollup from 'libreseed/rollup';
      import vite from 'libreseed/vite';
      import esbuild from 'libreseed/esbuild';
      import jest from 'libreseed/jest';
      const all: [{ apply(compiler: object): void }, { name: string }] = [new LibreSeed(), vite()];
      rollup({ conditions: ['import'] });
      export default [all, new LibreSeedToo(), esbuild().setup, resolve, jest];
      // @ts-expect-error
      rollup({ unknown: true });"""
    write(root, {"app.mts": code, "app.cts": code.replace("export default", "export const x =")})
    tsc = tool("tsc@5")
    flags = ("--noEmit", "--strict", "--module", "node16", "--moduleResolution", "node16", "--target", "es2022")
    done = node_runner(root)(str(tsc), *flags, "app.mts", "app.cts")
    assert (done.returncode, done.stdout) == (0, "")
