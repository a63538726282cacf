import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import sirv from "sirv";

const SOURCES = new URL("../../../web/", import.meta.url).pathname;
const CLIP = new URL("../../../../demo/assets/clip.mp4", import.meta.url).pathname;

/** The pages that measure, and their workers: each a script of `web/`. */
const SCRIPTS = ["hand-off", "hand-off-worker", "ends", "ends-worker", "audio", "audio-worker", "audio-processor"];

/** Pages that are served on loopback, isolated. */
export interface Pages extends AsyncDisposable {
  /** The address of a page, with what it is to know. */
  at(script: string, query: Readonly<Record<string, string | number>>): string;
}

/** The address of the video, from a page's. */
export const CLIP_PATH = "/clip.mp4";

/** Bundles the pages, and serves them. */
export async function servePages(): Promise<Pages> {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-bench-"));
  await build({
    entryPoints: SCRIPTS.map((name) => join(SOURCES, `${name}.ts`)),
    outdir: folder,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
  });
  copyFileSync(CLIP, join(folder, CLIP_PATH));
  for (const name of SCRIPTS) {
    const page = `<!doctype html><link rel="icon" href="data:,"><script type="module" src="/${name}.js"></script>`;
    writeFileSync(join(folder, `${name}.html`), page);
  }
  const files = sirv(folder, {
    setHeaders(response) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    },
  });
  const server = createServer((request, response) => {
    files(request, response, () => void response.writeHead(404).end());
  });
  await new Promise<void>((listens) => server.listen(0, "127.0.0.1", listens));
  const { port } = server.address() as AddressInfo;
  return {
    at(script, query) {
      const parameters = new URLSearchParams();
      for (const [name, value] of Object.entries(query)) parameters.set(name, String(value));
      return `http://127.0.0.1:${port}/${script}.html?${parameters.toString()}`;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
      rmSync(folder, { recursive: true });
    },
  };
}
