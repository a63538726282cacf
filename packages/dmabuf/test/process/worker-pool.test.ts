/** Jobs of queues in worker threads and processes, which fail, hang and die. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { execPath, pid } from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { threadId } from "node:worker_threads";
import { Domain, type DmaBuf, type Queue } from "../../src/index.js";
import { ProcessDomain, WorkerPool, type WorkerPoolOptions } from "../../src/node/index.js";
import { pause, until } from "../agents.js";
import type { PoolJob } from "./pool-jobs.js";
import { ONCE } from "../once.js";

const LIMITED = { ...ONCE, timeout: 60_000 };
const JOBS = new URL("pool-jobs.js", import.meta.url);
const SIZES = { agents: 8, name: "here" };

/** Where the jobs run. */
interface Place {
  readonly name: string;
  readonly kind: "threads" | "processes";
  readonly create: () => Domain | ProcessDomain;
}

const PLACES: readonly Place[] = [
  { name: "threads of a domain of threads", kind: "threads", create: () => Domain.create(SIZES) },
  { name: "threads of a domain of processes", kind: "threads", create: () => ProcessDomain.create(SIZES) },
  { name: "processes", kind: "processes", create: () => ProcessDomain.create(SIZES) },
];

/** A pool of one worker, and a buffer. */
function setUp(t: TestContext, { kind, create }: Place, options: WorkerPoolOptions = {}, module: URL | string = JOBS) {
  const warnings: string[] = [];
  t.mock.method(process, "emitWarning", (warning: string) => warnings.push(warning));
  const domain = create();
  const pool = WorkerPool.create<PoolJob>(domain, module, { name: "workers", size: 1, kind, ...options });
  t.after(async () => {
    pool.close();
    await until(() => domain.agents.length === 1);
    domain.close();
  });
  const queue = pool.createQueue();
  const buffer = domain.allocate(4096, { name: "buffer" });
  return { domain, pool, queue, buffer, warnings };
}

async function does(queue: Queue<PoolJob>, data: PoolJob, buffer: DmaBuf): Promise<void> {
  await (await queue.submit({ data, writes: [buffer] })).result({ timeout: 30_000 });
}

/** The first bytes of a buffer. */
async function bytesOf(buffer: DmaBuf, count = 1): Promise<number[]> {
  using access = await buffer.access("read", { timeout: 10_000 });
  return [...access.bytes.subarray(0, count)];
}

/** Who has run a job. */
async function signature(queue: Queue<PoolJob>, buffer: DmaBuf): Promise<string> {
  await does(queue, "sign", buffer);
  using access = await buffer.access("read");
  return new Int32Array(access.bytes.buffer, access.bytes.byteOffset, 2).join();
}

for (const [at, place] of PLACES.entries()) {
  test(
    `jobs run in ${place.name} on the buffers themselves, in the order that the buffers give`,
    LIMITED,
    async (t) => {
      const { domain, queue, buffer, warnings } = setUp(t, place);
      const other = domain.allocate(4096);
      for (let i = 0; i < 5; i++) {
        await queue.submit({ data: "add", writes: [buffer] });
        await queue.submit({ data: "add", reads: [buffer], writes: [other] });
      }
      assert.deepEqual([await bytesOf(buffer), await bytesOf(other)], [[5], [6]]);
      await (await queue.submit({ data: "look", reads: [other], writes: [buffer] })).result();
      // Pending, given to the executor, and what it takes.
      assert.deepEqual(await bytesOf(buffer, 5), [0, 1, 1, 1, 1]);
      const [process, thread] = (await signature(queue, buffer)).split(",").map(Number);
      assert.deepEqual([process === pid, thread === threadId], [place.kind === "threads", place.kind === "processes"]);
      assert.deepEqual(domain.agents, ["here", "workers"]);
      assert.deepEqual(warnings, []);
    },
  );

  test(
    `a job that hangs in ${place.name} fails with ETIMEDOUT when it writes no more, and the next one runs in another worker (pool-worker.1, pool-worker.2)`,
    LIMITED,
    async (t) => {
      const { domain, queue, buffer } = setUp(t, place, { timeLimit: 300 });
      const before = await signature(queue, buffer);
      for (const data of ["scribble", "block"] as const) {
        const [hanging, next] = [
          await queue.submit({ data, writes: [buffer] }),
          await queue.submit({ data: "sign", writes: [buffer] }),
        ];
        await assert.rejects(hanging.result({ timeout: 30_000 }), { code: "ETIMEDOUT" });
        await next.result({ timeout: 30_000 });
      }
      assert.notEqual(await signature(queue, buffer), before);
      const scribbling = await queue.submit({ data: "scribble", writes: [buffer] });
      await assert.rejects(scribbling.result({ timeout: 30_000 }), { code: "ETIMEDOUT" });
      {
        using access = await buffer.access("read", { timeout: 30_000 });
        const seen = access.copy();
        await pause(50);
        assert.deepEqual(access.copy(), seen);
      }
      await until(() => domain.agents.length === 1);
    },
  );

  if (at === 1) continue; // the rest is as in the two others

  test(`as many jobs run at once in ${place.name} as there are workers, and no more`, LIMITED, async (t) => {
    const { domain, queue } = setUp(t, place, { size: 3 });
    const begun = performance.now();
    const jobs = await Promise.all([1, 2, 3, 4].map(() => queue.submit({ data: { sleepMs: 200 } })));
    await Promise.all(jobs.map((job) => job.result()));
    assert.equal(domain.agents.length, 4, "a worker is started when none is idle");
    assert.ok(performance.now() - begun >= 390, "the fourth has waited for another one");
  });

  test(
    `what a job in ${place.name} throws is its error, its worker stays, and the next job runs`,
    LIMITED,
    async (t) => {
      const { queue, buffer, warnings } = setUp(t, place);
      const before = await signature(queue, buffer);
      await assert.rejects(does(queue, "fail", buffer), { code: "ENODATA" });
      await assert.rejects(does(queue, "throw", buffer), { code: "EIO" });
      await assert.rejects(does(queue, "reject", buffer), { code: "EIO" });
      await assert.rejects((await queue.submit({ data: (() => {}) as unknown as PoolJob })).result(), { code: "EIO" });
      await does(queue, "keep", buffer);
      await assert.rejects(does(queue, "keep", buffer), { code: "EBADF" }, "bytes of a job that has ended");
      assert.equal(await signature(queue, buffer), before);
      assert.equal(warnings.length, 3, warnings.join());
      assert.match(warnings[0]!, /A worker of pool "workers" failed: Error: a mistake\n.*pool-jobs/s);
      assert.match(warnings[1]!, /a late mistake/);
      assert.match(warnings[2]!, /could not be cloned/);
    },
  );

  test(
    `a worker of ${place.name} that dies fails its job with ESRCH, says why, and the next job runs (pool-worker.1)`,
    LIMITED,
    async (t) => {
      const { domain, queue, buffer, warnings } = setUp(t, place);
      const deaths = {
        exit: /with status 3/,
        crash: place.kind === "threads" ? /unheard/ : /with status 7|with status 1/,
      };
      for (const [data, why] of Object.entries(deaths)) {
        const before = await signature(queue, buffer);
        await assert.rejects(does(queue, data as PoolJob, buffer), { code: "ESRCH" });
        assert.notEqual(await signature(queue, buffer), before);
        assert.match(warnings.splice(0).join("\n"), why);
      }
      assert.deepEqual(domain.agents, ["here", "workers"]);
    },
  );

  test(`a module that cannot be loaded in ${place.name} fails each job with a reason`, LIMITED, async (t) => {
    const cases = [
      [new URL("data:text/javascript,throw new Error('not loaded')"), /not loaded/],
      [new URL("data:text/javascript,export const run = 1"), /must export as default the function/],
      [new URL("nowhere.js", import.meta.url), /Cannot find module/],
    ] as const;
    for (const [module, why] of cases) {
      const { queue, buffer, warnings } = setUp(t, place, {}, module);
      await assert.rejects(does(queue, "add", buffer), { code: "EIO" });
      assert.match(warnings.join("\n"), why);
      t.mock.restoreAll();
    }
  });

  test(
    `a pool of ${place.name} that is closed ends what runs with ECANCELED, also when that is busy, and what waits never runs`,
    LIMITED,
    async (t) => {
      const { domain, pool, queue, buffer } = setUp(t, place);
      await does(queue, "add", buffer);
      const running = await queue.submit({ data: "scribble", writes: [buffer] });
      const waiting = await queue.submit({ data: "add", writes: [buffer] });
      await pause(50);
      pool.close();
      pool.close();
      assert.equal(running.isSignaled(), false, "its worker has not ended");
      await assert.rejects(queue.submit({ data: "add" }), { code: "ECANCELED" });
      assert.throws(() => pool.createQueue(), { code: "ECANCELED" });
      await assert.rejects(running.result({ timeout: 30_000 }), { code: "ECANCELED" });
      await assert.rejects(waiting.result({ timeout: 30_000 }));
      const [value] = await bytesOf(buffer);
      await pause(30);
      assert.deepEqual(await bytesOf(buffer), [value]);
      await until(() => domain.agents.length === 1);
    },
  );
}

test(
  "a process that is killed in a job takes nothing with it, and the next job runs (pool-worker.1)",
  LIMITED,
  async (t) => {
    const { domain, queue, buffer, warnings } = setUp(t, PLACES[2]!);
    for (let i = 0; i < 3; i++) {
      const before = (await signature(queue, buffer)).split(",")[0];
      await assert.rejects(does(queue, "kill", buffer), { code: "ESRCH" });
      assert.match(warnings.splice(0).join(), /it has ended by SIGKILL/);
      assert.equal(existsSync(`/proc/${before}`), false);
    }
    await does(queue, "add", buffer);
    // What it holds for the next job it lets go.
    await until(() => domain.statistics()[0]?.holders.join() === "here");
    const [state] = domain.statistics();
    assert.deepEqual([state?.writer, state?.pendingFences], [undefined, 0]);
  },
);

test(
  "a process that is stopped in a job is ended, and one that is killed between two jobs is missed by none (pool-worker.3)",
  LIMITED,
  async (t) => {
    const { domain, queue, buffer } = setUp(t, PLACES[2]!, { timeLimit: 300 });
    const before = await signature(queue, buffer);
    await assert.rejects(does(queue, "stop", buffer), { code: "ETIMEDOUT" });
    const after = await signature(queue, buffer);
    assert.notEqual(after, before);
    process.kill(Number(after.split(",")[0]), "SIGKILL");
    await until(() => domain.agents.length === 1);
    await does(queue, "add", buffer);
  },
);

for (const kind of ["threads", "processes"] as const) {
  test(
    `a worker of ${kind} has a buffer's bytes also where they were moved, and lets go of what no job uses`,
    LIMITED,
    async (t) => {
      const domain = ProcessDomain.create(SIZES);
      t.after(() => domain.close());
      using pool = WorkerPool.create<PoolJob>(domain, JOBS, { size: 1, kind });
      const [queue, buffer] = [pool.createQueue(), domain.allocate(4096)];
      await does(queue, "add", buffer);
      for (let i = 2; i < 5; i++) {
        await buffer.move([domain.createMemory(4096)]);
        await does(queue, "add", buffer);
        assert.deepEqual(await bytesOf(buffer), [i]);
      }
      for (let i = 0; i < 40; i++) {
        using one = domain.allocate(4096);
        await does(queue, "add", one);
        assert.deepEqual(await bytesOf(one), [1]);
      }
      buffer.close();
      await until(() => domain.statistics().length === 0);
    },
  );
}

test(
  "a job that is busy ends with the process that has its pool, however that ends (pool-worker.4)",
  LIMITED,
  async () => {
    const [node, jobs] = [new URL("../../src/node/index.js", import.meta.url), JOBS].map((url) => JSON.stringify(url));
    for (const end of ["process.kill(process.pid, 'SIGKILL')", "domain.close()"]) {
      const program = `import { ProcessDomain, WorkerPool } from ${node};
      const domain = ProcessDomain.create({ agents: 4 });
      const pool = WorkerPool.create(domain, new URL(${jobs}), { size: 1, kind: "processes" });
      const [queue, buffer] = [pool.createQueue(), domain.allocate(4096)];
      await (await queue.submit({ data: "sign", writes: [buffer] })).result();
      console.log(new Int32Array((await buffer.access("read")).copy().buffer)[0]);
      await queue.submit({ data: "scribble", writes: [domain.allocate(4096)] });
      setTimeout(() => { ${end} }, 200);`;
      const { stdout, stderr } = spawnSync(
        execPath,
        ["-e", `import("data:text/javascript,${encodeURIComponent(program)}")`],
        {
          encoding: "utf8",
          timeout: 30_000,
        },
      );
      assert.deepEqual([/^\d+\n$/.test(stdout), stderr], [true, ""], end);
      await until(() => !existsSync(`/proc/${stdout.trim()}`));
    }
  },
);

test("a pool with nothing to do does not keep its process alive", LIMITED, () => {
  const [node, jobs] = [new URL("../../src/node/index.js", import.meta.url), JOBS].map((url) => JSON.stringify(url));
  for (const kind of ["threads", "processes"]) {
    const program = `import { ProcessDomain, WorkerPool } from ${node};
      const domain = ProcessDomain.create({ agents: 4 });
      const queue = WorkerPool.create(domain, new URL(${jobs}), { kind: "${kind}" }).createQueue();
      const finished = await queue.submit({ data: { sleepMs: 50 } });
      finished.result().then(() => console.log("finished"));`;
    const { stdout, stderr, status } = spawnSync(
      execPath,
      ["-e", `import("data:text/javascript,${encodeURIComponent(program)}")`],
      { encoding: "utf8", timeout: 30_000 },
    );
    assert.deepEqual({ stdout, stderr, status }, { stdout: "finished\n", stderr: "", status: 0 });
  }
});

test(
  "a pool of processes in a domain of threads is a TypeError, and a full domain an error of the job",
  LIMITED,
  async (t) => {
    const domain = Domain.create({ agents: 1 });
    t.after(() => domain.close());
    assert.throws(() => WorkerPool.create(domain, JOBS, { kind: "processes" }), {
      name: "TypeError",
      message: /option "kind" must be "threads" in a domain of threads/,
    });
    using pool = WorkerPool.create<PoolJob>(domain, fileURLToPath(JOBS));
    const finished = await pool.createQueue().submit({ data: "add" });
    await assert.rejects(finished.result(), { code: "ENOSPC" });
  },
);
