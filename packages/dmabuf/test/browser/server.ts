import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";

const require = createRequire(import.meta.url);

/** What the browser may ask for, beside the page itself. */
const COMPILED = "/dist/";
const MOCHA = "/node_modules/mocha/";

/**
 * Where the browser finds the modules that a suite names without a path. The server rewrites the names:
 * an import map would do so for a page, but workers have none.
 */
const MODULES: Record<string, string> = {
  "node:test": "/dist/test/browser/node-test.js",
  "node:assert/strict": "/dist/browser/assert.js",
  mocha: "/node_modules/mocha/mocha.mjs",
};

const TYPES: Record<string, string> = {
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".map": "application/json",
};

/** Runs the realm's script in the page itself, or in a worker whose reports it passes on. */
const PAGE = `<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>dmabuf</title>
<script type="module">
  const query = new URLSearchParams(location.search);
  const script = "/dist/test/browser/realm.js?suite=" + encodeURIComponent(query.get("suite"));
  if (query.get("realm") === "worker") {
    const worker = new Worker(script, { type: "module" });
    worker.onmessage = ({ data }) => globalThis.report(data);
    worker.onerror = ({ message }) => globalThis.report({ type: "broken", error: message ?? "the worker did not load" });
  } else if (query.has("suite")) {
    await import(script);
  }
</script>
`;

/** The one page that is not cross-origin isolated. */
export const NOT_ISOLATED = "/not-isolated";

/** A static server on loopback whose pages are cross-origin isolated. */
export interface Server extends AsyncDisposable {
  /** For instance `http://127.0.0.1:40123`. */
  readonly origin: string;
}

/** Serves the compiled project found at `root`. */
export async function serve(root: string): Promise<Server> {
  const server = createServer((request, response) => answer(root, request, response));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The modules without a path that a suite may import. */
export function isServedModule(name: string): boolean {
  return Object.hasOwn(MODULES, name);
}

function answer(root: string, request: IncomingMessage, response: ServerResponse): void {
  // What makes a page cross-origin isolated, so that it gets shared memory; workers need the second one too.
  const isIsolated = request.url !== NOT_ISOLATED;
  if (isIsolated) response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  if (isIsolated) response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
  response.setHeader("Cache-Control", "no-store");
  // `URL` resolves every "..", so a path that begins with a served folder stays inside it.
  const { pathname } = new URL(request.url ?? "/", "http://127.0.0.1");
  if (pathname === "/" || pathname === NOT_ISOLATED) {
    response.setHeader("Content-Type", "text/html").end(PAGE);
    return;
  }
  const file = place(root, pathname);
  if (file === undefined || !existsSync(file) || !statSync(file).isFile()) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
  if (pathname.startsWith(COMPILED) && extname(file) === ".js") response.end(rewrite(readFileSync(file, "utf8")));
  else createReadStream(file).pipe(response);
}

/** The file that is served at a path; mocha is where the workspace has installed it. */
function place(root: string, path: string): string | undefined {
  if (path.startsWith(COMPILED)) return join(root, path);
  if (path.startsWith(MOCHA)) return join(dirname(require.resolve("mocha/package.json")), path.slice(MOCHA.length));
  return undefined;
}

/** Gives the modules named without a path the path they have on this server. */
function rewrite(script: string): string {
  return script.replaceAll(/\b(from|import) "([^"]+)"/g, (statement, keyword: string, name: string) => {
    const path = MODULES[name];
    return path === undefined ? statement : `${keyword} "${path}"`;
  });
}
