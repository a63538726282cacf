import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/**
 * Bytes of gzip that an entry may take in the bundle of a page; `adapter` is what one of `dmabuf/web` adds to `dmabuf`, and `web` all
 * together. The goals are 22 KiB for `dmabuf/streams` and 4 KiB for `dmabuf/web`.
 */
export const MOST = { streams: 39_600, dmabuf: 124_000, adapter: 1_880, web: 7_820 };

/** A module as a page's bundle of it. @param resolveDir Where its imports begin. */
export async function bundle(code: string, resolveDir: string): Promise<string> {
  const result = await build({
    stdin: { contents: code, resolveDir },
    ...{ bundle: true, minify: true, write: false, format: "esm", platform: "browser", target: "es2022" },
    logLevel: "error",
  });
  return result.outputFiles[0]!.text;
}

/** Bytes of a text after `gzip -9`. */
export function zipped(text: string): number {
  return gzipSync(text, { level: 9 }).length;
}
