import { bufferOf } from "./substrate/atomic-words.js";
import { agentOf } from "./domain-base.js";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BLOCKS } from "../test/blocking.js";
import { createDomain, die, DIES, joinDomain, joinMortal, until } from "../test/agents.js";
import type { Invitation } from "./thread-domain.js";
import { Domain } from "./threads.js";
import { HEADER, LAYOUT_VERSION } from "./domain/layout.js";
import { rawFormat } from "./stream/format.js";

const pending = (): Promise<never> => new Promise(() => {});

describe("Domain.create()", () => {
  test("says what a page lacks that is not cross-origin isolated, and which headers bring it", () => {
    const { SharedArrayBuffer } = globalThis;
    try {
      Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
      const message =
        /no SharedArrayBuffer.*Cross-Origin-Opener-Policy: same-origin.*Cross-Origin-Embedder-Policy: require-corp/;
      assert.throws(() => Domain.create(), { code: "EOPNOTSUPP", message });
    } finally {
      globalThis.SharedArrayBuffer = SharedArrayBuffer;
    }
  });

  test("refuses a size out of range and names the option", () => {
    for (const option of ["agents", "buffers", "timelines", "oneShots", "streams"] as const) {
      for (const size of [0, -1, 1.5, 2 ** 21, NaN]) {
        const expected = { name: "RangeError", message: new RegExp(`"${option}".*not ${size}`) };
        assert.throws(() => Domain.create({ [option]: size }), expected);
      }
    }
  });

  test("has room for 64 agents, 1,024 buffers, 1,024 timelines and 8,192 one-shot fences by default", () => {
    using domain = Domain.create();
    const { agents, buffers, timelines, oneShots } = agentOf(domain).layout.sizes;
    assert.deepEqual([agents, buffers, timelines, oneShots], [64, 1024, 1024, 8192]);
  });

  test("refuses a spin that is no time", () => {
    for (const spin of [-1, NaN, Infinity]) {
      assert.throws(() => Domain.create({ spin }), { name: "RangeError", message: new RegExp(`"spin".*not ${spin}`) });
    }
  });

  test("lets a blocking wait look again and again for as long as `spin` says, and not at all with 0", BLOCKS, (t) => {
    const looks = (spin: number): number => {
      let count = 0;
      const never = { arm: () => {}, ready: () => ++count === 0 };
      assert.equal(agentOf(createDomain(t, { spin })).waitSync(never, 10), false);
      return count;
    };
    // A few around each sleep.
    assert.ok(looks(0) < 20);
    // On a busy machine the time may be over before it could look.
    assert.ok(Array.from({ length: 50 }).some(() => looks(5) > 100));
  });

  test("names the calling thread main, or as it is told", (t) => {
    assert.deepEqual(createDomain(t).agents, ["main"]);
    assert.deepEqual(createDomain(t, { name: "page" }).agents, ["page"]);
  });

  test("gives each domain an id of its own, which its agents share", (t) => {
    const [one, other] = [createDomain(t), createDomain(t)];
    assert.notEqual(one.id, other.id);
    assert.equal(joinDomain(t, one).id, one.id);
  });
});

describe("a full table is ENOSPC, names its option, and has room again when one leaves:", () => {
  test("agents", DIES, async (t) => {
    const domain = createDomain(t, { agents: 2 });
    const invitation = domain.invite();
    assert.throws(() => domain.invite(), { code: "ENOSPC", message: /all 2 .*option "agents"/ });
    await die(domain, invitation);
    joinDomain(t, domain).close();
    joinDomain(t, domain);
  });

  test("buffers", (t) => {
    const domain = createDomain(t, { buffers: 1 });
    const buffer = domain.allocate(1);
    assert.throws(() => domain.allocate(1), { code: "ENOSPC", message: /all 1 .*option "buffers"/ });
    buffer.close();
    domain.allocate(1);
  });

  test("timelines", (t) => {
    const domain = createDomain(t, { timelines: 1 });
    const timeline = domain.createTimeline();
    assert.throws(() => domain.createTimeline(), { code: "ENOSPC", message: /all 1 .*option "timelines"/ });
    timeline.close();
    domain.createTimeline();
  });

  test("oneShots", (t) => {
    const domain = createDomain(t, { oneShots: 1 });
    const fence = domain.fenceFrom(pending());
    const expected = { code: "ENOSPC", message: /all 1 .*option "oneShots"/ };
    assert.throws(() => domain.fenceFrom(pending()), expected);
    fence.signal();
    domain.fenceFrom(pending());
  });

  test("streams", (t) => {
    const domain = createDomain(t, { streams: 1 });
    const stream = domain.createStream({ format: rawFormat(1) });
    const expected = { code: "ENOSPC", message: /all 1 .*option "streams"/ };
    assert.throws(() => domain.createStream({ format: rawFormat(1) }), expected);
    stream.close();
    domain.createStream({ format: rawFormat(1) });
  });

  test("the handles in flight of a buffer, with EAGAIN", (t) => {
    const domain = createDomain(t, { agents: 2 });
    const buffer = domain.allocate(1);
    const handles = [buffer.handle(), buffer.handle()];
    assert.throws(() => buffer.handle(), { code: "EAGAIN", message: /2 handles .*option "agents"/ });
    handles[0]![Symbol.dispose]();
    buffer.handle();
  });
});

describe("a stream that cannot be created leaves no buffer behind", () => {
  test("when there is no room for the stream", (t) => {
    const domain = createDomain(t, { streams: 1 });
    domain.createStream({ format: rawFormat(1), buffers: 2 });
    assert.throws(() => domain.createStream({ format: rawFormat(1) }), { code: "ENOSPC" });
    assert.equal(domain.statistics().length, 2);
  });

  test("when there is no room for all of its buffers", (t) => {
    const domain = createDomain(t, { buffers: 3 });
    assert.throws(() => domain.createStream({ format: rawFormat(1), buffers: 4 }), { code: "ENOSPC" });
    assert.equal(domain.statistics().length, 0);
  });
});

describe("Domain.join()", () => {
  test("refuses a domain of another layout version and names both versions", (t) => {
    const invitation = createDomain(t).invite();
    new Int32Array(bufferOf(invitation.control))[HEADER.VERSION] = LAYOUT_VERSION + 1;
    const expected = {
      code: "EPROTO",
      message: new RegExp(`version is ${LAYOUT_VERSION + 1}, this library's is ${LAYOUT_VERSION}`),
    };
    assert.throws(() => Domain.join(invitation), expected);
  });

  test("refuses memory that is no domain's, and memory that is too short for its header", (t) => {
    const invitation = createDomain(t).invite();
    const foreign = { ...invitation, control: new SharedArrayBuffer(4096) };
    assert.throws(() => Domain.join(foreign), { code: "EPROTO", message: /no dmabuf control segment/ });
    const short = new SharedArrayBuffer(HEADER.WORDS * 4);
    new Int32Array(short).set(new Int32Array(bufferOf(invitation.control), 0, HEADER.WORDS));
    const expected = { code: "EPROTO", message: new RegExp(`it has ${HEADER.WORDS} words, its sizes need \\d+`) };
    assert.throws(() => Domain.join({ ...invitation, control: short }), expected);
  });

  test("refuses in words what is no invitation, or one of a domain between processes", (t) => {
    const { inviter, port } = createDomain(t).invite();
    const ofProcesses = { reservation: { identity: 1 }, files: {}, inviter, port };
    const join = (invitation: unknown) => () => Domain.join(invitation as Invitation);
    assert.throws(join(ofProcesses), {
      name: "TypeError",
      message: /an invitation of dmabuf\/node, which is for ProcessDomain\.join\(\)$/,
    });
    for (const nothing of [undefined, null, 7, {}]) {
      assert.throws(join(nothing), { name: "TypeError", message: /^Domain\.join\(\): invitation/ });
    }
  });

  test("adds the agent under its name, which has at most 31 bytes of UTF-8, until it leaves", (t) => {
    const domain = createDomain(t);
    assert.throws(() => domain.invite({ name: "é".repeat(16) }), {
      code: "EINVAL",
      message: /option "name".*31 bytes/,
    });
    const worker = joinDomain(t, domain, "é".repeat(15));
    assert.deepEqual(domain.agents, ["main", "é".repeat(15)]);
    worker.close();
    assert.deepEqual(domain.agents, ["main"]);
  });

  test("gives each agent an identity that no agent before it had", (t) => {
    const domain = createDomain(t, { agents: 2 });
    const identities = new Set([agentOf(domain).identity]);
    for (let i = 0; i < 5; i++) {
      const worker = joinDomain(t, domain);
      identities.add(agentOf(worker).identity);
      worker.close();
    }
    assert.equal(identities.size, 6);
  });
});

describe("Domain.close()", () => {
  test("makes every method fail with EBADF, and does nothing when called again", (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const handle = buffer.handle();
    const stream = domain.createStream({ format: rawFormat(1) });
    domain.close();
    assert.equal(domain.isClosed, true);
    domain.close();
    const uses: (() => unknown)[] = [
      () => domain.invite(),
      () => domain.allocate(1),
      () => domain.heaps.get("system").allocate(1),
      () => domain.export([]),
      () => domain.import(handle),
      () => domain.createTimeline(),
      () => domain.fenceFrom(pending()),
      () => domain.createStream({ format: rawFormat(1) }),
      () => buffer.handle(),
      () => stream.handle(),
    ];
    for (const use of uses) assert.throws(use, { code: "EBADF" }, use.toString());
  });

  test("rejects this agent's pending waits with ECANCELED", { timeout: 10_000 }, async (t) => {
    const domain = createDomain(t);
    const worker = joinDomain(t, domain);
    const buffer = domain.allocate(1);
    const mine = worker.import(buffer.handle());
    using _access = buffer.tryAccess("write")!;
    using _lock = buffer.reservation.tryLock()!;
    const stream = domain.createStream({ format: rawFormat(1), buffers: 1 });
    const theirs = worker.createStream({ format: rawFormat(1), buffers: 1 });
    using _loan = await theirs.loan();
    const waits = [
      mine.access("read"),
      mine.access("write"),
      mine.reservation.lock(),
      worker.lockAll([mine]),
      worker.import(stream.handle()).frames().next(),
      worker.import(domain.createTimeline().createFence().handle()).wait(),
    ];
    worker.close();
    for (const wait of waits) await assert.rejects(wait, { code: "ECANCELED" });
  });

  test("ends this agent's pending fences with ECANCELED, for all", { timeout: 10_000 }, async (t) => {
    const domain = createDomain(t);
    const worker = joinDomain(t, domain);
    const fences = [worker.createTimeline().createFence(), worker.fenceFrom(pending())];
    const seen = fences.map((fence) => domain.import(fence.handle()));
    const waits = seen.map((fence) => fence.result());
    worker.close();
    for (const wait of waits) await assert.rejects(wait, { code: "ECANCELED" });
    assert.deepEqual(
      fences.map((fence) => fence.error?.code),
      ["ECANCELED", "ECANCELED"],
    );
  });

  test("does not throw while fences with callbacks and exported buffers are pending", (t) => {
    const domain = createDomain(t);
    let released = 0;
    const memory = new SharedArrayBuffer(4096);
    domain.export([{ memory, offset: 0, length: 4096 }], {
      ops: { map: () => [], unmap() {}, release: () => void released++ },
    });
    let called = 0;
    domain.fenceFrom(pending()).addCallback(() => void called++);
    domain
      .createTimeline()
      .createFence()
      .addCallback(() => void called++);
    domain.close();
    assert.deepEqual([called, released], [2, 1]);
  });

  test("opens this agent's locks, ends its accesses and gives its frames back", { timeout: 10_000 }, async (t) => {
    const domain = createDomain(t);
    const worker = joinDomain(t, domain);
    const buffer = domain.allocate(1);
    const stream = domain.createStream({ format: rawFormat(1), buffers: 1 });
    const consumer = worker.import(stream.handle()).frames();
    (await stream.loan())!.publish();
    await consumer.next();
    const theirs = worker.import(buffer.handle());
    await theirs.access("write");
    await theirs.reservation.lock();
    const waits = [buffer.access("write"), buffer.reservation.lock(), stream.loan()];
    worker.close();
    await Promise.all(waits);
    assert.equal(stream.consumers, 0);
    assert.deepEqual(
      domain.statistics().map(({ holders }) => holders),
      [["main"], ["main"]],
    );
  });

  test("leaves the buffers that others hold, and their bytes", (t) => {
    const domain = createDomain(t);
    const worker = joinDomain(t, domain);
    const buffer = worker.allocate(1, { name: "kept" });
    buffer.accessSync("write").bytes[0] = 7;
    const mine = domain.import(buffer.handle());
    worker.close();
    assert.equal(mine.tryAccess("read")?.bytes[0], 7);
    assert.equal(domain.statistics()[0]?.name, "kept");
  });
});

describe("an agent that dies", () => {
  test("takes nothing with it", DIES, async (t) => {
    const domain = createDomain(t);
    const { domain: mortal, die } = joinMortal(domain);
    const buffer = domain.allocate(1);
    const theirs = mortal.import(buffer.handle());
    mortal.allocate(1).handle();
    await theirs.access("write");
    using _lock = await theirs.reservation.lock();
    const timeline = mortal.createTimeline().createFence();
    const oneShot = mortal.fenceFrom(pending());
    const fences = [timeline, oneShot].map((fence) => domain.import(fence.handle()));
    theirs.reservation.reserveFences(1);
    theirs.reservation.addFence(timeline, "write");
    const waits = [buffer.access("read"), buffer.reservation.lock()];
    await die();
    await Promise.all(waits);
    assert.deepEqual(
      fences.map((fence) => fence.error?.code),
      ["ESRCH", "ESRCH"],
    );
    assert.deepEqual(domain.agents, ["main"]);
    assert.deepEqual(
      domain.statistics().map(({ holders, pendingFences, writer }) => ({ holders, pendingFences, writer })),
      [{ holders: ["main"], pendingFences: 0, writer: undefined }],
    );
  });

  test("gives its frame back to the producer, who goes on", DIES, async (t) => {
    const domain = createDomain(t);
    const { domain: mortal, die } = joinMortal(domain);
    const stream = domain.createStream({ format: rawFormat(1), buffers: 1 });
    const consumer = mortal.import(stream.handle()).frames();
    (await stream.loan())!.publish();
    await consumer.next();
    const loan = stream.loan();
    await die();
    assert.notEqual(await loan, undefined);
    assert.equal(stream.consumers, 0);
  });

  test("fails the streams it produced with ESRCH, after the frames it had published", DIES, async (t) => {
    const domain = createDomain(t);
    const { domain: mortal, die } = joinMortal(domain);
    const stream = mortal.createStream({ format: rawFormat(1) });
    const consumer = domain.import(stream.handle()).frames();
    (await stream.loan())!.publish();
    await die();
    assert.equal((await consumer.next())?.sequence, 0);
    await assert.rejects(consumer.next(), { code: "ESRCH", message: /producer died/ });
  });

  test("before it has joined gives its place back", DIES, async (t) => {
    const domain = createDomain(t, { agents: 2 });
    await die(domain, domain.invite());
    assert.deepEqual(domain.agents, ["main"]);
    joinDomain(t, domain);
  });

  test("is recovered by those it had invited", DIES, async (t) => {
    const main = createDomain(t);
    const { domain: inviter, die: dies } = joinMortal(main);
    const worker = joinDomain(t, inviter);
    const buffer = inviter.allocate(1);
    const mine = worker.import(buffer.handle());
    await dies();
    await until(() => worker.agents.length === 2);
    assert.deepEqual(worker.statistics()[0]?.holders, ["worker"]);
    mine.close();
    assert.deepEqual(worker.statistics(), []);
  });
});
