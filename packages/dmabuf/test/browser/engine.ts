/** The neutral suites in one engine, on cross-origin-isolated pages: in a page and in a worker. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { after, before, describe, test } from "node:test";
import type { Engine, EngineName, EnginePage } from "dmabuf-browsers";
import { launch, missing } from "dmabuf-browsers";
import { factOf, runsIn } from "./facts.js";
import type { TestReport } from "./report.js";
import type { Realm } from "./run.js";
import { REALMS, SuiteRunner } from "./run.js";
import type { Server } from "./server.js";
import { NO_WEBASSEMBLY, NOT_ISOLATED, serve } from "./server.js";
import { findSuites } from "./suites.js";

const ROOT = join(import.meta.dirname, "../../..");
const FIXTURES = "dist/test/browser/fixtures";

/** Declares the tests of one engine. */
export function testEngine(name: EngineName): void {
  const { found, skipped } = findSuites(ROOT);
  describe("on cross-origin isolated pages", { skip: missing(name) ?? false }, () => {
    let engine: Engine;
    let server: Server;
    before(async () => {
      server = await serve(ROOT);
      engine = await launch(name, { gpu: true, audio: true, camera: true });
    });
    after(async () => {
      await engine.close();
      await server[Symbol.asyncDispose]();
    });

    test("the page is cross-origin isolated", async () => {
      await using page = await opened(engine, server.origin);
      assert.equal(await page.evaluate("crossOriginIsolated && new SharedArrayBuffer(4).byteLength"), 4);
    });

    // WebKitGTK has shared memory only when it is asked to by a variable, and then everywhere.
    const everywhere = name === "webkit" && "this WebKit has shared memory in all pages";
    const title = "a page that is not cross-origin isolated is told which headers it needs, in both entries";
    test(title, { skip: everywhere }, async () => {
      await using page = await opened(engine, server.origin + NOT_ISOLATED);
      for (const entry of ["index", "streams"]) {
        for (const call of ["create()", "join({})"]) {
          const work = `import("/dist/src/${entry}.js").then(({ Domain }) => void Domain.${call})`;
          const message = await page.evaluate<string>(`${work}.catch(({ message }) => message)`);
          assert.match(message, /^EOPNOTSUPP: .*"Cross-Origin-Opener-Policy: same-origin"/);
          assert.match(message, /"Cross-Origin-Embedder-Policy: require-corp"/);
        }
      }
    });

    test("where the policy of a page forbids WebAssembly, dmabuf does without, and dmabuf/streams says so", async () => {
      await using page = await opened(engine, server.origin + NO_WEBASSEMBLY);
      const create = (entry: string): Promise<string> =>
        page.evaluate<string>(
          `import("/dist/src/${entry}.js").then(({ Domain }) => Domain.create().agents[0]).catch(({ message }) => message)`,
        );
      assert.equal(await create("index"), "main");
      const said = /^EOPNOTSUPP: .*'wasm-unsafe-eval' .* The Domain of "dmabuf" does without it$/;
      assert.match(await create("streams"), said);
    });

    // Tests wait for most of their time.
    describe("suites", { concurrency: REALMS.length }, () => {
      for (const realm of REALMS) {
        test(`in a ${realm}`, async (t) => {
          await using runner = new SuiteRunner(engine, server.origin, realm);
          await tellsApart(t, runner);
          if (realm === "page")
            for (const { file, reason } of skipped) t.diagnostic(`not for pages: ${file}: ${reason}`);
          assert.notEqual(found.length, 0);
          for (const suite of found.filter((suite) => runsIn(name, realm, suite)))
            await runSuite(t, runner, suite, name, realm);
        });
      }
    });
  });
}

/** The page, which ends with its scope. */
async function opened(engine: Engine, url: string): Promise<EnginePage & AsyncDisposable> {
  const page = await engine.open();
  await page.goto(url);
  return Object.assign(page, { [Symbol.asyncDispose]: () => page.close() });
}

async function runSuite(t: TestContext, runner: SuiteRunner, suite: string, engine: EngineName, realm: Realm) {
  await t.test(`${suite} in a ${realm}`, async (t) => {
    for (const result of await runner.run(suite)) {
      const fact = factOf(engine, suite, result.title);
      const skip = result.state === "skipped" ? result.reason || true : result.state === "failed" && fact?.reason;
      await t.test(result.title, { skip: skip ?? false }, () => {
        mustHavePassed(result);
        if (result.state === "passed" && fact !== undefined && fact.isChance !== true) {
          throw new Error(`It passes now, and facts.ts says why it does not: ${fact.reason}`);
        }
      });
    }
  });
}

/** The realm itself is put to the test. */
async function tellsApart(t: TestContext, runner: SuiteRunner): Promise<void> {
  await t.test("a failing, a skipped and a passing test of a suite are told apart", async () => {
    const tests = await runner.run(`${FIXTURES}/mixed.js`);
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
    const reasons = tests.flatMap((result) => (result.state === "skipped" ? [result.reason] : []));
    assert.deepEqual(reasons, ["for a reason", "there is another one"]);
  });
  await t.test("a suite without a test, one that does not load, and an unheard rejection are failures", async () => {
    await assert.rejects(runner.run(`${FIXTURES}/empty.js`), /it has no test/);
    await assert.rejects(runner.run(`${FIXTURES}/absent.js`), /absent\.js/);
    await assert.rejects(runner.run(`${FIXTURES}/unheard.js`), /no handler takes this/);
  });
}

/** Fails with what the browser said, without a trace of this side. */
function mustHavePassed(result: TestReport): void {
  if (result.state !== "failed") return;
  const error = new Error(result.error);
  error.stack = result.error;
  throw error;
}
