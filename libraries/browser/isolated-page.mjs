// Serves bundled scripts to a page that is cross-origin isolated, and opens it in Chromium.
import { createServer } from "node:http";
import { join } from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright-core";

/** @param names The scripts of this folder; the page begins with the first. */
export async function openPage(...names) {
  const { outputFiles } = await build({
    entryPoints: names.map((name) => join(import.meta.dirname, name)),
    outdir: "/",
    bundle: true,
    format: "esm",
    write: false,
  });
  const scripts = new Map(outputFiles.map(({ path, contents }) => [path, contents]));
  const html = `<link rel="icon" href="data:,"><script type="module" src="/${names[0]}"></script>`;

  const server = createServer((request, response) => {
    // Both make a page cross-origin isolated: without them it has no shared memory.
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    const script = scripts.get(request.url);
    if (request.method === "POST") request.pipe(response);
    else if (script !== undefined) response.setHeader("Content-Type", "text/javascript").end(script);
    else response.setHeader("Content-Type", "text/html").end(html);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

  const executablePath = process.env.DMABUF_CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  const page = await browser.newPage();
  page.on("console", (message) => message.type() === "log" && console.log(message.text()));
  page.on("pageerror", (error) => console.error(error));
  await page.goto(`http://127.0.0.1:${server.address().port}`);
  return {
    page,
    server,
    version: browser.version(),
    async close() {
      await browser.close();
      server.close();
    },
  };
}
