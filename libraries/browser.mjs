// A page shows the frames of its worker on a canvas, in Chromium: node libraries/browser.mjs
import { createServer } from "node:http";
import { join } from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const folder = join(import.meta.dirname, "browser");
const { outputFiles } = await build({
  entryPoints: ["page.js", "worker.js"].map((name) => join(folder, name)),
  outdir: "/",
  bundle: true,
  format: "esm",
  write: false,
});
const scripts = new Map(outputFiles.map(({ path, contents }) => [path, contents]));

const server = createServer(({ url }, response) => {
  // Both make a page cross-origin isolated: without them it has no shared memory.
  response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
  const script = scripts.get(url);
  if (script !== undefined) response.setHeader("Content-Type", "text/javascript").end(script);
  else
    response
      .setHeader("Content-Type", "text/html")
      .end('<link rel="icon" href="data:,"><script type="module" src="/page.js"></script>');
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

const executablePath = process.env.DMABUF_CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage();
page.on("console", (message) => console.log(message.text()));
page.on("pageerror", (error) => console.error(error));
await page.goto(`http://127.0.0.1:${server.address().port}`);
await page.waitForFunction("globalThis.isOver", undefined, { timeout: 20_000 });
await browser.close();
server.close();
