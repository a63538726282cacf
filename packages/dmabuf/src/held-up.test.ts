/** The agent that holds a call up is named, and no thread blocks for what only it could end. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, joinDomain } from "../test/agents.js";
import { BLOCKS } from "../test/blocking.js";
import { HELD_UP } from "../test/held-up.js";
import { streamOf } from "../test/waiting.js";

const PATIENT = { timeout: 20_000 };

describe("a call that has timed out names who holds it up:", () => {
  for (const [what, message, start] of HELD_UP) {
    test(what, PATIENT, async (t) => {
      const domain = createDomain(t, { name: "main" });
      await assert.rejects(start(domain, joinDomain(t, domain, "other"), { timeout: 5 }), {
        code: "ETIMEDOUT",
        message,
      });
    });
  }
});

test("a move names who has pinned the storage", PATIENT, async (t) => {
  const domain = createDomain(t, { name: "main" });
  const buffer = domain.allocate(4096);
  joinDomain(t, domain, "other").import(buffer.handle()).mmap();
  buffer.mmap();
  await assert.rejects(buffer.move([{ memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 }]), {
    code: "EBUSY",
    message: /pinned by this thread \("main"\) and agent "other"$/,
  });
});

describe("a call that would block this thread for itself is EDEADLK:", BLOCKS, () => {
  const modes: [own: "read" | "write", asked: "read" | "write"][] = [
    ["read", "write"],
    ["write", "read"],
    ["write", "write"],
  ];
  for (const [own, asked] of modes) {
    test(`accessSync("${asked}") under an own access to ${own}`, PATIENT, (t) => {
      const buffer = createDomain(t).allocate(1);
      const access = buffer.accessSync(own);
      assert.throws(() => buffer.accessSync(asked), { code: "EDEADLK", message: /this thread itself/ });
      assert.throws(() => buffer.accessSync(asked, { timeout: 1 }), { code: "ETIMEDOUT", message: /this thread/ });
      access[Symbol.dispose]();
      buffer.accessSync(asked);
    });
  }

  test("accessSync() behind an own writer that waits", PATIENT, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const theirs = joinDomain(t, domain).import(buffer.handle()).accessSync("read");
    const waiting = buffer.access("write");
    assert.throws(() => buffer.accessSync("read"), { code: "EDEADLK" });
    theirs[Symbol.dispose]();
    (await waiting)[Symbol.dispose]();
    buffer.accessSync("read");
  });

  test("submitSync() of a buffer under an own access", PATIENT, (t) => {
    const domain = createDomain(t);
    const [buffer, queue] = [domain.allocate(1), domain.createQueue({ run() {} })];
    using _access = buffer.accessSync("read");
    assert.throws(() => queue.submitSync({ writes: [buffer] }), { code: "EDEADLK" });
    queue.submitSync({ reads: [buffer] });
  });

  test("loanSync(), if own frames, loans or consumers keep all buffers", PATIENT, async (t) => {
    const domain = createDomain(t);
    const stream = streamOf(domain, 2);
    const consumer = stream.frames();
    stream.loanSync()!.publish();
    const loan = stream.loanSync()!;
    assert.throws(() => stream.loanSync(), { code: "EDEADLK", message: /this thread itself/ });
    loan.publish();
    const frame = (await consumer.next())!;
    assert.throws(() => stream.loanSync(), { code: "EDEADLK" });
    frame[Symbol.dispose]();
    assert.notEqual(stream.loanSync(), undefined);
  });

  test("nextSync() of a stream of its own, without a frame", PATIENT, (t) => {
    const stream = streamOf(createDomain(t));
    const consumer = stream.frames();
    assert.throws(() => consumer.nextSync(), { code: "EDEADLK", message: /this thread itself produces it/ });
    stream.loanSync()!.publish();
    assert.equal(consumer.nextSync()!.sequence, 0);
    stream.end();
    assert.equal(consumer.nextSync(), undefined);
  });
});
