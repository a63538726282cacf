// Serves bundled scripts to a page that is cross-origin isolated, and opens it in Chromium.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const LIBRARIES = join(import.meta.dirname, "..");

/** @param names The scripts of this folder; the page begins with the first. */
export async function serveScripts(...names) {
  const { outputFiles } = await build({
    entryPoints: names.map((name) => join(import.meta.dirname, name)),
    outdir: "/",
    bundle: true,
    format: "esm",
    write: false,
  });
  const scripts = new Map(outputFiles.map(({ path, contents }) => [path, contents]));
  const html = `<link rel="icon" href="data:,"><script type="module" src="/${names[0]}"></script>`;

  // What each beacon has brought, by its address: its page hears no answer, and asks for it, also before it has come.
  const beacons = new Map();
  const beacon = (url) => {
    if (!beacons.has(url)) {
      let came;
      const body = new Promise((resolve) => (came = resolve));
      beacons.set(url, { body, came });
    }
    return beacons.get(url);
  };

  const server = createServer((request, response) => {
    // Both make a page cross-origin isolated: without them it has no shared memory.
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    const script = scripts.get(request.url);
    if (request.method === "POST") {
      if (request.url.startsWith("/beacon/")) beacon(request.url).came(buffer(request));
      request.pipe(response);
    } else if (request.url.startsWith("/beacon/")) beacon(request.url).body.then((body) => response.end(body));
    else if (script !== undefined) response.setHeader("Content-Type", "text/javascript").end(script);
    else if (/^\/node_modules\/[\w./-]+\.wasm$/.test(request.url)) {
      response.setHeader("Content-Type", "application/wasm").end(readFileSync(join(LIBRARIES, request.url)));
    } else response.setHeader("Content-Type", "text/html").end(html);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

  return server;
}

/** Opens a page in Chromium that begins with the first of the scripts. */
export async function openPage(...names) {
  const server = await serveScripts(...names);
  const executablePath = process.env.DMABUF_CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  const page = await browser.newPage();
  page.on("console", (message) => message.type() === "log" && console.log(message.text()));
  page.on("pageerror", (error) => console.error(error));
  await page.goto(`http://127.0.0.1:${server.address().port}`);
  return {
    page,
    async close() {
      await browser.close();
      server.close();
    },
  };
}
