"""Test runners, the TypeScript compiler and Turbopack, which ask no hook of Node's."""

import json
import re

import pytest

from libreseed.modules.linking import link_folder, link_packages, unlink
from libreseed.modules.project import Project
from shims.tooling import copy_folder
from support.clients import tool, tools
from support.trees import OURS, node_runner, package, write, write_shims

TESTS = """
test('packages', () => {
  expect([require('dep'), require('uses'), require('@s/p'), require('esm/sub')]).toEqual([
    'dep@2.0.0', 'dep@1.0.0', '@s/p@1.0.0', 'sub']);
});
test('mocked', () => {
  jest.mock('mocked', () => 'another');
  expect(require('mocked')).toBe('another');
});
test('missing', () => expect(() => require('absent')).toThrow("Cannot find module 'absent'"));
test('internal', () => expect(require('#internal')).toBe('sub'));
"""
VITEST = """
import { expect, test, vi } from 'vitest';
import dep from 'dep';
import uses from 'uses';
import scoped from '@s/p';
import sub from 'esm/sub';
import mocked from 'mocked';
vi.mock('mocked', () => ({ default: 'another' }));
test('packages', () => expect([dep, uses, scoped, sub]).toEqual(['dep@2.0.0', 'dep@1.0.0', '@s/p@1.0.0', 'sub']));
test('mocked', () => expect(mocked).toBe('another'));
test('later', async () => expect((await import('esm')).default).toBe('esm'));
"""


@pytest.fixture(params=["node_modules", OURS])
def project(request, tmp_path):
    tree = request.param
    exports = {".": {"import": "./index.mjs", "require": "./index.js"}, "./sub": "./sub.js"}
    write(tmp_path, {"package.json": json.dumps({"name": "app", "imports": {"#internal": "esm/sub"}})})
    write(
        tmp_path,
        package(f"{tree}/esm", exports=exports)
        | {f"{tree}/esm/index.mjs": "export default 'esm';", f"{tree}/esm/sub.js": "module.exports = 'sub';"}
        | package(f"{tree}/dep", "2.0.0")
        | package(f"{tree}/uses", main="module.exports = require('dep');")
        | package(f"{tree}/uses/node_modules/dep", "1.0.0")
        | package(f"{tree}/@s/p")
        | package(f"{tree}/mocked"),
    )
    if tree == OURS:
        write_shims(tmp_path)
    return tmp_path


def test_jest(project):
    ours = (project / OURS).exists()
    write(project, {"app.test.js": TESTS})
    jest = str(tools("runners") / "node_modules/jest/bin/jest.js")

    def run(config):
        done = node_runner(project)(jest, "--ci", "--json", "--config", json.dumps(config))
        return json.loads(done.stdout), done.stderr

    plain, _ = run({})
    assert plain["success"] is not ours
    report, errors = run({"resolver": "libreseed/jest"} if ours else {})
    assert (report["success"], report["numPassedTests"]) == (True, 4), errors


def test_vitest(project):
    ours = (project / OURS).exists()
    write(project, {"app.test.mjs": VITEST})
    config = "import libreseed from 'libreseed/vite'; export default { plugins: [libreseed()] };"
    folder = tools("runners") / "node_modules"
    (project / "node_modules").mkdir(exist_ok=True)
    (project / "node_modules/vitest").symlink_to(folder / "vitest")

    def run():
        done = node_runner(project)(str(folder / "vitest/vitest.mjs"), "run", "--reporter=json")
        return json.loads(done.stdout[done.stdout.index("{") :]), done.stderr

    assert run()[0]["success"] is not ours
    write(project, {"vitest.config.mjs": config if ours else "export default {};"})
    report, errors = run()
    assert (report["success"], report["numPassedTests"]) == (True, 3), (report, errors)


@pytest.mark.parametrize("version", ["5", "7"])
@pytest.mark.parametrize("link", [link_packages, link_folder])
def test_typescript_by_links(tmp_path, version, link):
    types = {"types": "index.d.ts"}
    one, two = "export declare const one: 1;", "export declare const two: 2; export { one } from 'deep';"
    exports = {"./sub": {"types": "./sub.d.ts", "default": "./index.js"}}
    write(
        tmp_path,
        {"package.json": json.dumps({"dependencies": {"typed": "1", "deep": "2", "mapped": "1"}})}
        | package(f"{OURS}/typed", **types)
        | {f"{OURS}/typed/index.d.ts": two}
        | package(f"{OURS}/typed/node_modules/deep", **types)
        | {f"{OURS}/typed/node_modules/deep/index.d.ts": one}
        | package(f"{OURS}/deep", "2.0.0", **types)
        | {f"{OURS}/deep/index.d.ts": "export declare const one: 'other';"}
        | package(f"{OURS}/mapped", exports=exports)
        | {f"{OURS}/mapped/sub.d.ts": "export declare const sub: 3;"}
        | package(f"{OURS}/@types/ambient", **types)
        | {f"{OURS}/@types/ambient/index.d.ts": "declare const ambient: 4;"},
    )
    code = """
      import { one, two } from 'typed';
      import { one as other } from 'deep';
      import { sub } from 'mapped/sub';
      const all: [1, 2, 'other', 3, 4] = [one, two, other, sub, ambient];
      export default all;"""
    flags = {"strict": True, "noEmit": True, "module": "nodenext", "target": "es2022", "types": ["ambient"]}
    write(tmp_path, {"app.ts": code, "tsconfig.json": json.dumps({"compilerOptions": flags, "include": ["app.ts"]})})
    write_shims(tmp_path)
    tsc = tool(f"tsc@{version}")

    def compiles():
        done = node_runner(tmp_path)(str(tsc), "-p", ".")
        assert re.search("Cannot find", done.stdout) or done.returncode == 0, done.stdout
        return done.returncode == 0

    assert not compiles()
    link(Project(tmp_path))
    assert compiles()
    unlink(Project(tmp_path))
    assert not compiles()


def test_turbopack_by_links(tmp_path):
    dependencies = dict.fromkeys(("next", "react", "react-dom", "uses"), "*")
    copy_folder(tools("next-16") / "node_modules", tmp_path / OURS)
    write(
        tmp_path,
        {
            "package.json": json.dumps({"name": "app", "private": True, "dependencies": dependencies}),
            "package-lock.json": "{}",
            "app/layout.js": "export default ({ children }) => <html><body>{children}</body></html>;",
            "app/page.js": "import uses from 'uses'; export default function Page() { return <p>{uses}</p>; }",
        }
        | package(f"{OURS}/uses", main="module.exports = require('dep');")
        | package(f"{OURS}/uses/node_modules/dep", "1.0.0")
        | package(f"{OURS}/dep", "2.0.0"),
    )
    write_shims(tmp_path)
    next_ = str(tmp_path / OURS / "next/dist/bin/next")

    def builds():
        done = node_runner(tmp_path)(next_, "build", env={"NEXT_TELEMETRY_DISABLED": "1", "CI": "1"})
        assert done.returncode == 0 or "next" in done.stderr, done.stderr
        return done.returncode == 0

    assert not builds()
    for link in (link_packages, link_folder):
        link(Project(tmp_path))
        assert builds()
        assert "dep@1.0.0" in (tmp_path / ".next/server/app/index.html").read_text()
        unlink(Project(tmp_path))
