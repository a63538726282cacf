import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { NatsServer } from "dmabuf-host-lab";
import { joinHost, type JoinedHost } from "../../../test/joined-hosts.js";
import { startServer, WITH_NATS } from "../../../test/nats-server.js";
import type { DmaBuf } from "../../buffer/buffer.js";
import { Hosts, type HostJob, type HostQueueOptions, type HostWorkerOptions, type HostJobWork } from "../index.js";

const QUEUE = "tests";

interface Pair {
  readonly server: NatsServer;
  /** It submits. */
  readonly a: JoinedHost;
  /** It works. */
  readonly b: JoinedHost;
}

async function pair(t: TestContext, options = {}): Promise<Pair> {
  const server = await startServer(t);
  const [a, b] = [
    await joinHost(t, { name: "a", servers: [server.url], ...options }),
    await joinHost(t, { name: "b", servers: [server.url], ...options }),
  ];
  return { server, a, b };
}

function queueOf(t: TestContext, host: JoinedHost, options: Partial<HostQueueOptions> = {}) {
  const queue = host.hosts.createQueue({ name: QUEUE, limit: 60_000, ...options });
  t.after(() => queue.close());
  return queue;
}

function work(t: TestContext, host: JoinedHost, run: HostJobWork, options: HostWorkerOptions = {}) {
  const worker = host.hosts.work(QUEUE, options, run);
  t.after(() => worker.close());
  return worker;
}

/** A buffer full of one number. */
async function filled(host: JoinedHost, value: number, size = 300_000): Promise<DmaBuf> {
  const buffer = host.domain.allocate(size);
  using access = await buffer.access("write");
  access.bytes.fill(value);
  return buffer;
}

/** The number that all bytes are. */
async function valueOf(buffer: DmaBuf): Promise<number> {
  using access = await buffer.access("read");
  const [first] = access.bytes;
  assert.ok(access.bytes.every((byte) => byte === first));
  return first!;
}

/** Writes what it reads, and one more. */
const increments: HostJobWork = async ({ reads, writes }: HostJob) => {
  using source = await reads[0]!.access("read");
  using target = await writes[0]!.access("write");
  for (let i = 0; i < target.bytes.length; i++) target.bytes[i] = source.bytes[i]! + 1;
};

test(
  "a worker of another host gets the bytes and the data, and its result is there before the fence signals transfer.1 transfer.2 submitted-job.3",
  WITH_NATS,
  async (t) => {
    const { a, b } = await pair(t);
    const seen: HostJob[] = [];
    const worker = work(t, b, async (job) => {
      seen.push(job);
      assert.throws(() => job.reads[0]!.accessSync("write"), { code: "EACCES" });
      await increments(job);
    });
    const queue = queueOf(t, a);
    const source = await filled(a, 7);
    const target = a.domain.allocate(300_000);
    const before = target.contentVersion;
    const fence = await queue.submit({ reads: [source], writes: [target], data: { width: 64 } });
    // Others wait for the job.
    assert.equal(await valueOf(target), 8);
    assert.equal(await fence.wait(), "signaled");
    assert.notEqual(target.contentVersion, before);
    const [job] = seen;
    assert.deepEqual([job!.data, job!.host, job!.delivery], [{ width: 64 }, "a", 1]);
    while (worker.running > 0) await pause(10);
    assert.equal(worker.finished, 1);
    assert.ok(job!.reads[0]!.isClosed && job!.writes[0]!.isClosed);
  },
);

test(
  "a buffer that is read and written comes with its bytes; one that is only written begins with zeros",
  WITH_NATS,
  async (t) => {
    const { a, b } = await pair(t);
    const found: number[] = [];
    work(t, b, async ({ writes }) => {
      for (const buffer of writes) {
        found.push(await valueOf(buffer));
        using access = await buffer.access("write");
        access.bytes.fill(access.bytes[0]! + 1);
      }
    });
    const queue = queueOf(t, a);
    const [both, only] = [await filled(a, 5), await filled(a, 5)];
    const fence = await queue.submit({ reads: [both], writes: [both, only] });
    await fence.wait();
    assert.equal(fence.error, undefined);
    assert.deepEqual(found, [5, 0]);
    assert.deepEqual([await valueOf(both), await valueOf(only)], [6, 1]);
  },
);

test("a worker of the same host does the same", WITH_NATS, async (t) => {
  const { a } = await pair(t);
  work(t, a, increments);
  const [source, target] = [await filled(a, 1), await filled(a, 0)];
  const fence = await queueOf(t, a).submit({ reads: [source], writes: [target] });
  await fence.wait();
  assert.equal(fence.error, undefined);
  assert.equal(await valueOf(target), 2);
});

test("with TLS the bytes of a job come by TLS, also to a worker of the same host", WITH_NATS, async (t) => {
  const { a, b } = await pair(t, { tls: true });
  for (const { peers } of [a, b]) assert.ok(peers.ownTls);
  const queue = queueOf(t, a);
  const source = await filled(a, 50);
  for (const host of [b, a]) {
    const hosts: string[] = [];
    const worker = work(t, host, async (job) => {
      hosts.push(job.host);
      await increments(job);
    });
    const target = a.domain.allocate(300_000);
    const fence = await queue.submit({ reads: [source], writes: [target] });
    assert.equal(await valueOf(target), 51);
    assert.equal(fence.error, undefined);
    assert.deepEqual(hosts, ["a"]);
    await worker.close();
  }
});

test(
  "what was not written since is fetched once, and what was is fetched again buffer-cache.1",
  WITH_NATS,
  async (t) => {
    const { a, b } = await pair(t);
    const counts: number[] = [];
    const sizes = { fetched: 0 };
    work(t, b, async (job) => {
      counts.push(await valueOf(job.reads[0]!));
      sizes.fetched++;
      await increments(job);
    });
    const queue = queueOf(t, a);
    const source = await filled(a, 1);
    const inodes = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const target = a.domain.allocate(300_000);
      await (await queue.submit({ reads: [source], writes: [target] })).wait();
      assert.equal(await valueOf(target), 2);
      inodes.add(String(target.inode));
    }
    {
      using access = await source.access("write");
      access.bytes.fill(9);
    }
    const target = a.domain.allocate(300_000);
    await (await queue.submit({ reads: [source], writes: [target] })).wait();
    assert.equal(await valueOf(target), 10);
    assert.deepEqual(counts, [1, 1, 1, 9]);
  },
);

test("the work's error is the fence's, at once host-worker.2", WITH_NATS, async (t) => {
  const { a, b } = await pair(t);
  let runs = 0;
  work(t, b, () => {
    runs++;
    throw Object.assign(new Error("no such picture"), { code: "ENOENT" });
  });
  const fence = await queueOf(t, a).submit({});
  await fence.wait();
  assert.equal(fence.error?.code, "ENOENT");
  assert.equal(runs, 1);
});

test(
  "a job that no worker takes ends by its limit, and no worker gets it later submitted-job.1",
  WITH_NATS,
  async (t) => {
    const { a, b } = await pair(t);
    const queue = queueOf(t, a, { limit: 300 });
    const target = a.domain.allocate(4096);
    const fence = await queue.submit({ writes: [target] });
    await fence.wait();
    assert.equal(fence.error?.code, "ETIMEDOUT");
    // Its buffers are free.
    (await target.access("write")).close();
    const ids: unknown[] = [];
    work(t, b, ({ data }) => void ids.push(data));
    const next = await queueOf(t, a).submit({ data: "next" });
    await next.wait();
    assert.deepEqual(ids, ["next"]);
  },
);

test("a job that is cancelled while a worker has it is told so host-worker.3 transfer.3", WITH_NATS, async (t) => {
  const { a, b } = await pair(t);
  const cancel = new AbortController();
  const stopped = new Promise<unknown>((resolve) => {
    work(t, b, async ({ signal }) => {
      signal.addEventListener("abort", () => resolve(signal.reason));
      cancel.abort();
      await pause(60_000, undefined, { signal });
    });
  });
  const fence = await queueOf(t, a).submit({ signal: cancel.signal, writes: [a.domain.allocate(1)] });
  await fence.wait();
  assert.equal(fence.error?.code, "ECANCELED");
  assert.equal(((await stopped) as { code: string }).code, "ESTALE");
});

test("a queue that is closed cancels its jobs", WITH_NATS, async (t) => {
  const { a, b } = await pair(t);
  const begun = new Promise<void>((resolve) => {
    work(t, b, async ({ signal }) => {
      resolve();
      await pause(60_000, undefined, { signal });
    });
  });
  const queue = queueOf(t, a);
  const fences = [await queue.submit({}), await queue.submit({})];
  await begun;
  await queue.close();
  for (const fence of fences) {
    await fence.wait();
    assert.equal(fence.error?.code, "ECANCELED");
  }
});

test("a worker that is closed gives its job back: another one has it host-worker.1 broker.3", WITH_NATS, async (t) => {
  const { a, b } = await pair(t);
  const queue = queueOf(t, a);
  let hasBegun!: () => void;
  const first = new Promise<void>((resolve) => (hasBegun = resolve));
  const leaving = work(t, b, async ({ signal }) => {
    hasBegun();
    await pause(60_000, undefined, { signal }).catch(() => {});
  });
  const target = a.domain.allocate(4096);
  const fence = await queue.submit({ writes: [target] });
  await first;
  await leaving.close();
  const deliveries: number[] = [];
  work(t, b, async ({ writes, delivery }) => {
    deliveries.push(delivery);
    using access = await writes[0]!.access("write");
    access.bytes.fill(3);
  });
  await fence.wait();
  assert.equal(fence.error, undefined);
  assert.deepEqual(deliveries, [2]);
  assert.equal(await valueOf(target), 3);
});

test("a worker that drains finishes what it has", WITH_NATS, async (t) => {
  const { a, b } = await pair(t);
  let hasBegun!: () => void;
  const begun = new Promise<void>((resolve) => (hasBegun = resolve));
  const worker = work(t, b, async () => {
    hasBegun();
    await pause(300);
  });
  const fence = await queueOf(t, a).submit({});
  await begun;
  await worker.drain();
  await fence.wait();
  assert.equal(fence.error, undefined);
  assert.deepEqual([worker.finished, worker.running], [1, 0]);
});

test("jobs are no calls of those that use the agent", async (t) => {
  const { domain } = await joinHost(t);
  const other = await Hosts.connect(domain);
  t.after(() => other.close());
  const expected = { code: "EOPNOTSUPP", message: /has called Hosts\.join\(\)/ };
  assert.throws(() => other.createQueue({ name: QUEUE }), expected);
  assert.throws(() => other.work(QUEUE, {}, () => {}), expected);
});

test("jobs need NATS, and are not too large", WITH_NATS, async (t) => {
  const alone = await joinHost(t);
  assert.throws(() => alone.hosts.createQueue({ name: QUEUE }), { code: "EOPNOTSUPP" });
  assert.throws(() => alone.hosts.work(QUEUE, {}, () => {}), { code: "EOPNOTSUPP" });
  const { a } = await pair(t);
  const fence = await queueOf(t, a).submit({ data: "x".repeat(70_000) });
  await fence.wait();
  assert.equal(fence.error?.code, "EMSGSIZE");
});

test(
  "a queue survives 3 s without a server: a job that runs finishes, and one that was submitted then runs later broker.1 broker.2",
  WITH_NATS,
  async (t) => {
    const { server, a, b } = await pair(t);
    let hasBegun!: () => void;
    const begun = new Promise<void>((resolve) => (hasBegun = resolve));
    work(t, b, async (job) => {
      hasBegun();
      if (job.data === "long") await pause(1_000);
      await increments(job);
    });
    const queue = queueOf(t, a);
    const [source, first, second] = [await filled(a, 1), a.domain.allocate(300_000), a.domain.allocate(300_000)];
    const running = await queue.submit({ reads: [source], writes: [first], data: "long" });
    await begun;
    await server.kill();
    const late = await queue.submit({ reads: [source], writes: [second] });
    await running.wait();
    assert.equal(running.error, undefined);
    assert.equal(late.isSignaled(), false);
    await pause(2_000);
    await server.start();
    await late.wait();
    assert.equal(late.error, undefined);
    assert.deepEqual([await valueOf(first), await valueOf(second)], [2, 2]);
  },
);
