/** What domains of processes take, what they leave, and what happens where there is no more. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { listen } from "./holder-process.js";
import { ONCE } from "../once.js";

const PROGRAM = fileURLToPath(new URL("limits.js", import.meta.url));
const LIMITED = { ...ONCE, timeout: 120_000 };
/** Enough for Node.js, which opens many modules at once, and a small domain, and for little else. */
const FEW = 250;

const IS_NEWER = Number(process.versions.node.split(".")[0]) > 20;

/** What a case prints, in a process that may have so many descriptors. */
function commandOf(what: string, descriptors: number, place = "", before = ""): [string, string[]] {
  const node = `exec "${process.execPath}" --expose-gc "${PROGRAM}" ${what} ${place}`;
  return ["sh", ["-c", `ulimit -n ${descriptors}; ${before} ${node}`]];
}

/** @param before Commands of the shell that come before the program. */
function run(what: string, descriptors = 1_000, before = ""): unknown {
  const [command, options] = commandOf(what, descriptors, "", before);
  const { stdout, stderr, status } = spawnSync(command, options, {
    encoding: "utf8",
    timeout: 100_000,
    killSignal: "SIGKILL",
  });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  return JSON.parse(stdout);
}

test("an unused domain takes less than 2 MiB (layout.1)", LIMITED, (t) => {
  const mib = run("idle") as number;
  t.diagnostic(`${mib.toFixed(2)} MiB`);
  assert.ok(mib < 2, `${mib} MiB`);
});

// control-mapping.1
test("shared words are WebAssembly's, unless there are too few addresses or the environment says so", LIMITED, () => {
  const { whyAtomics, reserved, ...rest } = run("words", 1_000, "unset DMABUF_WORDS;") as Words;
  assert.deepEqual(rest, { words: "webassembly", processes: true, result: "signaled" });
  assert.equal(whyAtomics, "");
  assert.ok(reserved > 0, `${reserved} GiB`);
  for (const [before, why] of [
    ["ulimit -v 8000000; unset DMABUF_WORDS;", /ulimit -v/],
    ["export DMABUF_WORDS=atomics;", /DMABUF_WORDS=atomics/],
  ] as const) {
    const fallen = run("words", 1_000, before) as Words;
    // A newer engine takes fewer addresses where there are few.
    if (IS_NEWER && before.startsWith("ulimit") && fallen.words === "webassembly") continue;
    assert.match(fallen.whyAtomics, why);
    assert.deepEqual({ ...fallen, whyAtomics }, { ...rest, words: "atomics", whyAtomics, reserved: 0 });
  }
});

interface Words {
  readonly words: string;
  readonly whyAtomics: string;
  /** GiB of addresses. */
  readonly reserved: number;
}

// control-mapping.2
test("a thousand domains that were closed leave no mapping and no memory", LIMITED, (t) => {
  const { reserved, mib } = run("closings") as { reserved: number; mib: number };
  t.diagnostic(`${mib.toFixed(1)} MiB`);
  assert.ok(reserved <= 0, `${reserved} GiB`);
  assert.ok(mib < 32, `${mib} MiB`);
});

test("10,000 frames leave no descriptor, no mapping and nothing in the heap", LIMITED, () => {
  assert.deepEqual(run("frames"), { descriptors: 0, mappings: 0, heapMib: 0 });
});

// file-carrier.4
test(
  "the memory of a closed buffer is back when close() returns, whichever process has a descriptor of it",
  LIMITED,
  () => {
    const bytes = 16 << 20;
    assert.deepEqual(run("closed"), { before: bytes, mapped: bytes, after: 0, stillMapped: 0 });
  },
);

test("a view that was transferred away can be touched after the close", LIMITED, () => {
  const seen = run("stolen") as number[];
  assert.deepEqual(seen.slice(0, 2), [1, 1 << 20]);
  assert.ok(
    seen.slice(2).every((byte) => byte === 0),
    String(seen),
  );
});

test(
  "where there is no descriptor left, allocating and creating say EMFILE, and go on when there is one",
  LIMITED,
  () => {
    assert.deepEqual(run("descriptors", FEW), { code: "EMFILE", more: "EMFILE", some: true, left: 0 });
  },
);

test("a process that has no descriptor left cannot import, and can when it has one", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const buffer = domain.allocate(4096);
  const [command, options] = commandOf("received", FEW, place);
  const child = spawn(command, options, { stdio: ["ignore", "pipe", "ignore", "ipc"] });
  t.after(() => child.kill("SIGKILL"));
  const output = text(child.stdout!);
  await once(child, "message");
  child.send(buffer.handle());
  assert.deepEqual(JSON.parse(await output), { full: "EMFILE", code: "EMFILE", later: "none" });
});

test("a process that has too few descriptors cannot join, and keeps none", LIMITED, async (t) => {
  const { domain, place } = listen(t, { agents: 256 });
  const [command, options] = commandOf("join", FEW, place);
  const child = spawn(command, options, { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => child.kill("SIGKILL"));
  assert.deepEqual(JSON.parse(await text(child.stdout)), { code: "EMFILE", left: 0 });
  assert.deepEqual(domain.agents, ["here"]);
});

test("a full table is an error that names the option, and is no longer full when something is closed", LIMITED, (t) => {
  const { domain } = listen(t, { agents: 2, buffers: 3, timelines: 2, streams: 1 });
  const buffers = [1, 2, 3].map(() => domain.allocate(4096));
  assert.throws(() => domain.allocate(4096), { code: "ENOSPC", message: /option "buffers"/ });
  buffers[0]!.close();
  domain.allocate(4096).close();
  const invited = domain.invite();
  assert.throws(() => domain.invite(), { code: "ENOSPC", message: /option "agents"/ });
  invited.port.close();
  const timelines = [1, 2].map(() => domain.createTimeline());
  assert.throws(() => domain.createTimeline(), { code: "ENOSPC", message: /option "timelines"/ });
  timelines[0]!.close();
  domain.createTimeline();
});
