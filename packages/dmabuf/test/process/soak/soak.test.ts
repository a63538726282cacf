/**
 * A minute of the soak, and each of its rules tripped by a fault that is planted. The long one is `npm run soak`.
 *
 * Environment: DMABUF_SEED (random, printed); DMABUF_WORDS=atomics leaves the planted faults out.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { IS_ON_ATOMICS } from "../../once.js";
import type { SoakFault } from "./soak.js";

const SEED = Number(process.env["DMABUF_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const LIMIT = { timeout: 280_000 };
const MAIN = fileURLToPath(new URL("main.js", import.meta.url));

/** The command line, in a process of its own. */
function soak(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    timeout: 270_000,
  });
  return { status, output: `${stdout}${stderr}` };
}

// file-carrier.3
test("nothing grows, and nothing hangs, whatever is done again and again", LIMIT, (t) => {
  const { status, output } = soak("--minutes", "1", "--seed", String(SEED));
  t.diagnostic(output);
  assert.equal(status, 0, output);
  assert.match(output, /[1-9]\d* rounds of the first process; [1-9]\d* workers terminated, [1-9]\d* processes killed/);
});

const TRIPPED: Record<SoakFault, RegExp> = {
  still: /does not get on with/,
  descriptor: /descriptors here: .*, then \d+ × \/dev\/zero/,
  slot: /slots:/,
  heap: /heap here: \d+ bytes in \d+ rounds/,
};

// What these try is the run itself: once is enough, on whichever words its agents work.
const PLANTED = IS_ON_ATOMICS ? [] : (Object.entries(TRIPPED) as [SoakFault, RegExp][]);

for (const [fault, found] of PLANTED) {
  test(`a soak finds the fault that is planted: ${fault}`, LIMIT, () => {
    const { status, output } = soak("--seconds", "10", "--seed", "3", "--fault", fault);
    assert.equal(status, 1, output);
    assert.match(output, found);
  });
}
