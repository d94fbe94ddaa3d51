// Serves the project in the current folder by Vite's development mode, opens it in Chromium, and prints what the page
// reports: node browse.mjs CHROMIUM. TOOLS is the folder with Vite.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const root = process.cwd();
const { createServer } = await import(pathToFileURL(path.join(process.env.TOOLS, 'node_modules/vite/dist/node/index.js')));
const libreseed = createRequire(path.join(root, 'package.json'))('libreseed/vite');

let report;
const reported = new Promise((resolve) => (report = resolve));
const listen = {
  name: 'listen',
  configureServer(server) {
    server.middlewares.use('/report', async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      response.end();
      report(text);
    });
  },
};
const plugins = [libreseed(), listen];
const server = await createServer({ root, configFile: false, logLevel: 'silent', plugins, server: { port: 0 } });
await server.listen();

const profile = mkdtempSync(path.join(tmpdir(), 'libreseed-chromium-'));
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', `--user-data-dir=${profile}`];
const browser = spawn(process.argv[2], [...flags, server.resolvedUrls.local[0]], { stdio: 'ignore' });
const gone = new Promise((resolve) => browser.on('exit', resolve));
console.log(await Promise.race([reported, gone.then((code) => `Chromium ended with ${code}`)]));
browser.kill();
await gone;
rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
await server.close();
process.exit();
