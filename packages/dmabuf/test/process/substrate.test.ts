import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { ProcessSubstrate } from "../../src/node/waiting/process-substrate.js";
import { processSegment, type ProcessSegment } from "../process-segment.js";

// The words of substrate-party.ts, which runs when it is imported.
const AT = { UP: 4, SLICES: 5, TURN: 6, ROUNDS: 7, DONE: 12 };
const PLAN = { words: 16, slots: 4 };
const program = fileURLToPath(new URL("./substrate-party.js", import.meta.url));
const PATIENT = { timeout: 60_000 };

test("another process wakes a thread that blocks, and counts it (process-substrate.3)", PATIENT, async (t) => {
  const segment = processSegment(PLAN);
  const child = startProcess(segment, "ringer");
  t.after(() => child.kill("SIGKILL"));
  await until(segment.memory, AT.UP);
  while (segment.memory.load(0) === 0) segment.memory.park(0, 0, Infinity);
  assert.equal(segment.memory.load(0), 1);
  await once(child, "exit");
  assert.equal(segment.memory.load(AT.DONE), 1);
});

test("another process wakes an event loop, and counts all that sleeps there", PATIENT, async (t) => {
  const { memory, ...rest } = processSegment(PLAN);
  const child = startProcess({ memory, ...rest }, "ringer");
  t.after(() => child.kill("SIGKILL"));
  const keepAlive = setInterval(() => {}, 1_000);
  await Promise.all([memory.parkAsync(0, 0), memory.parkAsync(0, 0)]);
  clearInterval(keepAlive);
  assert.equal(memory.load(0), 1);
  await once(child, "exit");
  assert.equal(memory.load(AT.DONE), 2);
});

test("this process wakes the sleepers of another one, blocked or not, and no others", PATIENT, async (t) => {
  for (const [role, count] of [
    ["sleeper", 1],
    ["asynchronousSleeper", 3],
  ] as const) {
    const { memory, child } = await sleeping(t, role);
    assert.equal(memory.wake(0), 0);
    assert.equal(memory.load(AT.DONE), 0);
    memory.add(1, 1);
    const woken = memory.wake(1);
    assert.ok(woken === count || role === "sleeper", `${woken} of ${count}: a blocked one may be between two slices`);
    await once(child, "exit");
    assert.equal(memory.load(AT.DONE), 1);
  }
});

test(
  "no wake-up is lost in 30,000 rounds between processes that block and return to their event loops (substrate.2)",
  PATIENT,
  async (t) => {
    const segment = processSegment(PLAN);
    const { memory } = segment;
    const rounds = 30_000;
    memory.store(AT.ROUNDS, rounds);
    const child = startProcess(segment, "echo");
    t.after(() => child.kill("SIGKILL"));
    const keepAlive = setInterval(() => {}, 1_000);
    for (let round = 0; round < rounds; round++) {
      for (;;) {
        const rung = memory.load(0);
        if (memory.load(AT.TURN) === 2 * round) break;
        // A wake-up that were lost would show as a park that runs into its limit.
        if (round % 2 === 0) assert.notEqual(memory.park(0, rung, 20_000), "timed-out");
        else await memory.parkAsync(0, rung);
      }
      memory.add(AT.TURN, 1);
      memory.add(1, 1);
      memory.wake(1);
    }
    clearInterval(keepAlive);
    assert.deepEqual(await once(child, "exit"), [0, null]);
  },
);

for (const role of ["asynchronousSleeper", "sleeper"]) {
  test(
    `a process that was killed as ${role} holds up no other, and its place can be slept at again`,
    PATIENT,
    async (t) => {
      const { memory, child } = await sleeping(t, role);
      child.kill("SIGKILL");
      await once(child, "exit");
      // More bytes than a pipe takes: no process reads them.
      for (let i = 0; i < 70_000; i++) memory.wake(1);
      const next = memory.parkAsync(1, 0);
      memory.add(1, 1);
      assert.equal(memory.wake(1), 1);
      const keepAlive = setInterval(() => {}, 1_000);
      await next;
      clearInterval(keepAlive);
    },
  );
}

// process-substrate.1
test("terminate() ends a worker that blocks before its second slice from then on", PATIENT, async () => {
  const segment = processSegment(PLAN);
  const { memory, fd, pipes } = segment;
  const worker = new Worker(program, { workerData: { role: "sleeper", fd, pipes } });
  await until(memory, AT.SLICES);
  const ended = worker.terminate();
  const slices = memory.load(AT.SLICES);
  await ended;
  assert.ok(memory.load(AT.SLICES) <= slices + 1);
  assert.equal(memory.load(AT.DONE), 0);
});

test("workers that are terminated while they sleep in their event loops leave no descriptor", PATIENT, async () => {
  const { memory, fd, pipes } = processSegment(PLAN);
  const before = readdirSync("/proc/self/fd").length;
  for (let i = 0; i < 10; i++) {
    memory.store(AT.UP, 0);
    const worker = new Worker(program, { workerData: { role: "asynchronousSleeper", fd, pipes } });
    await until(memory, AT.UP);
    await worker.terminate();
  }
  assert.equal(readdirSync("/proc/self/fd").length, before);
});

test("process.exit() ends a process whose worker blocks", PATIENT, () => {
  const script = `
    const { Worker } = require("node:worker_threads");
    import(process.argv[1]).then(({ processSegment }) => {
      const { memory, fd, pipes } = processSegment({ words: 16, slots: 4 });
      new Worker(process.argv[2], { workerData: { role: "sleeper", fd, pipes } });
      setInterval(() => { if (memory.load(${AT.SLICES}) > 0) process.exit(7); }, 10);
    });`;
  const segmentModule = new URL("../process-segment.js", import.meta.url).href;
  const options = { timeout: 30_000, killSignal: "SIGKILL" } as const;
  const { status } = spawnSync(process.execPath, ["-e", script, segmentModule, program], options);
  assert.equal(status, 7);
});

test("a park with a limit ends after it, through several slices", PATIENT, () => {
  let slices = 0;
  const { memory } = processSegment({ ...PLAN, onSlice: () => (slices += 1) });
  const start = performance.now();
  assert.equal(memory.park(0, 0, 130), "timed-out");
  assert.ok(performance.now() - start >= 129);
  assert.ok(slices >= 1);
});

test("what is rung between two slices is not slept through", PATIENT, () => {
  const segment = processSegment({
    ...PLAN,
    onSlice: () => {
      segment.memory.add(0, 1);
      segment.memory.wake(0);
    },
  });
  assert.equal(segment.memory.park(0, 0, Infinity), "not-equal");
});

test("a word that is no doorbell cannot be slept at from an event loop (process-substrate.2)", PATIENT, () => {
  const { memory } = processSegment(PLAN);
  assert.throws(() => memory.parkAsync(5, 0), RangeError);
});

test("closing lets the sleepers of this thread go", PATIENT, async () => {
  const { memory } = processSegment(PLAN);
  const sleep = memory.parkAsync(2, 0);
  memory.close();
  await sleep;
});

/** A process that sleeps at doorbell 1, and its memory. */
async function sleeping(t: TestContext, role: string): Promise<{ memory: ProcessSubstrate; child: ChildProcess }> {
  const segment = processSegment(PLAN);
  const child = startProcess(segment, role);
  t.after(() => child.kill("SIGKILL"));
  await until(segment.memory, AT.UP);
  await delay(20);
  return { memory: segment.memory, child };
}

function startProcess({ fd, pipes }: ProcessSegment, role: string): ChildProcess {
  return spawn(process.execPath, [program, role], { stdio: ["ignore", "inherit", "inherit", fd, ...pipes] });
}

async function until(memory: ProcessSubstrate, word: number): Promise<void> {
  while (memory.load(word) === 0) await delay(2);
}
