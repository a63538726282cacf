/** What an object of the user's holds is given back when that object is forgotten (held.1 to held.4). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createDomain as createAny, joinDomain } from "../test/agents.js";
import { exported, streamOf } from "../test/waiting.js";
import type { DmaBuf } from "./buffer/buffer.js";
import type { Consumer } from "./stream/consumer.js";
import { rawFormat } from "./stream/format.js";
import type { Domain } from "./threads.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const PATIENT = { timeout: 60_000 };

type Context = Parameters<typeof createAny>[0];

/** One that warns: where a domain is validated, the same is a report. */
function createDomain(t: Context, options = {}): Domain {
  return createAny(t, { validate: false, ...options });
}

/** The warnings that are given until there are `count`, or 20 collections have brought no more. */
async function warningsOf(t: Context, count: number, act: () => unknown): Promise<string[]> {
  const warnings: string[] = [];
  const heard = ({ name, message }: Error): void => {
    if (name === "DmaBufWarning") warnings.push(message);
  };
  process.on("warning", heard);
  t.after(() => process.off("warning", heard));
  await act();
  for (let turn = 0; turn < 20 && warnings.length < count; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    collectGarbage();
  }
  return warnings;
}

/** What is forgotten, how it is named, and what then works for others. */
const FORGOTTEN: [
  what: string,
  named: RegExp,
  forget: (domain: Domain) => unknown,
  works: (domain: Domain, other: Domain) => unknown,
][] = [
  [
    "an access",
    /^An access to write buffer "mine" was forgotten/,
    (domain) => domain.allocate(1, { name: "mine" }).access("write"),
    (domain) => assert.equal(domain.statistics()[0]!.writer, undefined),
  ],
  [
    "a loan",
    /^A loan of stream "stream" was forgotten/,
    (domain) => streamOf(domain).loan(),
    (domain) => assert.equal(domain.statistics()[0]!.writer, undefined),
  ],
  [
    "a mapping",
    /^A mapping of buffer "mine" was forgotten/,
    (domain) => void domain.allocate(1, { name: "mine" }).mmap(),
    (domain) => assert.equal(domain.statistics().length, 1),
  ],
];

describe("forgotten, and given back:", () => {
  test("a user fence and a memory fence, without a warning: no agent has waited for the holder", PATIENT, async (t) => {
    const domain = createDomain(t, { userFences: 1 });
    const isGivenBack = (): boolean => domain.statistics().length === 0 && canMakeUserFence(domain);
    const warnings = await warningsOf(t, 1, async () => {
      forgetFences(domain);
      for (let turn = 0; turn < 20 && !isGivenBack(); turn++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        collectGarbage();
      }
    });
    assert.deepEqual([isGivenBack(), warnings], [true, []]);
  });

  for (const [what, named, forget, works] of FORGOTTEN) {
    test(what, PATIENT, async (t) => {
      const domain = createDomain(t);
      const other = joinDomain(t, domain);
      const warnings = await warningsOf(t, 1, () => forget(domain));
      assert.equal(warnings.length, 1);
      assert.match(warnings[0]!, named);
      works(domain, other);
    });
  }

  test("a frame, for a producer that waits", PATIENT, async (t) => {
    const stream = streamOf(createDomain(t));
    const consumer = stream.frames();
    (await stream.loan())!.publish();
    const warnings = await warningsOf(t, 1, () => consumer.next());
    assert.match(warnings.join(), /^A frame of stream "stream" was forgotten/);
    assert.notEqual(await stream.loan({ timeout: 30_000 }), undefined);
    assert.equal(consumer.missed, 0);
  });

  test("a consumer, for a producer that it holds; but not after the end of its stream", PATIENT, async (t) => {
    const domain = createDomain(t);
    const stream = streamOf(domain);
    const warnings = await warningsOf(t, 1, () => void stream.frames());
    assert.match(warnings.join(), /^A consumer of stream "stream" was forgotten/);
    assert.equal(stream.consumers, 0);
    const ended = streamOf(domain);
    ended.end();
    const more = await warningsOf(t, 1, () => void ended.frames());
    assert.deepEqual([more, ended.consumers], [[], 0]);
  });
});

test("a frame of a group that is forgotten goes to another member", PATIENT, async (t) => {
  const domain = createDomain(t);
  const stream = domain.createStream({ format: rawFormat(1) });
  const theirs = joinDomain(t, domain).import(stream.handle());
  const [one, two] = [theirs, stream].map((end) => end.frames({ group: "workers" })) as [Consumer, Consumer];
  (await stream.loan())!.publish();
  const warnings = await warningsOf(t, 1, async () => void (await one.next()));
  assert.match(warnings.join(), /^A frame of stream "stream" was forgotten/);
  using frame = (await two.next({ timeout: 30_000 }))!;
  assert.equal(frame.sequence, 0);
  assert.equal(one.missed, 0);
});

describe("forgotten, and given back:", () => {
  test("a lock; but not one under a context, which opens it", PATIENT, async (t) => {
    const domain = createDomain(t);
    const [buffer, other] = [domain.allocate(1, { name: "mine" }), domain.allocate(1)];
    const context = await domain.lockAll([other]);
    const warnings = await warningsOf(t, 2, () => void buffer.reservation.lockSync());
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /^The lock of the reservation of buffer "mine" was forgotten/);
    assert.deepEqual([buffer.reservation.isLocked, other.reservation.isLocked], [false, true]);
    context[Symbol.dispose]();
  });

  const contexts: [what: string, named: RegExp, lock: (domain: Domain, a: DmaBuf, b: DmaBuf) => unknown][] = [
    [
      "of lockAll()",
      /^An acquire context with the locks of buffers "a", "b" was/,
      (domain, a, b) => domain.lockAll([a, b]),
    ],
    [
      "whose lock was dropped, too",
      /^An acquire context with the locks of buffers "a" was/,
      (domain, a) => void a.reservation.lockSync(domain.createAcquireContext()),
    ],
  ];
  for (const [what, named, lock] of contexts) {
    test(`an acquire context ${what}`, PATIENT, async (t) => {
      const domain = createDomain(t);
      const [a, b] = [domain.allocate(1, { name: "a" }), domain.allocate(1, { name: "b" })];
      const warnings = await warningsOf(t, 1, () => lock(domain, a, b));
      assert.match(warnings.join(), named);
      assert.deepEqual([a.reservation.isLocked, b.reservation.isLocked], [false, false]);
    });
  }

  test("an attachment with its pins, for an exporter that moves the storage", PATIENT, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(4096, { name: "mine" });
    const storage = { memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 };
    const warnings = await warningsOf(t, 1, async () => {
      const attachment = await buffer.attach({ moveNotify() {} });
      using _lock = buffer.reservation.lockSync();
      attachment.pinSync();
      attachment.pinSync();
    });
    assert.match(warnings.join(), /^An attachment of buffer "mine" with 2 pins was forgotten/);
    assert.equal(domain.statistics()[0]!.attachments, 0);
    await buffer.move([storage]);
  });

  test("an attachment whose mapping is still in use is not", PATIENT, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const kept: unknown[] = [];
    const none = await warningsOf(t, 1, async () => kept.push(await (await buffer.attach()).map()));
    assert.deepEqual([none, domain.statistics()[0]!.attachments], [[], 1]);
    kept.length = 0;
    const warnings = await warningsOf(t, 2, () => {});
    assert.match(warnings.join(), /An attachment of buffer ""/);
    assert.equal(domain.statistics()[0]!.attachments, 0);
  });

  test("an importer's mapping", PATIENT, async (t) => {
    const unmapped: string[] = [];
    const buffer = exported(createDomain(t), { unmap: () => void unmapped.push("unmap") });
    const attachment = buffer.attachSync();
    const kept: (readonly object[])[] = [];
    const none = await warningsOf(t, 1, async () => kept.push((await attachment.map()).segments));
    assert.deepEqual([none, unmapped, kept.length], [[], [], 1]);
    kept.length = 0;
    const warnings = await warningsOf(t, 1, () => {});
    assert.match(warnings.join(), /^A mapping of buffer "" was forgotten/);
    assert.deepEqual(unmapped, ["unmap"]);
    attachment[Symbol.dispose]();
    assert.deepEqual(unmapped, ["unmap"]);
  });
});

test("what was given back stays so, whatever the next of its kind does (held.5)", async (t) => {
  const domain = createDomain(t);
  const [stream, buffer] = [streamOf(domain), domain.allocate(1)];
  const consumer = stream.frames();
  const frames = async () => {
    (await stream.loan())!.publish();
    return (await consumer.next())!;
  };
  for (const next of [() => buffer.accessSync("write"), () => stream.loanSync()!, frames]) {
    const first = await next();
    first.close();
    const second = await next();
    first.close();
    assert.throws(() => first.bytes, { code: "EBADF" });
    assert.equal(second.bytes.length > 0, true);
    second.close();
    assert.throws(() => second.bytes, { code: "EBADF" });
  }
});

describe("the warning of something forgotten", () => {
  async function forgetHere(domain: Domain): Promise<void> {
    const buffer = domain.allocate(1);
    buffer.accessSync("read");
    using _other = await domain.allocate(1).access("read");
    await buffer.attach();
  }

  test("says where it was taken, if that is asked for", PATIENT, async (t) => {
    const warnings = await warningsOf(t, 2, () => forgetHere(createDomain(t, { debug: true })));
    assert.equal(warnings.length, 2);
    for (const warning of warnings) assert.match(warning, /\. It was taken here:\n[^]*forgetHere .*held\.test/);
  });

  test("and otherwise how that is asked for", PATIENT, async (t) => {
    const warnings = await warningsOf(t, 2, () => forgetHere(createDomain(t, { debug: false })));
    for (const warning of warnings)
      assert.match(warning, /\(DMABUF_DEBUG=1, or the option "debug", says where it was taken\)$/);
  });
});

describe("what is in use is not forgotten:", () => {
  test("a consumer that waits", PATIENT, async (t) => {
    const stream = streamOf(createDomain(t));
    let frame: Promise<unknown> = Promise.resolve();
    const warnings = await warningsOf(t, 1, () => void (frame = stream.frames().next()));
    assert.deepEqual(warnings, []);
    (await stream.loan())!.publish();
    assert.notEqual(await frame, undefined);
  });

  test("an access, a frame and a mapping whose bytes are still in use", PATIENT, async (t) => {
    const domain = createDomain(t);
    const stream = streamOf(domain);
    const [buffer, mapped, consumer] = [domain.allocate(1), domain.allocate(1), stream.frames()];
    (await stream.loan())!.publish();
    const bytes: Uint8Array[] = [];
    const warnings = await warningsOf(t, 1, async () => {
      bytes.push((await buffer.access("write")).bytes, (await consumer.next())!.bytes, mapped.mmap().bytes);
    });
    assert.deepEqual(warnings, []);
    assert.equal(buffer.tryAccess("read"), undefined);
    bytes.length = 0;
    const after = await warningsOf(t, 3, () => {});
    assert.equal(after.length, 3);
    assert.notEqual(buffer.tryAccess("read"), undefined);
  });

  test(
    "what was ended, by itself, by the close of its buffer or stream, or by leaving the domain",
    PATIENT,
    async (t) => {
      const domain = createDomain(t);
      const stream = streamOf(domain);
      const buffer = domain.allocate(1);
      const left = joinDomain(t, domain);
      const warnings = await warningsOf(t, 1, async () => {
        for (let i = 0; i < 100; i++) {
          buffer.accessSync("write")[Symbol.dispose]();
          (await stream.loan())![Symbol.dispose]();
        }
        const held = [
          buffer.accessSync("read"),
          stream.frames(),
          await stream.loan(),
          left.allocate(1).accessSync("read"),
        ];
        // Long enough that they are watched.
        await new Promise((resolve) => setTimeout(resolve, 250));
        buffer.close();
        stream.close();
        left.close();
        held.length = 0;
      });
      assert.deepEqual(warnings, []);
    },
  );
});

/** In a function of its own, so that no variable of the caller keeps them. */
function forgetFences(domain: Domain): void {
  domain.createUserFence();
  using buffer = domain.allocate(8);
  buffer.memoryFence({ value: 1 });
}

function canMakeUserFence(domain: Domain): boolean {
  try {
    domain.createUserFence().close();
    return true;
  } catch {
    return false;
  }
}
