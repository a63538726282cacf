import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { processHost } from "./host.js";

const module = new URL("./host.js", import.meta.url).href;
const script = `import(process.argv[1]).then(({ processHost }) => {
  console.log(JSON.stringify([processHost().nowNs(), processHost().spinNs]));
});`;

test("processes share the clock", { timeout: 30_000 }, () => {
  const before = processHost().nowNs();
  const [there] = child([process.execPath]);
  const after = processHost().nowNs();
  assert.ok(before < there && there < after, `${before} < ${there} < ${after}`);
});

test("a process that may use one processor only does not spin, unless it is told to", { timeout: 30_000 }, () => {
  const [, spinNs] = child(["taskset", "-c", "0", process.execPath]);
  assert.equal(spinNs, 0);
  assert.equal(processHost(2).spinNs, 2e6);
});

test("every thread may block", () => {
  assert.equal(processHost().mayBlock, true);
});

function child([command, ...rest]: string[]): [nowNs: number, spinNs: number] {
  const output = execFileSync(command!, [...rest, "-e", script, module], { encoding: "utf8", timeout: 20_000 });
  return JSON.parse(output) as [number, number];
}
