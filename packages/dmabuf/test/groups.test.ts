/** `scripts/test.mjs`: what it does with groups of which some fail, in a small workspace. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

const SCRIPTS = join(import.meta.dirname, "../../../../scripts");
const LIMITED = { timeout: 90_000 };

const PASSES = 'import { test } from "node:test"; test("this one passes", () => {});';
const FAILS = 'import { test } from "node:test"; test("this one fails", () => { throw new Error("on purpose"); });';
/** What the tests of several engines have in common is declared by another module. */
const DECLARES = `
  import { existsSync, writeFileSync } from "node:fs";
  import { test } from "node:test";
  export const declare = () => test("this one fails once", () => {
    const isSecond = existsSync("ran");
    writeFileSync("ran", "");
    if (!isSecond) throw new Error("at first");
  });`;
const FAILS_ONCE = `
  import { describe } from "node:test";
  import { declare } from "./declared.js";
  describe("an engine", declare);`;
/** A test whose time is over, and whose thread keeps the process alive. */
const STAYS = `
  import { test } from "node:test";
  import { Worker } from "node:worker_threads";
  test("this one hangs", { timeout: 100 }, async () => {
    new Worker("setInterval(() => {}, 1000)", { eval: true });
    await new Promise(() => {});
  });`;

test("a group that fails does not keep the next one from running, and the end says which it was", LIMITED, (t) => {
  const { status, said } = run(t, ["fuzz", "conformance"], {
    "test/fuzz/a.test.ts": FAILS,
    "test/conformance/b.test.ts": PASSES,
  });
  assert.equal(status, 1);
  assert.match(said, /✔ this one passes/);
  assert.match(said, /✔ this one passes.*\nfuzz:\n✖ .*a\.test\.js: this one fails\n +Error: on purpose\n/s);
  assert.match(said, /\nfuzz +1 file +\d+ s {2}FAILED\nconformance +1 file +\d+ s {2}ok\n$/);
});

test("groups that pass are a success", LIMITED, (t) => {
  const passing = { "test/fuzz/a.test.ts": PASSES, "test/conformance/b.test.ts": PASSES };
  const { status, said } = run(t, ["fuzz", "conformance"], passing);
  assert.equal(status, 0, said);
  assert.match(said, /\nfuzz .* ok\nconformance .* ok\n$/);
});

test(
  "of groups that wait for browsers, a file that fails runs once more, and its failure is told all the same",
  LIMITED,
  (t) => {
    const { status, said } = run(t, ["browser"], {
      "test/browser/a.test.ts": FAILS_ONCE,
      "test/browser/declared.ts": DECLARES,
      "test/browser/b.test.ts": PASSES,
    });
    assert.equal(status, 0, said);
    assert.match(said, /\nbrowser: once more: \S+\/a\.test\.js\n/);
    assert.match(said, /\nbrowser:\n✖ .*declared\.js: an engine > this one fails once\n +Error: at first\n/);
    assert.match(said, /\nbrowser +2 files +\d+ s {2}ok at the second try\n$/);
    const again = run(t, ["browser"], { "test/browser/a.test.ts": FAILS });
    assert.equal(again.status, 1);
    assert.equal(again.said.match(/\nbrowser:\n✖/g)?.length, 2, again.said);
    assert.match(again.said, /\nbrowser +1 file +\d+ s {2}FAILED\n$/);
  },
);

test("all groups run unless some are named, and a group without a test is an error", LIMITED, (t) => {
  const { status, said } = run(t, [], { "test/fuzz/a.test.ts": PASSES });
  assert.deepEqual([status, said], [1, "test: Group unit selects no file\n"]);
});

test("a file ends when its tests are over, whatever one of them has left running", LIMITED, (t) => {
  const { status, said } = run(t, ["fuzz", "conformance"], {
    "test/fuzz/a.test.ts": STAYS,
    "test/conformance/b.test.ts": PASSES,
  });
  assert.equal(status, 1);
  assert.match(said, /timed out after 100ms/);
  assert.match(said, /All tests of this file are over, and it does not end/);
  assert.match(said, /fuzz .*FAILED\nconformance .*ok/);
});

test("a test that is in no group, or that is not compiled, is an error", LIMITED, (t) => {
  const stray = run(t, ["fuzz"], { "test/fuzz/a.test.ts": PASSES, "nowhere/b.test.ts": PASSES });
  assert.deepEqual([stray.status, /In no group: .*b\.test\.ts/.test(stray.said)], [1, true], stray.said);
  const unbuilt = run(t, ["fuzz"], { "test/fuzz/a.test.ts": "" });
  assert.deepEqual([unbuilt.status, /Not compiled: .*a\.test\.js/.test(unbuilt.said)], [1, true], unbuilt.said);
});

/** Runs groups in a workspace with some files of tests; one without text is not compiled. */
function run(
  t: { after(cleanUp: () => void): void },
  groups: readonly string[],
  tests: Record<string, string>,
): { status: number | null; said: string } {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-groups-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  write("package.json", JSON.stringify({ type: "module" }));
  for (const name of ["test.mjs", "test-end.mjs", "test-failures.mjs"])
    cpSync(join(SCRIPTS, name), join(folder, "scripts", name));
  for (const [path, text] of Object.entries(tests)) {
    write(join("packages/dmabuf", path), "");
    if (text !== "") write(join("packages/dmabuf/dist", path.replace(/\.ts$/, ".js")), text);
  }
  const env: Record<string, string | undefined> = { ...process.env, DMABUF_TEST_END: "1" };
  // A run that is inside another one reports to that.
  delete env["NODE_TEST_CONTEXT"];
  const options = { cwd: folder, env, encoding: "utf8", timeout: 60_000, killSignal: "SIGKILL" } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/test.mjs", ...groups], options);
  return { status, said: stdout + stderr };
}
