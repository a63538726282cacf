import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { ProcessDomain } from "../../src/node/index.js";
import { closeDescriptor, createPipe, readDescriptor, writeDescriptor } from "../../src/node/system-calls/index.js";
import { randomUUID } from "node:crypto";
import { until } from "../agents.js";
import { Peer } from "./peer.js";

const LIMITED = { timeout: 30_000 };

test(
  "a descriptor that is offered by a name is taken by another process, however often, and is the same thing",
  LIMITED,
  async (t) => {
    const place = `@dmabuf test ${randomUUID()}`;
    using domain = ProcessDomain.listen(place, { agents: 4 });
    const peer = await Peer.start(t, place);
    const { reader, writer } = createPipe();
    const taken = peer.ask({ order: "write to descriptor", name: "pipe", text: "one" });
    // Offered only when it is waited for already.
    const offer = domain.descriptors.offer("pipe", writer);
    closeDescriptor(writer);
    assert.equal(await taken, "done");
    assert.equal(await peer.ask({ order: "write to descriptor", name: "pipe", text: "two" }), "done");
    const bytes = Buffer.alloc(16);
    assert.equal(bytes.toString("utf8", 0, readDescriptor(reader, bytes)), "onetwo");
    offer[Symbol.dispose]();
    // No process has the other end any more.
    assert.equal(readDescriptor(reader, bytes), 0);
    closeDescriptor(reader);
  },
);

test(
  "what no agent offers is ETIMEDOUT, what is offered twice EEXIST, and an agent takes its own offer",
  LIMITED,
  async () => {
    using domain = ProcessDomain.create({ agents: 2 });
    await assert.rejects(domain.descriptors.take("nothing", { timeout: 20 }), { code: "ETIMEDOUT" });
    const { reader, writer } = createPipe();
    using offer = domain.descriptors.offer("pipe", writer);
    assert.throws(() => domain.descriptors.offer("pipe", writer), { code: "EEXIST" });
    const own = await domain.descriptors.take("pipe");
    writeDescriptor(own, Buffer.from("x"));
    assert.equal(readDescriptor(reader, Buffer.alloc(4)), 1);
    [own, reader, writer].forEach(closeDescriptor);
    void offer;
  },
);

test("a thread that blocks takes a descriptor of another process", LIMITED, async (t) => {
  const place = `@dmabuf test ${randomUUID()}`;
  using domain = ProcessDomain.listen(place, { agents: 4 });
  const peer = await Peer.start(t, place);
  assert.throws(() => domain.descriptors.takeSync("text", { timeout: 20 }), { code: "ETIMEDOUT" });
  const offered = peer.ask({ order: "offer", name: "text", text: "hello" });
  const reader = domain.descriptors.takeSync("text", { timeout: 20_000 });
  const bytes = Buffer.alloc(16);
  assert.equal(bytes.toString("utf8", 0, readDescriptor(reader, bytes)), "hello");
  closeDescriptor(reader);
  await offered;
});

test("an agent that leaves keeps nothing open of what it has offered", LIMITED, async () => {
  using domain = ProcessDomain.create({ agents: 2 });
  const before = readdirSync("/proc/self/fd").length;
  const other = ProcessDomain.join(domain.invite());
  const offers = Array.from({ length: 20 }, (_, i) => other.descriptors.offer(`output ${i}`, 1));
  other.close();
  await until(() => readdirSync("/proc/self/fd").length <= before);
  for (const offer of offers) offer[Symbol.dispose]();
});

test("several waits of one agent get a descriptor each, and none stays behind", LIMITED, async () => {
  const place = `@dmabuf test ${randomUUID()}`;
  using domain = ProcessDomain.listen(place, { agents: 4 });
  const other = await ProcessDomain.connect(place);
  const { reader, writer } = createPipe();
  const before = readdirSync("/proc/self/fd").length;
  const takes = [1, 2, 3].map(() => other.descriptors.take("pipe", { timeout: 10_000 }));
  const offer = domain.descriptors.offer("pipe", writer);
  const taken = await Promise.all(takes);
  assert.equal(new Set(taken).size, 3);
  taken.forEach(closeDescriptor);
  offer[Symbol.dispose]();
  await until(() => readdirSync("/proc/self/fd").length === before);
  other.close();
  [reader, writer].forEach(closeDescriptor);
});
