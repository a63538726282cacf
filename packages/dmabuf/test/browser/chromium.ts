import { existsSync } from "node:fs";
import type { Browser } from "playwright-core";
import { chromium } from "playwright-core";
import type { Report, TestReport } from "./report.js";

/** Where a suite runs: a page may not block its thread, a worker may. */
export type Realm = "page" | "worker";

/** Chromium's executable: `DMABUF_CHROMIUM`, else where Debian puts it. */
export const EXECUTABLE = process.env["DMABUF_CHROMIUM"] ?? "/usr/bin/chromium";

/** How long a suite may take, in milliseconds. */
const TIMEOUT = 120_000;

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function hasChromium(): boolean {
  return existsSync(EXECUTABLE);
}

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
}

/**
 * Runs one suite in a page of its own.
 *
 * @param suite The compiled file, relative to the project.
 * @returns Each test's end.
 * @throws {Error} when the suite did not load or did not end, when it has no test, or when something failed
 *   outside of its tests.
 */
export async function runSuite(browser: Browser, origin: string, suite: string, realm: Realm): Promise<TestReport[]> {
  const page = await browser.newPage();
  try {
    const tests: TestReport[] = [];
    const { end, receive, refuse } = expectEnd(`Cannot run ${suite} in a ${realm}`, tests);
    page.on("pageerror", (error) => refuse(error.stack ?? error.message));
    page.on("crash", () => refuse("the page crashed"));
    await page.exposeFunction("report", receive);
    const query = new URLSearchParams({ suite: `/${suite}`, realm });
    await Promise.all([end, page.goto(`${origin}/?${query.toString()}`)]);
    return tests;
  } finally {
    await page.close();
  }
}

/** Collects the reports of tests in `tests` until the end comes, the suite is refused or the time is over. */
function expectEnd(action: string, tests: TestReport[]) {
  let receive!: (report: Report) => void;
  let refuse!: (reason: string) => void;
  const end = new Promise<void>((resolve, reject) => {
    refuse = (reason) => reject(new Error(`${action}: ${reason}`));
    receive = (report) => {
      if (report.type === "test") tests.push(report);
      else if (report.type === "broken") refuse(report.error);
      else if (tests.length === 0) refuse("it has no test");
      else resolve();
    };
  });
  const watchdog = setTimeout(() => refuse(`no end within ${TIMEOUT / 1000} s, after ${tests.length} tests`), TIMEOUT);
  return { end: end.finally(() => clearTimeout(watchdog)), receive, refuse };
}
