/** The neutral suites in a real Chromium, on a cross-origin-isolated page: once in the page, once in a worker. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { bundleAssert } from "./bundle.js";
import { EXECUTABLE, hasChromium, launch, runSuite } from "./chromium.js";
import type { TestReport } from "./report.js";
import type { Server } from "./server.js";
import { NOT_ISOLATED, serve } from "./server.js";
import { findSuites } from "./suites.js";

const ROOT = join(import.meta.dirname, "../../..");
const FIXTURES = "dist/test/browser/fixtures";

// Where everything is tested a missing browser is a failure, elsewhere a reason to skip.
const skip = hasChromium() || process.env["CI"] === "true" ? false : `no Chromium at ${EXECUTABLE}`;

let browser: Browser;
let server: Server;

if (skip === false) {
  before(async () => {
    await bundleAssert(ROOT);
    server = await serve(ROOT);
    browser = await launch();
  });
  after(async () => {
    await browser.close();
    await server[Symbol.asyncDispose]();
  });
}

test("the page and its workers are cross-origin isolated", { skip }, async () => {
  const page = await browser.newPage();
  await page.goto(server.origin);
  const isolated = await page.evaluate("crossOriginIsolated && new SharedArrayBuffer(4).byteLength === 4");
  await page.close();
  assert.equal(isolated, true);
});

test("a page that is not cross-origin isolated is told which headers it needs, in both entries", { skip }, async () => {
  const page = await browser.newPage();
  await page.goto(server.origin + NOT_ISOLATED);
  const says = (call: string): Promise<string> => page.evaluate<string>(`(${call}).catch(({ message }) => message)`);
  for (const entry of ["index", "streams"]) {
    for (const call of ["create()", "join({})"]) {
      const message = await says(`import("/dist/src/${entry}.js").then(({ Domain }) => void Domain.${call})`);
      assert.match(message, /^EOPNOTSUPP: .*"Cross-Origin-Opener-Policy: same-origin"/);
      assert.match(message, /"Cross-Origin-Embedder-Policy: require-corp"/);
    }
  }
  await page.close();
});

test("a failing, a skipped and a passing test of a suite are told apart, in both realms", { skip }, async () => {
  for (const realm of ["page", "worker"] as const) {
    const tests = await runSuite(browser, server.origin, `${FIXTURES}/mixed.js`, realm);
    const states = tests.map(({ title, state }) => `${state}: ${title}`);
    assert.deepEqual(states, [
      "passed: passes",
      "passed: in a group passes after its hook",
      "failed: in a group fails",
      "failed: in a group fails later",
      "failed: in a group fails in a subtest",
      "failed: in a group takes too long",
      "failed: in a group throws outside",
      "skipped: in a group is skipped by option",
      "skipped: in a group is skipped by itself",
    ]);
    const errors = tests.flatMap((result) => (result.state === "failed" ? [result.error] : []));
    const expected = [/1 !== 2|Expected values/, /rejected/, /inner: .*deep/s, /Timeout of 50ms/, /thrown by a timer/];
    expected.forEach((pattern, index) => assert.match(errors[index] ?? "", pattern));
  }
});

test("a suite without a test, one that does not load, and an unheard rejection are failures", { skip }, async () => {
  for (const realm of ["page", "worker"] as const) {
    const run = (suite: string): Promise<unknown> => runSuite(browser, server.origin, `${FIXTURES}/${suite}`, realm);
    await assert.rejects(run("empty.js"), /it has no test/);
    await assert.rejects(run("absent.js"), /absent\.js/);
    await assert.rejects(run("unheard.js"), /no handler takes this/);
  }
});

test("the neutral suites pass in Chromium", { skip }, async (t) => {
  const { found, skipped } = findSuites(ROOT);
  assert.notEqual(found.length, 0);
  for (const { file, reason } of skipped) t.diagnostic(`not for browsers: ${file}: ${reason}`);
  for (const suite of found) {
    for (const realm of ["page", "worker"] as const) {
      await t.test(`${suite} in a ${realm}`, async (t) => {
        for (const result of await runSuite(browser, server.origin, suite, realm)) {
          await t.test(result.title, { skip: result.state === "skipped" }, () => mustHavePassed(result));
        }
      });
    }
  }
});

/** Fails with what the browser said, without a trace of this side. */
function mustHavePassed(result: TestReport): void {
  if (result.state !== "failed") return;
  const error = new Error(result.error);
  error.stack = result.error;
  throw error;
}
