import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { agentOf } from "../../src/domain-base.js";
import { rawFormat, type BufferHandleData } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";
import { descriptorsOf } from "../../src/node/joining/domain-files.js";
import { requestDomain } from "../../src/node/joining/join-protocol.js";
import { Mailbox } from "../../src/node/messages/mailbox.js";
import { threadLedger } from "../../src/node/resources/thread-ledger.js";
import { closeDescriptor } from "../../src/node/system-calls/index.js";
import { until } from "../agents.js";
import { connectBare } from "../strangers.js";
import { listen } from "./holder-process.js";
import { Peer } from "./peer.js";

const LIMITED = { timeout: 30_000 };

test("a buffer's bytes are the same memory in another process", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const peer = await Peer.start(t, place);
  const buffer = domain.allocate(8192, { name: "shared" });
  assert.equal(await peer.ask({ order: "import", handle: buffer.handle() }), "shared");
  await peer.ask({ order: "access", mode: "write" });
  await peer.ask({ order: "write", value: 7 });
  assert.equal(buffer.tryAccess("read"), undefined);
  await peer.ask({ order: "end access" });
  const access = buffer.tryAccess("read");
  assert.deepEqual([...new Set(access?.bytes)], [7]);
});

test("a child that was forked joins through the descriptor that it inherited", LIMITED, async (t) => {
  const { domain } = listen(t);
  const invitation = domain.inviteProcess();
  const peer = await Peer.start(t, invitation);
  invitation[Symbol.dispose]();
  assert.equal(domain.agents.length, 2);
  await peer.ask({ order: "leave" });
  await until(() => domain.agents.length === 1);
});

// mailbox.2
test("a stream that no message could tell of is found by asking", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const other = await ProcessDomain.connect(place);
  t.after(() => other.close());
  const fill = await mailboxFiller(t, place);
  fill(domain, other);
  domain.createStream({ name: "camera", format: rawFormat(64) });
  using stream = await other.findStream("camera", { timeout: 10_000 });
  assert.equal(stream.format.size, 64);
});

// mailbox.3
test("an importer needs nothing of an exporter that blocks (request-server.3, file-carrier.1)", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const peer = await Peer.start(t, place);
  const buffer = domain.allocate(4096, { name: "mine" });
  const handle = buffer.handle();
  const imported = peer.ask({ order: "import", handle });
  // Nothing of this process's event loop turns until the other one has the buffer.
  const fence = domain.createTimeline().createFence();
  assert.equal(fence.waitSync({ timeout: 500 }), "timed-out");
  assert.match(buffer.describe(), /count:\t2/);
  assert.equal(await imported, "mine");
});

test("a process that is killed in the middle of a write access lets the next one in", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const peer = await Peer.start(t, place);
  const buffer = domain.allocate(4096);
  await peer.ask({ order: "import", handle: buffer.handle() });
  await peer.ask({ order: "access", mode: "write" });
  await peer.kill();
  using access = await buffer.access("write", { timeout: 10_000 });
  assert.equal(access.bytes.length, 4096);
  assert.equal(domain.agents.length, 1);
});

test("a process that is killed is noticed by one that blocks", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const peer = await Peer.start(t, place);
  const buffer = domain.allocate(4096);
  await peer.ask({ order: "import", handle: buffer.handle() });
  await peer.ask({ order: "access", mode: "write" });
  peer.child.kill("SIGKILL");
  using access = buffer.accessSync("write", { timeout: 10_000 });
  assert.equal(access.bytes.length, 4096);
});

test("a stream is found by its name, and its frames come in order", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const peer = await Peer.start(t, place);
  const consumed = peer.ask({ order: "consume", name: "numbers", frames: 20 });
  using stream = domain.createStream({ name: "numbers", format: rawFormat(100) });
  await stream.waitForConsumers(1, { timeout: 30_000 });
  for (let i = 0; i < 20; i++) {
    const loan = (await stream.loan())!;
    loan.bytes[0] = i;
    loan.publish();
  }
  assert.deepEqual(await consumed, [...Array(20).keys()]);
});

// listening-socket.1, listening-socket.4
test(
  "a socket file has mode 0600, goes with its listener, and is replaced if it was left behind",
  LIMITED,
  async (t) => {
    const { domain, place } = listen(t);
    assert.equal(statSync(place).mode & 0o777, 0o600);
    const peer = await Peer.start(t, place);
    assert.throws(() => ProcessDomain.listen(place), { code: "EADDRINUSE" });
    domain.close();
    assert.equal(existsSync(place), false);
    await peer.kill();
    await assert.rejects(ProcessDomain.connect(place), { code: "ENOENT" });
  },
);

test("joining and leaving leaves no descriptor open", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const count = (): number => readdirSync("/proc/self/fd").length;
  const before = count();
  for (let i = 0; i < 20; i++) {
    const other = await ProcessDomain.connect(place);
    using buffer = domain.allocate(4096);
    other.import(buffer.handle("read"));
    other.close();
  }
  await until(() => count() <= before);
});

test("a buffer whose exporter was killed can be had from another holder (mailbox.1)", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const exporter = await Peer.start(t, place);
  const handle = (await exporter.ask({ order: "export", name: "orphan", value: 9 })) as BufferHandleData;
  const buffer = domain.import(handle);
  await exporter.kill();
  await until(() => domain.agents.length === 1);
  // It joins later than the handle was made: nothing of the buffer lies in its mailbox.
  const late = await Peer.start(t, place);
  assert.equal(await late.ask({ order: "import", handle: buffer.handle("read") }), "orphan");
  await late.ask({ order: "access", mode: "read" });
  assert.deepEqual(await late.ask({ order: "read" }), [9]);
  const writer = await Peer.start(t, place);
  assert.equal(await writer.ask({ order: "import", handle }), "orphan");
  // An agent that may only read has nothing to give to a writer.
  await writer.kill();
  buffer.close();
  const last = await Peer.start(t, place);
  assert.match(String(await last.ask({ order: "import", handle })), /ESTALE/);
});

test(
  "a domain that is full, or of another layout, refuses a process, which keeps no descriptor",
  LIMITED,
  async (t) => {
    const { domain, place } = listen(t);
    const others = await Promise.all(Array.from({ length: 7 }, () => ProcessDomain.connect(place)));
    t.after(() => others.forEach((other) => other.close()));
    const before = readdirSync("/proc/self/fd").length;
    await assert.rejects(ProcessDomain.connect(place), { code: "ENOSPC" });
    await until(() => readdirSync("/proc/self/fd").length <= before);
    assert.equal(domain.agents.length, 8);
  },
);

test("an invitation of a worker serves once", LIMITED, (t) => {
  const { domain } = listen(t);
  const invitation = domain.invite();
  ProcessDomain.join(invitation).close();
  assert.throws(() => ProcessDomain.join(invitation), { code: "ESTALE" });
});

// file-carrier.2
test(
  "an agent that joins later imports what a handle still holds, though its exporter has closed it",
  LIMITED,
  async (t) => {
    const { domain, place } = listen(t);
    const buffer = domain.allocate(4096, { name: "sent" });
    {
      using access = buffer.tryAccess("write")!;
      access.bytes.fill(5);
    }
    const handle = buffer.handle("read");
    buffer.close();
    const peer = await Peer.start(t, place);
    assert.equal(await peer.ask({ order: "import", handle }), "sent");
    await peer.ask({ order: "access", mode: "read" });
    assert.deepEqual(await peer.ask({ order: "read" }), [5]);
  },
);

for (const isFullToo of [false, true]) {
  test(
    `the memory for which the mailbox had no room is had from an agent of the same thread, ${isFullToo ? "whose mailbox is full, too" : "which the importer blocks"} (file-carrier.2)`,
    LIMITED,
    async (t) => {
      const { domain, place } = listen(t);
      const other = await ProcessDomain.connect(place);
      t.after(() => other.close());
      const fill = await mailboxFiller(t, place);
      fill(domain, other);
      using handle = domain.allocate(4096, { name: "late" }).handle();
      if (isFullToo) fill(other, domain);
      using buffer = other.import(structuredClone(handle));
      assert.equal(buffer.size, 4096);
    },
  );
}

test("the exporter imports what it has closed, as long as a handle holds it", LIMITED, (t) => {
  const { domain } = listen(t);
  const buffer = domain.allocate(4096);
  {
    using access = buffer.tryAccess("write")!;
    access.bytes.fill(6);
  }
  const handle = buffer.handle();
  buffer.close();
  using again = domain.import(handle);
  using access = again.tryAccess("read");
  assert.equal(access?.bytes[4095], 6);
});

test("a stream is found although its producer could make no handle when it was asked", LIMITED, async (t) => {
  const { domain, place } = listen(t, { handleLimit: 1_000 });
  const stream = domain.createStream({ name: "busy", format: rawFormat(100) });
  for (let i = 0; i < 8; i++) stream.handle();
  assert.throws(() => stream.handle(), { code: "EAGAIN" });
  const peer = await Peer.start(t, place);
  const consumed = peer.ask({ order: "consume", name: "busy", frames: 1 });
  await stream.waitForConsumers(1, { timeout: 10_000 });
  (await stream.loan())!.publish();
  assert.deepEqual(await consumed, [0]);
});

/** Fills the mailbox of `to`: nothing is taken out before the next turn of the event loop. */
type Fill = (from: ProcessDomain, to: ProcessDomain) => void;

async function mailboxFiller(t: TestContext, place: string): Promise<Fill> {
  const connection = connectBare(place);
  const files = await requestDomain(connection, place, { end: performance.now() + 30_000 });
  t.after(() => [connection, ...descriptorsOf(files)].forEach(closeDescriptor));
  return (from, to) => {
    const mailbox = new Mailbox(agentOf(from), files, threadLedger(), () => {});
    while (mailbox.send(agentOf(to).identity, { kind: "ask for streams" }));
  };
}
