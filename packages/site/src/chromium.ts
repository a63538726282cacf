import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";

/** Chromium's executable: `DMABUF_CHROMIUM`, else where Debian puts it. */
const EXECUTABLE = process.env["DMABUF_CHROMIUM"] ?? "/usr/bin/chromium";

/** Why there is no browser, if there is none. */
export const NO_CHROMIUM: string | undefined = existsSync(EXECUTABLE) ? undefined : `no Chromium at ${EXECUTABLE}`;

/** Starts the browser. It asks nothing of the network by itself. */
export function launch(): Promise<Browser> {
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
  return chromium.launch({ executablePath: EXECUTABLE, args: ["--no-sandbox", "--disable-gpu", ...quiet] });
}
