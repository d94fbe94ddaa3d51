// Loads every program in cases/ and prints as JSON what it exports, or its error, and what was warned of.
// With the argument "tasks": runs the tasks of tasks.json, each of which starts a process or a thread.

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const results = {};
const say = (value) => JSON.stringify(value, (_, part) => (typeof part === 'function' ? 'function' : part)) ?? 'undefined';

async function attempt(name, run) {
  try {
    results[name] = say(await run());
  } catch ({ name: kind, code, message, requireStack, stack }) {
    results[name] = { kind, code, message, requireStack, inStack: stack.includes(message) };
  }
}

async function load() {
  for (const file of fs.readdirSync('cases').sort()) {
    const place = path.resolve('cases', file);
    await attempt(file, async () => (file.endsWith('.cjs') ? require(place) : (await import(pathToFileURL(place))).default));
  }
}

/** Run every task at once and keep what it prints. */
async function runTasks() {
  const tasks = JSON.parse(fs.readFileSync('tasks.json', 'utf8'));
  const { exec, execFile, execFileSync, fork, spawn } = require('node:child_process');
  const { SHARE_ENV, Worker } = require('node:worker_threads');
  const scope = { exec, execFile, execFileSync, fork, spawn, SHARE_ENV, Worker, pathToFileURL, cluster: startCluster };
  scope.child = fs.readFileSync('child.cjs', 'utf8');
  scope.__dirname = process.cwd();
  const start = (code) => new Function(...Object.keys(scope), `return ${code}`)(...Object.values(scope));
  await Promise.all(Object.entries(tasks).map(([name, code]) => attempt(name, () => output(start(code)))));
}

function startCluster() {
  const cluster = require('node:cluster');
  cluster.setupPrimary({ exec: 'child.cjs', silent: true });
  const child = cluster.fork().process;
  child.stdout.on('data', () => child.connected && child.disconnect());
  return child;
}

function output(started) {
  if (Buffer.isBuffer(started)) return String(started);
  return new Promise((resolve) => {
    let text = '';
    started.stdout.on('data', (data) => (text += data));
    started.on('error', (error) => (text += `${error.code} ${error.message}`));
    let ended = 0;
    const end = () => ++ended === 2 && resolve(text);
    started.stdout.on('end', end);
    started.on('exit', end);
  });
}

results.warnings = [];
process.on('unhandledRejection', () => {}); // Node 20 leaves one behind when a module of CommonJS throws
process.on('warning', ({ name, message }) => results.warnings.push(`${name}: ${message}`));
(process.argv[2] === 'tasks' ? runTasks() : load()).then(() => {
  results.warnings.sort();
  process.stdout.write(JSON.stringify(results), () => process.exit());
});
