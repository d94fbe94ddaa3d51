"""The rendered JavaScript as its readers' tools see it: ESLint and the TypeScript compiler."""

import json

import pytest

from libreseed.shims.render import render_package
from support.clients import tools
from support.trees import node_runner, write

ESLINT = """
const js = require('@eslint/js');
const globals = require('globals');
module.exports = [
  js.configs.recommended,
  {
    languageOptions: { sourceType: 'commonjs', ecmaVersion: 2022, globals: globals.node },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: { 'no-unused-vars': 'error', 'prefer-const': 'error', eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-var': 'error', 'object-shorthand': 'error', 'max-len': ['error', 130], strict: ['error', 'global'] },
  },
];
"""
OPTIONS = {
    "allowJs": True,
    "checkJs": True,
    "noEmit": True,
    "module": "node16",
    "target": "es2022",
    "strict": True,
    "noImplicitAny": False,  # the types for users are in the .d.ts files
    "useUnknownInCatchVariables": False,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "noImplicitReturns": True,
    "types": ["node"],
}


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, {f"src/{path}": data.decode() for path, data in render_package("1.0.0").items()})
    for path in tmp_path.glob("src/*.d.ts"):
        path.rename(path.with_suffix(".txt"))
    (tmp_path / "node_modules").symlink_to(tools("checkers") / "node_modules")
    return tmp_path


def test_eslint_finds_nothing(folder):
    write(folder, {"eslint.config.cjs": ESLINT})
    done = node_runner(folder)("node_modules/eslint/bin/eslint.js", "--max-warnings=0", "src")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_compiler_finds_nothing(folder):
    write(folder, {"tsconfig.json": json.dumps({"compilerOptions": OPTIONS, "include": ["src/*.cjs"]})})
    done = node_runner(folder)("node_modules/typescript/bin/tsc", "-p", ".")
    assert (done.returncode, done.stdout) == (0, "")


def test_every_file_says_what_it_is_for():
    files = render_package("1.0.0")
    scripts = [data.decode() for path, data in files.items() if path.endswith(".cjs")]
    assert all(text.startswith("// ") and "\n'use strict';\n" in text for text in scripts)
