/** The pools that people use, whose workers no program starts by hand. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { env, execPath } from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Piscina } from "piscina";
import { Tinypool } from "tinypool";
import { Domain, type BufferHandleData } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";
import { pause, until } from "../agents.js";

const LIMITED = { timeout: 60_000 };
const TASK = fileURLToPath(new URL("pool-task.js", import.meta.url));
const COUNT = 12;

/** A pool of two workers. */
interface AnyPool {
  run(task: unknown, options?: object): Promise<unknown>;
  destroy(): Promise<void>;
}

const POOLS: Readonly<Record<string, () => AnyPool>> = {
  "piscina as it comes": () => new Piscina({ filename: TASK, maxThreads: 2 }),
  "piscina without atomics": () => new Piscina({ filename: TASK, maxThreads: 2, atomics: "disabled", env: {} }),
  "tinypool of threads": () => new Tinypool({ filename: TASK, maxThreads: 2 }),
  "tinypool of processes": () =>
    new Tinypool({
      filename: TASK,
      maxThreads: 2,
      runtime: "child_process",
      // Left out, its processes have an empty environment.
      env: env as Record<string, string>,
    }),
};

function share(t: TestContext): ProcessDomain {
  const domain = ProcessDomain.create({ agents: 8, name: "here" });
  t.after(() => domain.close());
  domain.shareWithWorkers();
  return domain;
}

for (const [name, create] of Object.entries(POOLS)) {
  test(
    `workers of ${name} join, work on one buffer in turn, and give back what they hold when they end`,
    LIMITED,
    async (t) => {
      const domain = share(t);
      using buffer = domain.allocate(4096);
      const pool = create();
      const handle: BufferHandleData = { ...buffer.handle() };
      const joined = await Promise.all(Array.from({ length: COUNT }, () => pool.run(handle)));
      assert.match(joined.join("; "), /here,(thread \d+ of )?process \d+/);
      {
        using access = await buffer.access("read");
        assert.deepEqual(new Set(access.bytes), new Set([COUNT]));
      }
      // What a worker has made is there for all.
      using made = domain.import((await pool.run(7, { name: "make" })) as BufferHandleData);
      {
        using access = await made.access("read", { timeout: 10_000 });
        assert.equal(access.bytes[4095], 7);
      }
      const kept = pool.run(handle, { name: "keep" });
      kept.catch(() => {});
      await until(() => domain.statistics().some(({ writer }) => writer !== undefined));
      // It writes at once when it has the access.
      await pause(500);
      await pool.destroy();
      using access = await buffer.access("read", { timeout: 10_000 });
      assert.equal(access.bytes[0], 99);
      await until(() => domain.agents.length === 1);
    },
  );
}

test("a pool's workers join a domain of threads by an invitation that comes with a task", LIMITED, async (t) => {
  const domain = Domain.create();
  t.after(() => domain.close());
  using buffer = domain.allocate(4096);
  // Otherwise its workers block between two tasks, and do not let go of anything.
  const pool = new Piscina({ filename: TASK, maxThreads: 2, name: "addOneByThread", atomics: "disabled" });
  for (let i = 0; i < COUNT; i++) {
    const invitation = domain.invite();
    await pool.run({ invitation, handle: { ...buffer.handle() } }, { transferList: [invitation.port] });
  }
  using access = await buffer.access("read");
  assert.deepEqual(new Set(access.bytes), new Set([COUNT]));
  await until(() => domain.agents.length <= 3);
  await pool.destroy();
  await until(() => domain.agents.length === 1);
});

test("a cluster's workers answer from one buffer, and one that is killed is followed by the next", LIMITED, () => {
  const program = fileURLToPath(new URL("cluster-program.js", import.meta.url));
  const { stdout, stderr, status } = spawnSync(execPath, [program], { encoding: "utf8", timeout: 50_000 });
  assert.equal(stderr, "");
  const lines = [1, 2, 3].map(
    (visit) => `answer ${visit} has 1048576 bytes of ${visit} ${visit}\nit has left ${visit}\n`,
  );
  assert.equal(stdout, lines.join(""));
  assert.equal(status, 0);
});
