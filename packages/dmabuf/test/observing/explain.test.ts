/** Why something waits is told through all processes, to the one at the root, although they are blocked or stopped. */
import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { DmaBuf, DmaBufError } from "../../src/index.js";
import type { ProcessDomain } from "../../src/node/index.js";
import { until } from "../agents.js";
import type { Detection } from "./detector.js";
import { listen } from "../process/holder-process.js";

const LIMITED = { timeout: 120_000 };
const PROGRAM = fileURLToPath(new URL("detector.js", import.meta.url));

async function start(t: TestContext, place: string, name: string, given: Detection): Promise<ChildProcess> {
  const child = fork(PROGRAM, [place, name], { env: { ...process.env, DMABUF_DEBUG: "1" } });
  t.after(() => child.kill("SIGKILL"));
  await once(child, "message");
  child.send(given);
  await once(child, "message");
  return child;
}

/** A process that holds "frame" and waits for "mask", which another one holds. */
async function chain(t: TestContext, blocks: boolean): Promise<Chain> {
  const { domain, place } = listen(t);
  const [frame, mask] = ["frame", "mask"].map((name) => domain.allocate(4096, { name })) as [DmaBuf, DmaBuf];
  const root = await start(t, place, "detector", { held: mask.handle() });
  const middle = await start(t, place, "mixer", { held: frame.handle(), awaited: mask.handle(), blocks });
  await until(() => domain.explain(frame).sentence.split(" for ").length > 3);
  return { domain, frame, mask, root, middle };
}

interface Chain {
  readonly domain: ProcessDomain;
  readonly frame: DmaBuf;
  readonly mask: DmaBuf;
  readonly root: ChildProcess;
  readonly middle: ChildProcess;
}

function state(child: ChildProcess): string {
  return readFileSync(`/proc/${child.pid}/stat`, "latin1").replace(/^.*\) /s, "")[0]!;
}

const TIME = String.raw`for \d+(?:\.\d)? s`;

for (const blocks of [true, false]) {
  const how = blocks ? "a blocked" : "a waiting";
  test(`over ${how} process to the one that holds it, with the line in its program`, LIMITED, async (t) => {
    const { domain, frame, mask, root, middle } = await chain(t, blocks);
    const error = await frame.access("read", { timeout: 200 }).then(
      () => assert.fail("it is held"),
      (error: DmaBufError) => error,
    );
    const explanation = error.explanation!;
    const held = String.raw`taken at detector\.js:\d+`;
    const waits = String.raw`waits to read buffer "mask" ${TIME} at detector\.js:\d+`;
    const said = new RegExp(
      `^process ${middle.pid} \\("mixer"\\) holds a write access of buffer "frame" ${TIME}, ${held}, and ${waits}; ` +
        `process ${root.pid} \\("detector"\\) holds a write access of buffer "mask" ${TIME}, ${held}, ` +
        "and waits for nothing in this domain$",
    );
    assert.match(explanation.sentence, said);
    assert.equal(explanation.root?.process, root.pid);
    const [thing] = explanation.toJSON().things;
    assert.equal(thing!.heldUpBy[0]!.waitsFor[0]!.blocks, blocks);
    // A dead one is in no one's way.
    root.kill("SIGKILL");
    await until(() => domain.explain(mask).root?.name !== "detector");
  });
}

test("a process that is stopped is named so, also one that has told nothing", LIMITED, async (t) => {
  const { domain, frame, root } = await chain(t, true);
  root.kill("SIGSTOP");
  await until(() => state(root) === "T");
  const explanation = domain.explain(frame);
  assert.match(
    explanation.sentence,
    new RegExp(`process ${root.pid} \\("detector"\\), which is stopped, holds a write access of buffer "mask"`),
  );
  assert.equal(explanation.root?.state, "stopped");
  root.kill("SIGCONT");
  await until(() => domain.explain(frame).root?.state === "live");
});
