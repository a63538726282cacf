/** Every wait also looks at what ends the thing that it waits at: none outlives that. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, isPending, joinDomain } from "../test/agents.js";
import { exported, never, streamOf } from "../test/waiting.js";
import type { Domain } from "./threads.js";
import { Syncobj } from "./fence/syncobj.js";
import type { FrameStream } from "./stream/frame-stream.js";

const PATIENT = { timeout: 20_000 };

/** A wait that only its end would end, and that end. */
interface Waiting {
  readonly wait: Promise<unknown>;
  readonly end: () => void;
}

type Case = [
  what: string,
  outcome: string | undefined,
  start: (domain: Domain, other: Domain) => Waiting | Promise<Waiting>,
];

/** A stream whose one buffer has a fence of work that reads or writes it. */
async function busyStream(domain: Domain, usage: "read" | "write"): Promise<FrameStream> {
  const stream = streamOf(domain);
  using loan = (await stream.loan())!;
  const { reservation } = loan.buffer;
  using _lock = reservation.lockSync();
  reservation.reserveFences(1);
  reservation.addFence(domain.createTimeline({ timeLimit: 60_000 }).createFence(), usage);
  if (usage === "write") loan.publish();
  return stream;
}

const CASES: Case[] = [
  [
    "waitForConsumers() with its stream's close",
    "EBADF",
    (domain) => {
      const stream = streamOf(domain);
      return { wait: stream.waitForConsumers(1), end: () => stream.close() };
    },
  ],
  [
    "waitForConsumers() with its stream's end",
    "EPIPE",
    (domain) => {
      const stream = streamOf(domain);
      return { wait: stream.waitForConsumers(1), end: () => stream.end() };
    },
  ],
  [
    "waitForConsumers() with its stream's failure",
    "EPIPE",
    (domain) => {
      const stream = streamOf(domain);
      return { wait: stream.waitForConsumers(1), end: () => stream.fail("EIO") };
    },
  ],
  [
    "loan(), for the fences of one, with its stream's end",
    undefined,
    async (domain) => {
      const stream = await busyStream(domain, "read");
      return { wait: stream.loan(), end: () => stream.end() };
    },
  ],
  [
    "loan(), for the fences of one, with its stream's close",
    undefined,
    async (domain) => {
      const stream = await busyStream(domain, "read");
      return { wait: stream.loan(), end: () => stream.close() };
    },
  ],
  [
    "next(), for the fences of a frame, with its consumer",
    undefined,
    async (domain) => {
      const consumer = (await busyStream(domain, "write")).frames();
      return { wait: consumer.next(), end: () => consumer[Symbol.dispose]() };
    },
  ],
  ...(["close", "kill"] as const).flatMap((how): Case[] => [
    [
      `submit(), for an access, with its queue's ${how}()`,
      how === "kill" ? "ESRCH" : "ECANCELED",
      (domain) => {
        const [queue, buffer] = [domain.createQueue({ run() {} }), domain.allocate(1)];
        buffer.accessSync("write");
        return { wait: queue.submit({ writes: [buffer] }), end: () => queue[how]() };
      },
    ],
    [
      `submit(), behind another one, with its queue's ${how}()`,
      how === "kill" ? "ESRCH" : "ECANCELED",
      (domain) => {
        const [queue, buffer] = [domain.createQueue({ run() {} }), domain.allocate(1)];
        buffer.accessSync("write");
        queue.submit({ writes: [buffer] }).catch(() => {});
        return { wait: queue.submit({}), end: () => queue[how]() };
      },
    ],
    [
      `submit(), for a lock, with its queue's ${how}()`,
      how === "kill" ? "ESRCH" : "ECANCELED",
      (domain, other) => {
        const [queue, buffer] = [domain.createQueue({ run() {} }), domain.allocate(1)];
        other.import(buffer.handle()).reservation.lockSync();
        return { wait: queue.submit({ writes: [buffer] }), end: () => queue[how]() };
      },
    ],
  ]),
  [
    "submit(), for an access, with its scheduler",
    "ECANCELED",
    (domain) => {
      const [scheduler, buffer] = [domain.createScheduler({ run() {} }), domain.allocate(1)];
      buffer.accessSync("write");
      return { wait: scheduler.createQueue().submit({ writes: [buffer] }), end: () => scheduler.close() };
    },
  ],
  [
    "access(), for a hold, with its holder",
    "EBADF",
    (domain, other) => {
      const buffer = domain.allocate(1);
      other.import(buffer.handle()).accessSync("write");
      return { wait: buffer.access("read"), end: () => buffer.close() };
    },
  ],
  [
    "access(), for a fence, with its holder",
    "EBADF",
    (domain) => {
      const buffer = domain.allocate(1);
      using _lock = buffer.reservation.lockSync();
      buffer.reservation.reserveFences(1);
      buffer.reservation.addFence(domain.createTimeline({ timeLimit: 60_000 }).createFence(), "write");
      return { wait: buffer.access("read"), end: () => buffer.close() };
    },
  ],
  [
    "access(), for the answer of an exporter of this thread, with its holder",
    "EBADF",
    (domain) => {
      const buffer = exported(domain, { beginCpuAccess: never });
      return { wait: buffer.access("read"), end: () => buffer.close() };
    },
  ],
  [
    "access(), for the answer of an exporter elsewhere, with its holder",
    "EBADF",
    (domain, other) => {
      const buffer = other.import(exported(domain, { beginCpuAccess: never }).handle());
      return { wait: buffer.access("read"), end: () => buffer.close() };
    },
  ],
  [
    "importSyncFile() with its holder",
    "EBADF",
    (domain, other) => {
      const buffer = domain.allocate(1);
      other.import(buffer.handle()).reservation.lockSync();
      const file = domain.createSyncFile(domain.createTimeline().createFence());
      return { wait: buffer.importSyncFile("write", file), end: () => buffer.close() };
    },
  ],
  [
    "attachAsync() with its holder",
    "EBADF",
    (domain) => {
      const buffer = exported(domain, { attach: never });
      return { wait: buffer.attach(), end: () => buffer.close() };
    },
  ],
  [
    "move(), for an access, with its holder",
    "EBADF",
    (domain, other) => {
      const buffer = domain.allocate(1);
      other.import(buffer.handle()).accessSync("read");
      const memory = new SharedArrayBuffer(4096);
      return { wait: buffer.move([{ memory, offset: 0, length: 4096 }]), end: () => buffer.close() };
    },
  ],
  [
    "a syncobj's wait(), for a point, with the last holder",
    "ENOENT",
    (domain) => {
      const syncobj = domain.createSyncobj();
      return { wait: syncobj.wait({ point: 3, forSubmit: true }), end: () => syncobj.close() };
    },
  ],
  [
    "a syncobj's transfer(), for a point, with the last holder",
    "ENOENT",
    (domain) => {
      const [source, target] = [domain.createSyncobj(), domain.createSyncobj()];
      const to = { syncobj: target, point: 1 };
      return { wait: Syncobj.transferWhenSubmitted({ syncobj: source, point: 3 }, to), end: () => source.close() };
    },
  ],
  [
    "an attachment's map(), for the lock, with the attachment",
    "EINVAL",
    (domain, other) => {
      const buffer = domain.allocate(1);
      other.import(buffer.handle()).reservation.lockSync();
      const attachment = buffer.attachSync();
      return { wait: attachment.map(), end: () => attachment[Symbol.dispose]() };
    },
  ],
];

describe("a wait ends at once:", () => {
  for (const [what, outcome, start] of CASES) {
    test(what, PATIENT, async (t) => {
      const domain = createDomain(t);
      const { wait, end } = await start(domain, joinDomain(t, domain));
      assert.equal(await isPending(wait), true);
      end();
      if (outcome === undefined) assert.equal(await wait, undefined);
      else await assert.rejects(wait, { code: outcome });
    });
  }
});

describe("the exporter's answer", () => {
  test("in this thread is waited for no longer than the caller says, and is undone", PATIENT, async (t) => {
    const domain = createDomain(t);
    let answer = (): void => {};
    const ended: string[] = [];
    const buffer = exported(domain, {
      beginCpuAccess: () => new Promise<void>((resolve) => (answer = resolve)),
      endCpuAccess: (mode) => void ended.push(mode),
    });
    await assert.rejects(buffer.access("read", { timeout: 5 }), { code: "ETIMEDOUT", message: /has not answered/ });
    assert.deepEqual(ended, []);
    answer();
    assert.equal(await isPending(Promise.resolve()), false);
    assert.deepEqual(ended, ["read"]);
    assert.deepEqual(domain.statistics()[0]!.readers, []);
  });
});

describe("an exporter whose operation closes the buffer that it is asked for", () => {
  const within: [operation: string, use: (buffer: ReturnType<typeof exported>) => unknown, left: string[]][] = [
    ["beginCpuAccess", (buffer) => buffer.accessSync("read"), ["endCpuAccess"]],
    ["beginCpuAccess", (buffer) => buffer.tryAccess("read"), ["endCpuAccess"]],
    ["attach", (buffer) => buffer.attachSync(), ["detach"]],
    ["mmap", (buffer) => buffer.mmap(), []],
  ];
  for (const [operation, use, undone] of within) {
    test(`in ${operation} leaves nothing of it (${String(use).slice(12)})`, PATIENT, async (t) => {
      const domain = createDomain(t);
      const calls: string[] = [];
      const ops = {
        [operation]: () => void buffer.close(),
        endCpuAccess: () => void calls.push("endCpuAccess"),
        detach: () => void calls.push("detach"),
      };
      const buffer = exported(domain, ops);
      const keeper = buffer.duplicate();
      assert.throws(() => use(buffer), { code: "EBADF" });
      assert.deepEqual(calls, undone);
      const { readers, attachments } = domain.statistics()[0]!;
      assert.deepEqual([readers, attachments], [[], 0]);
      // Nothing is pinned: the storage can move.
      await keeper.move([{ memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 }]);
      keeper.close();
    });
  }
});
