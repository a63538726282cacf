import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { bundleAssert, bundleScript } from "./bundle.js";

const require = createRequire(import.meta.url);

/** What the browser may ask for, beside the page itself. */
const COMPILED = "/dist/";
const TESTS = "/dist/test/";
const MOCHA = "/node_modules/mocha/";

/**
 * Where the browser finds the modules that a suite names without a path. The server rewrites the names:
 * an import map would do so for a page, but workers have none.
 */
const MODULES: Record<string, string> = {
  "node:test": "/dist/test/browser/node-test.js",
  "node:assert/strict": "/assert.js",
  mocha: "/node_modules/mocha/mocha.mjs",
};

const TYPES: Record<string, string> = {
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".map": "application/json",
};

/**
 * The scripts that begin threads are bundled, as users do it: a thread that loads the library module by module takes seconds,
 * and suites start a hundred. Pages load the modules as they are.
 */
const THREADS = "/dist/test/browser/suites/threads/";

/** Has `runSuite(suite)` in the page itself, or passes it on to a worker. */
const PAGE = `<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>dmabuf</title>
<script type="module">
  const realm = new URLSearchParams(location.search).get("realm");
  if (realm === "worker") {
    const worker = new Worker("/worker.js", { type: "module" });
    globalThis.runSuite = (suite) =>
      new Promise((resolve) => {
        worker.onmessage = ({ data }) => {
          if (data.running === undefined) resolve(data);
          else globalThis.running = data.running;
        };
        worker.onerror = ({ message }) => resolve([{ type: "broken", error: message ?? "the worker did not load" }]);
        worker.postMessage(suite);
      });
  } else if (realm === "page") {
    const { runSuite } = await import("/page.js");
    globalThis.runSuite = runSuite;
  }
</script>
`;

const REALM = `
  import "/symbols.js";
  export { runSuite } from "/dist/test/browser/realm.js";
`;

/**
 * Suites are compiled with helpers for `using` that want the symbols, which WebKit 2.50 does not have. The library wants
 * them under the same names of `Symbol.for`, which polyfills have too. Each module of the tests imports them: suites start
 * workers and worklets of their own, and one that fails for want of the symbols does so in a promise, unheard.
 */
const SYMBOLS = `
  for (const name of ["dispose", "asyncDispose"])
    if (Symbol[name] === undefined) Object.defineProperty(Symbol, name, { value: Symbol.for("Symbol." + name) });
`;
const SCRIPTS: Record<string, string> = { "/page.js": REALM, "/worker.js": REALM, "/symbols.js": SYMBOLS };

/** The one page that is not cross-origin isolated. */
export const NOT_ISOLATED = "/not-isolated";

/** The one page whose policy forbids WebAssembly. */
export const NO_WEBASSEMBLY = "/no-webassembly";

/** A static server on loopback whose pages are cross-origin isolated. */
export interface Server extends AsyncDisposable {
  /** For instance `http://127.0.0.1:40123`. */
  readonly origin: string;
}

/** Serves the compiled project found at `root`. */
export async function serve(root: string): Promise<Server> {
  const scripts = { ...SCRIPTS, "/assert.js": await bundleAssert(root) };
  const bundles = new Map<string, Promise<string>>();
  const server = createServer((request, response) => answer({ root, scripts, bundles }, request, response));
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

/** What is served. */
interface Served {
  readonly root: string;
  readonly scripts: Readonly<Record<string, string>>;
  /** The scripts that begin threads, by their files. */
  readonly bundles: Map<string, Promise<string>>;
}

function answer({ root, scripts, bundles }: Served, request: IncomingMessage, response: ServerResponse): void {
  // What makes a page cross-origin isolated, so that it gets shared memory; workers need the second one too.
  const isIsolated = request.url !== NOT_ISOLATED;
  if (isIsolated) response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  if (isIsolated) response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
  if (request.url === NO_WEBASSEMBLY) {
    response.setHeader("Content-Security-Policy", "script-src 'self' 'unsafe-inline'");
  }
  response.setHeader("Cache-Control", "no-store");
  // `URL` resolves every "..", so a path that begins with a served folder stays inside it.
  const { pathname } = new URL(request.url ?? "/", "http://127.0.0.1");
  if (["/", NOT_ISOLATED, NO_WEBASSEMBLY].includes(pathname)) {
    response.setHeader("Content-Type", "text/html").end(PAGE);
    return;
  }
  const script = scripts[pathname];
  if (script !== undefined) {
    response.setHeader("Content-Type", "text/javascript").end(script);
    return;
  }
  const file = place(root, pathname);
  if (file === undefined || !existsSync(file) || !statSync(file).isFile()) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
  if (pathname.startsWith(THREADS) && extname(file) === ".js") {
    if (!bundles.has(file)) bundles.set(file, bundleScript(file, Object.keys(MODULES)));
    bundles.get(file)!.then(
      (script) => response.end(`import "/symbols.js"; ${rewrite(script)}`),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  } else if (pathname.startsWith(COMPILED) && extname(file) === ".js") {
    // On the first line: the numbers of lines stay.
    const symbols = pathname.startsWith(TESTS) ? 'import "/symbols.js"; ' : "";
    response.end(symbols + rewrite(readFileSync(file, "utf8")));
  } else createReadStream(file).pipe(response);
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
