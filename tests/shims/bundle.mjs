// Bundles src/main.mjs of the project in the current folder: node bundle.mjs TOOL [PLUGIN]
//
// TOOLS is the folder with the bundlers. PLUGIN is an entry of the package `libreseed`, or nothing.
// The result goes to dist/, as short as the bundler makes it so that it holds no paths; what the
// development modes give goes to the standard output.

import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [tool, entry] = process.argv.slice(2);
const root = process.cwd();
const main = path.join(root, 'src/main.mjs');
const dist = path.join(root, 'dist');
const project = createRequire(path.join(root, 'package.json'));
const tools = createRequire(path.join(process.env.TOOLS, 'package.json'));

const names = { entryFileNames: '[name].js', chunkFileNames: '[name].js', assetFileNames: '[name][extname]' };
const fail = (warning) => {
  throw new Error(warning.message);
};

function plugins() {
  if (!entry) return [];
  const plugin = project(`libreseed/${entry}`);
  return [plugin.prototype?.apply ? new plugin() : plugin()];
}

/** Load a bundler that is an ES module. */
function load(file) {
  return import(pathToFileURL(path.join(process.env.TOOLS, 'node_modules', file)));
}

function pack(bundle) {
  const options = {
    mode: 'production',
    context: root,
    entry: main,
    output: { path: dist },
    optimization: { moduleIds: 'natural', chunkIds: 'natural' },
    module: { rules: [{ test: /\.css$/, type: 'css/auto' }] },
    experiments: { css: true },
    plugins: plugins(),
  };
  return new Promise((resolve, reject) => {
    bundle(options, (error, stats) => {
      if (error ?? stats.hasErrors()) reject(error ?? new Error(stats.toString('errors-only')));
      else resolve();
    });
  });
}

async function vite(method, options = {}) {
  const module = await load('vite/dist/node/index.js');
  const resolve = { dedupe: ['dep'] };
  return module[method]({ root, configFile: false, logLevel: 'silent', resolve, plugins: plugins(), ...options });
}

const build = {
  webpack: () => pack(tools('webpack')),
  rspack: () => pack(tools('@rspack/core').rspack),

  async rollup() {
    const resolve = tools('@rollup/plugin-node-resolve')({ browser: true, preferBuiltins: false });
    const all = [...plugins(), resolve, tools('@rollup/plugin-commonjs')()];
    const bundle = await tools('rollup').rollup({ input: main, onwarn: fail, plugins: all });
    await bundle.write({ dir: dist, ...names });
  },

  async rolldown() {
    const { build } = await load('rolldown/dist/index.mjs');
    await build({ input: main, onwarn: fail, plugins: plugins(), output: { dir: dist, minify: true, ...names } });
  },

  esbuild: () =>
    tools('esbuild').build({
      entryPoints: ['src/main.mjs'],
      bundle: true,
      splitting: true,
      minify: true,
      format: 'esm',
      chunkNames: '[name]',
      outdir: dist,
      logLevel: 'silent',
      plugins: plugins(),
    }),

  vite: () => vite('build', { build: { outDir: dist, rollupOptions: { input: main, output: names } } }),
  'vite-ssr': () => vite('build', { build: { outDir: dist, ssr: main, minify: true } }),

  async 'vite-ssr-dev'() {
    const server = await vite('createServer', { server: { middlewareMode: true, ws: false }, appType: 'custom' });
    await server.ssrLoadModule('/src/main.mjs');
    await server.close();
  },

  async 'vite-dev'() {
    const include = ['events', 'esm/sub'];
    const server = await vite('createServer', { server: { port: 0, ws: false }, optimizeDeps: { include } });
    await server.listen();
    const url = server.resolvedUrls.local[0];
    let code, answers;
    do {
      ({ code } = await server.transformRequest('/src/main.mjs'));
      await server.waitForRequestsIdle();
      const dependencies = [...code.matchAll(/"\/(node_modules\/\.vite\/deps\/[^"]+)"/g)].map((match) => match[1]);
      answers = await Promise.all(dependencies.map(async (name) => [name, (await fetch(url + name)).status]));
    } while (answers.some(([, status]) => status === 504)); // outdated: a browser loads the page again
    console.log(code.replaceAll(/\?v=\w+/g, ''));
    for (const [name, status] of answers) console.log(name.replace(/\?.*/, ''), status);
    await server.close();
  },
};

await build[tool]();
