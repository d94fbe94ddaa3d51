// Resolves every specifier that the packages in the folder TREE answer to, by require and by import, and prints as
// JSON how many there are and what they come to: a path, or an error's code.
//
// node resolve-all.mjs TREE

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const tree = path.resolve(process.argv[2]);
const require = createRequire(import.meta.url);

function packages() {
  const names = readdirSync(tree).filter((name) => !name.startsWith('.') && name !== 'libreseed');
  return names.flatMap((name) => (name[0] === '@' ? readdirSync(path.join(tree, name)).map((part) => `${name}/${part}`) : [name]));
}

/** Yield the files of a package, relative to it; what is nested in it is found by itself. */
function* files(folder, below = '') {
  for (const entry of readdirSync(path.join(folder, below), { withFileTypes: true })) {
    const file = below + entry.name;
    if (entry.isDirectory() && entry.name !== 'node_modules') yield* files(folder, `${file}/`);
    else if (/\.(?:[cm]?js|json|node|wasm)$/.test(file)) yield file;
  }
}

function targets(value) {
  return typeof value === 'string' ? [value] : Object.values(value ?? {}).flatMap(targets);
}

function* specifiers(name) {
  const folder = path.join(tree, name);
  const { exports } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  yield* [name, `${name}/`, `${name}/package.json`, `${name}/absent`];
  if (exports == null || typeof exports === 'string') {
    for (const file of files(folder)) yield* [`${name}/${file}`, `${name}/${file.replace(/\.\w+$/, '')}`];
    return;
  }
  for (const [key, value] of Object.entries(exports).filter(([key]) => key.startsWith('.'))) {
    if (!key.includes('*')) yield name + key.slice(1);
    for (const target of key.includes('*') ? new Set(targets(value)) : []) {
      const [start, end] = target.slice(2).split('*');
      for (const file of files(folder)) {
        if (!file.startsWith(start) || !file.endsWith(end ?? '')) continue;
        yield name + key.slice(1).replaceAll('*', file.slice(start.length, file.length - (end ?? '').length));
      }
    }
  }
}

function outcome(resolve) {
  try {
    return resolve();
  } catch ({ code }) {
    return code;
  }
}

const results = {};
for (const specifier of new Set(packages().flatMap((name) => [...specifiers(name)]))) {
  results[specifier] = [outcome(() => require.resolve(specifier)), outcome(() => import.meta.resolve(specifier))];
}
process.stdout.write(JSON.stringify(results));
