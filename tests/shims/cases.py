"""What programs ask of Node's module resolution: packages of many kinds, and programs that load them.

A program exports its result, which may be a promise. Each is compared with itself under plain `node_modules`.
"""

import json
from pathlib import Path

from support.trees import OURS, package, write, write_shims

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

_SPECIFIERS = r"""
    esm esm/sub esm/features/x esm/features/secret/x esm/features/y esm/gone esm/absent ways broken invalid uses
    plain plain/lib/file.js plain/lib/file plain/lib plain/lib/ plain/lib/file.js?x=1 plain/lib/file.js#y
    plain/absent.js plain/ plain/. plain/lib/../lib/file.js plain//lib/file.js plain/package.json data/data.json
    @s/p @s/p/lib/file.js @s/absent @s @bad no-main folder-main no-extension damaged empty dep only listed
    linked absent absent/deep/file.js app app/absent test punycode punycode/ fs node:fs node:absent Plain #dep
    #lib/file #lib/special/two #missing #gone #not-exported #invalid #local #builtin #way #list #null #nested
    #none a%2fb plain%2flib .x a\b a:b ./self.mjs ./absent.mjs
"""

_ASK = {
    "require $.cjs": "module.exports = require($);",
    "require.resolve $.cjs": "module.exports = require.resolve($);",
    "await import $.cjs": "module.exports = import($);",
    "import $.mjs": "import * as found from $; export default found;",
    "import.meta.resolve $.mjs": "export default import.meta.resolve($);",
}
"""The ways to ask for each of the specifiers: file -> program."""

_COMMONJS = {
    "several": "[require('plain'), require('@s/p'), require('dep')]",
    "the same module twice": "require('object') === require('object/index.js')",
    "module.require": "module.require('plain')",
    "require in eval": "eval(\"require('plain')\")",
    "require in a function made of text": "new Function('require', 'return require(\"plain\")')(require)",
    "import in a function made of text": "new Function('return import(\"esm\")')()",
    "import in eval": "eval(\"import('esm')\")",
    "import in a script of vm": """new (require('vm').Script)('import("esm")', {
        filename: __filename, importModuleDynamically: require('vm').constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      }).runInThisContext()""",
    "nested versions": "[require('dep'), require('versions')]",
    "a peer": "require('plugin')",
    "packages in a circle": "require('circle-a').b.a === require('circle-a')",
    "a package that imports": "require('importer')",
    "a command's own modules": "require('tool/bin/tool.js')",
    "what is linked finds what the project has": "require('linked')",
    "resolve with paths": "require.resolve('plain', { paths: [__dirname] })",
    "resolve with several paths": "require.resolve('plain', { paths: ['/', __dirname] })",
    "resolve with a path of its own": "require.resolve('./plain.cjs', { paths: [__dirname + '/../sub'] })",
    "resolve with no paths": "require.resolve('absent', { paths: [] })",
    "resolve with paths elsewhere": "require.resolve('plain', { paths: ['/'] })",
    "resolve paths of a builtin": "require.resolve.paths('fs')",
    "createRequire of a file": "require('module').createRequire(__filename)('plain')",
    "createRequire of a URL": "require('module').createRequire(require('url').pathToFileURL(__filename))('plain')",
    "createRequire of a folder": "require('module').createRequire(__dirname + '/')('plain')",
    "createRequire of no file": "require('module').createRequire(__dirname + '/none.js').resolve('@s/p')",
    "createRequire outside": "require('module').createRequire('/none.js').resolve('plain')",
    "Module._resolveFilename": "require('module')._resolveFilename('plain', module)",
    "Module._load": "require('module')._load('plain', module)",
    "a module made by hand": """(() => {
        const Module = require('module'); const made = new Module(__dirname + '/made.js', module);
        made.filename = __dirname + '/made.js'; made.paths = Module._nodeModulePaths(__dirname);
        made._compile('module.exports = require("plain")', made.filename); return made.exports; })()""",
    "findPackageJSON": "require('module').findPackageJSON?.('plain', __filename)",
    "findPackageJSON of a scope": "require('module').findPackageJSON?.('@s/p', __filename)",
    "findPackageJSON with exports": "require('module').findPackageJSON?.('esm', __filename)",
    "findPackageJSON of nothing": "require('module').findPackageJSON?.('absent', __filename)",
    "findPackageJSON of a file": "require('module').findPackageJSON?.('..', __filename)",
    "the cache's key": "(require('object'), Object.keys(require.cache).filter((key) => key.includes('object')))",
    "the module's children": "(require('child'), module.children.map((child) => child.id))",
    "an extension of one's own": """(() => {
        require.extensions['.txt'] = (made, file) => { made.exports = require('fs').readFileSync(file, 'utf8'); };
        return require('data/text'); })()""",
    "an error in a package": "require('throws')",
    "an absent package in a package": "require('needs-absent')",
    "a file that is no add-on": "require('data/broken.node')",
    "no text": "require(1)",
    "an empty text": "require('')",
    "a package below another folder": "require('../sub/near.cjs')",
    "a package above": "require('../sub/far/above.cjs')",
    "from a link to a file": "require('../link.cjs')",
    "a hook of the program": """(() => {
        const { registerHooks } = require('module');
        if (!registerHooks) return 'none';
        const resolve = (name, context, next) => next(name === 'alias' ? 'plain' : name, context);
        const hooks = registerHooks({ resolve });
        const found = require('alias'); hooks.deregister(); return found; })()""",
    "Module._resolveFilename replaced": """(() => {
        const Module = require('module'); const { _resolveFilename } = Module;
        Module._resolveFilename = function (name, ...rest) {
          return _resolveFilename.call(this, name === 'alias' ? 'plain' : name, ...rest); };
        try { return require('alias'); } finally { Module._resolveFilename = _resolveFilename; } })()""",
}

_ESM = {
    "default": "import value from 'plain'; export default value;",
    "named": "import { named } from 'esm'; export default named;",
    "named of CommonJS": "import { name, deep } from 'named'; export default [name, deep];",
    "namespace": "import * as all from 'esm'; export default all;",
    "namespace of CommonJS": "import * as all from 'named'; export default all;",
    "for its effects": "import 'effect'; export default globalThis.effect;",
    "passed on": "export { default } from 'esm/sub';",
    "passed on whole": "import * as all from '../sub/star.mjs'; export default all;",
    "several": "import a from '@s/p'; import b from 'dep'; import c from 'uses'; export default [a, b, c];",
    "JSON": "import data from 'data/data.json' with { type: 'json' }; export default data;",
    "JSON without its type": "import data from 'data/data.json'; export default data;",
    "unknown type": "import data from 'data/data.json' with { type: 'css' }; export default data;",
    "top-level await": "export default (await import('waits')).default;",
    "require of top-level await": "import { createRequire } from 'node:module';"
    " export default createRequire(import.meta.url)('waits');",
    "both ways": "import { createRequire } from 'node:module'; import esm from 'esm';"
    " export default [esm, createRequire(import.meta.url)('esm')];",
    "one instance": "import { createRequire } from 'node:module'; import object from 'object';"
    " export default object === createRequire(import.meta.url)('object');",
    "another by query": "export default await import('object/index.js?1') === await import('object/index.js?2');",
    "packages in a circle": "import { a } from 'esm-circle-a'; export default a();",
    "nested versions": "import dep from 'dep'; import versions from 'versions'; export default [dep, versions];",
    "a peer": "import plugin from 'plugin'; export default plugin;",
    "a linked package": "import linked from 'linked/index.mjs'; export default linked;",
    "its URL": "export default (await import('where')).default;",
    "resolve": "export default import.meta.resolve('esm/sub');",
    "resolve what is absent": "export default import.meta.resolve('absent');",
    "resolve a file that is absent": "export default import.meta.resolve('plain/absent.js');",
    "resolve a builtin": "export default import.meta.resolve('fs');",
    "a name that is not exported": "import { absent } from 'esm'; export default absent;",
    "a name that is not exported by CommonJS": "import { absent } from 'plain'; export default absent;",
    "an absent package": "import absent from 'absent'; export default absent;",
    "an absent package in a package": "import broken from 'broken'; export default broken;",
    "an absent file": "import absent from 'plain/lib/absent.js'; export default absent;",
    "a file without its extension": "import file from 'plain/lib/file'; export default file;",
    "a folder": "import lib from 'plain/lib'; export default lib;",
    "an error in a package": "import 'throws'; export default 1;",
    "a syntax error in a package": "import 'syntax'; export default 1;",
    "#internal": "import dep from '#dep'; import way from '#way'; export default [dep, way];",
    "an absent #internal": "import missing from '#missing'; export default missing;",
    "itself": "import self from 'app'; export default self;",
    "in data": "const data = await import('data:text/javascript,import fs from \"fs\"; export default typeof fs');"
    " export default data.default;",
    "a package in data": "export default (await import('data:text/javascript,import \"esm\"')).default;",
    "an expression": "export default (await import('e' + 'sm')).default;",
    "no text": "export default (await import({ toString: () => 'esm' })).default;",
    "a file of CommonJS that requires": "import value from '../sub/plain.cjs'; export default value;",
    "a file of CommonJS that imports": "import value from '../sub/imports.cjs'; export default await value;",
    "a package below another folder": "import near from '../sub/near.mjs'; export default near;",
    "from a link to a file": "import value from '../link.mjs'; export default value;",
    "findPackageJSON": "import module from 'node:module';"
    " export default module.findPackageJSON?.('plain', import.meta.url);",
    "dirname": "import where from 'where/dirname.mjs'; export default where;",
}

_CHILD = "const plain = require('plain'); import('esm').then((esm) => console.log(plain, esm.default));"
_TASKS = {
    "fork": "fork('./child.cjs', { silent: true })",
    "fork of an ES module": "fork('./child.mjs', { silent: true })",
    "fork without flags": "fork('./child.cjs', { silent: true, execArgv: [] })",
    "fork with flags": "fork('./child.cjs', { silent: true, execArgv: ['--no-warnings'] })",
    "fork elsewhere": "fork(__dirname + '/child.cjs', { silent: true, cwd: '/' })",
    "spawn": "spawn(process.execPath, ['child.cjs'])",
    "spawn with more environment": "spawn(process.execPath, ['child.cjs'], { env: { ...process.env, MORE: '1' } })",
    "spawn in a shell": 'spawn(`"${process.execPath}" child.mjs`, { shell: true })',
    "exec": 'exec(`"${process.execPath}" child.cjs`)',
    "execFile": "execFile(process.execPath, ['-p', 'require(\"plain\")'])",
    "execFileSync": "execFileSync(process.execPath, ['child.cjs'])",
    "a grandchild": "fork('./parent.cjs', { silent: true })",
    "cluster": "cluster()",
    "thread": "new Worker('./child.cjs', { stdout: true })",
    "thread of an ES module": "new Worker('./child.mjs', { stdout: true })",
    "thread of text": "new Worker(child, { stdout: true, eval: true })",
    "thread of a URL": "new Worker(pathToFileURL(__dirname + '/child.mjs'), { stdout: true })",
    "thread without flags": "new Worker('./child.cjs', { stdout: true, execArgv: [] })",
    "thread with flags": "new Worker('./child.cjs', { stdout: true, execArgv: ['--no-warnings'] })",
    "thread with an empty environment": "new Worker('./child.cjs', { stdout: true, env: {} })",
    "thread with the same environment": "new Worker('./child.cjs', { stdout: true, env: SHARE_ENV })",
    "thread with more environment": "new Worker('./child.cjs', { stdout: true, env: { ...process.env, MORE: '1' } })",
    "thread of a thread": "new Worker('./parent.cjs', { stdout: true, argv: ['thread'] })",
    "fork in a thread": "new Worker('./parent.cjs', { stdout: true })",
    "process with an empty environment": "spawn(process.execPath, ['child.cjs'], { env: {} })",
}

STARTS: dict[str, tuple[tuple[str, ...], str]] = {
    "a file": (("child.cjs",), ""),
    "a file of ES modules": (("child.mjs",), ""),
    "a file by its whole path": (("{root}/child.cjs",), ""),
    "a file without its extension": (("no-extension",), ""),
    "a folder": (("folder",), ""),
    "a link to a file": (("link-child.cjs",), ""),
    "a link that is preserved": (("--preserve-symlinks-main", "link-child.cjs"), ""),
    "text": (("--eval", _CHILD), ""),
    "printed text": (("--print", "require('plain')"), ""),
    "text as an ES module": (("--input-type=module", "--eval", "import esm from 'esm'; console.log(esm)"), ""),
    "standard input": (("-",), _CHILD),
    "standard input as an ES module": (("--input-type=module", "-"), "import esm from 'esm'; console.log(esm)"),
    "interactive": (("--interactive",), "require('plain')\nawait import('esm')\nrequire.resolve('absent')\n"),
    "check": (("--check", "child.cjs"), ""),
    "a package by --require": (("--require", "effect", "--print", "globalThis.effect"), ""),
    "a package by --import": (("--import", "effect", "--print", "globalThis.effect"), ""),
    "a missing package by --require": (("--require", "absent", "child.cjs"), ""),
    "a condition": (("--conditions=custom", "--print", "require('ways')"), ""),
    "a short condition": (("-C", "custom", "--print", "require('#nested')"), ""),
    "a test": (("--test", "--test-reporter=tap", "passes.test.mjs"), ""),
    "TypeScript": (("child.mts",), ""),
    "hooks of a package": (
        ("--import", "./hooked.mjs", "--eval", "import('virtual').then((m) => console.log(m.default))"),
        "",
    ),
    "a missing package": (("--eval", "require('absent')"), ""),
    "a missing package in an ES module": (("--input-type=module", "--eval", "import 'absent'"), ""),
    "an exit code": (("--eval", "require('plain'); process.exit(7)"), ""),
}
"""How Node is started: its arguments and its standard input."""


def _says(text: str) -> str:
    return f"module.exports = '{text}';"


def packages(tree: str) -> dict[str, str]:
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
    module = {"type": "module", "exports": "./index.js"}
    return {
        **package(f"{tree}/esm", exports=exports),
        f"{tree}/esm/index.mjs": "export default 'esm'; export const named = 1;",
        f"{tree}/esm/sub.js": _says("sub"),
        f"{tree}/esm/f/x.js": _says("feature"),
        **package(f"{tree}/ways", exports=ways),
        **{f"{tree}/ways/{way}.js": _says(way) for way in ("custom", "node")},
        **package(f"{tree}/plain", main=_says("plain")),
        f"{tree}/plain/lib/file.js": _says("file"),
        f"{tree}/plain/lib/index.js": _says("folder"),
        **package(f"{tree}/@s/p"),
        f"{tree}/@s/p/lib/file.js": _says("scoped file"),
        **package(f"{tree}/dep", "2.0.0"),
        f"{tree}/dep/two.js": _says("two"),
        **package(f"{tree}/uses", exports={".": "./index.mjs", "./self": "./index.js"}, imports={"#plain": "plain"}),
        f"{tree}/uses/index.mjs": f"{uses} export default [dep, internal, self.default];",
        **package(f"{tree}/uses/node_modules/dep", "1.0.0"),
        **package(f"{tree}/versions", main="module.exports = require('dep');"),
        **package(f"{tree}/versions/node_modules/dep", "1.0.0"),
        **package(f"{tree}/plugin", main="module.exports = ['plugin', require('plain')];"),
        **package(f"{tree}/object", main="module.exports = {};"),
        **package(f"{tree}/child", main=_says("child")),
        **package(f"{tree}/named", main="exports.name = 'n'; exports.deep = require('plain');"),
        **package(f"{tree}/effect", main="globalThis.effect = 'done';"),
        **package(f"{tree}/importer", main="module.exports = import('esm').then((esm) => esm.default);"),
        **package(f"{tree}/throws", main="throw new RangeError('on purpose');"),
        **package(f"{tree}/syntax", main="import ,;", **module),
        **package(f"{tree}/needs-absent", main="require('absent-inside');"),
        **package(f"{tree}/circle-a", main="exports.b = require('circle-b');"),
        **package(f"{tree}/circle-b", main="exports.a = require('circle-a');"),
        **package(f"{tree}/esm-circle-a", main="import { b } from 'esm-circle-b'; export const a = () => b;", **module),
        **package(
            f"{tree}/esm-circle-b", main="import { a } from 'esm-circle-a'; export const b = typeof a;", **module
        ),
        **package(f"{tree}/waits", main="export default await Promise.resolve('waited');", **module),
        **package(f"{tree}/where", main="export default import.meta.url;", type="module"),
        f"{tree}/where/dirname.mjs": "export default import.meta.dirname;",
        **package(f"{tree}/tool", bin="bin/tool.js"),
        f"{tree}/tool/bin/tool.js": "#!/usr/bin/env node\nmodule.exports = [require('..'), require('dep')];",
        f"{tree}/folder-main/package.json": '{"name": "folder-main", "main": "lib"}',
        f"{tree}/folder-main/lib/index.js": _says("folder-main"),
        f"{tree}/no-extension/package.json": '{"name": "no-extension", "main": "./start"}',
        f"{tree}/no-extension/start.js": _says("no-extension"),
        f"{tree}/damaged/package.json": '{"name": ',
        f"{tree}/damaged/index.js": _says("damaged"),
        f"{tree}/empty/readme.md": "",
        f"{tree}/no-main/package.json": '{"name": "no-main"}',
        f"{tree}/no-main/other.js": "",
        f"{tree}/data/package.json": '{"name": "data"}',
        f"{tree}/data/data.json": '{"data": 1}',
        f"{tree}/data/text.txt": "text",
        f"{tree}/data/broken.node": "no add-on",
        **package(f"{tree}/only", main="export default 'only';", **module),
        **package(f"{tree}/broken", main="export * from 'absent-inside';", **module),
        **package(f"{tree}/invalid", exports={".": "../outside.js"}),
        **package(
            f"{tree}/hooks",
            main="export const resolve = (name, context, next) => next(name === 'virtual' ? 'plain' : name, context);",
            **module,
        ),
        **package(f"{tree}/app"),
        **package(f"{tree}/test"),
        **package(f"{tree}/punycode"),
        **package(f"{tree}/fs"),
    }


def programs() -> dict[str, str]:
    """Return the files of the programs, below the project."""
    return {
        **{
            f"cases/{way.replace('$', specifier.replace('/', '∕'))}": code.replace("$", json.dumps(specifier))
            for specifier in _SPECIFIERS.split()
            for way, code in _ASK.items()
        },
        **{f"cases/{name}.cjs": f"module.exports = {code};" for name, code in _COMMONJS.items()},
        **{f"cases/{name}.mjs": code for name, code in _ESM.items()},
        "tasks.json": json.dumps(_TASKS),
        "self.mjs": "export default 'self';",
        "no-extension": "console.log(require('plain'));",
        "folder/index.js": _CHILD,
        "child.cjs": _CHILD,
        "child.mjs": "import plain from 'plain'; import esm from 'esm'; console.log(plain, esm);",
        "child.mts": "import plain from 'plain'; const typed: string = plain; console.log(typed);",
        "parent.cjs": "const { Worker } = require('worker_threads'); const { fork } = require('child_process');"
        " if (process.argv[2] === 'thread') new Worker('./child.cjs');"
        " else fork('./child.cjs', { silent: true }).stdout.pipe(process.stdout);",
        "passes.test.mjs": "import test from 'node:test'; import esm from 'esm'; test('esm ' + esm, () => {});",
        "hooked.mjs": "import { register } from 'node:module'; register('hooks', import.meta.url);",
        "sub/plain.cjs": "module.exports = require('plain');",
        "sub/imports.cjs": "module.exports = import('esm').then((esm) => esm.default);",
        "sub/star.mjs": "export * from 'esm'; export * from 'uses';",
        "sub/near.cjs": "module.exports = [require('near'), require('dep'), require('plain')];",
        "sub/near.mjs": "import near from 'near'; import dep from 'dep'; export default [near, dep];",
        "sub/far/above.cjs": "module.exports = [require('near'), require('plain')];",
        "linked/package.json": '{"name": "linked"}',
        "linked/index.js": "module.exports = ['linked', require('plain')];",
        "linked/index.mjs": "import esm from 'esm'; export default ['linked', esm];",
        "outside/target.cjs": "module.exports = require('plain');",
        "outside/target.mjs": "import plain from 'plain'; export default plain;",
    }


def write_app(root: Path, tree: str) -> Path:
    """Write the project with its packages in `tree`, and with the shims when that is ours. Return it."""
    write(root, {"package.json": json.dumps(MANIFEST)} | programs() | packages(tree))
    write(root, package(f"sub/{tree}/near") | package(f"sub/{tree}/dep", "3.0.0"))
    (root / tree / "linked").symlink_to(root / "linked")
    for extension in ("cjs", "mjs"):
        (root / f"link.{extension}").symlink_to(f"outside/target.{extension}")
    (root / "link-child.cjs").symlink_to("folder/index.js")
    if tree == OURS:
        write_shims(root)
    return root
