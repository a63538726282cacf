/**
 * A process that is stopped is not dead: what it has stays its own, and when it goes on nothing was done behind its
 * back.
 */
import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { deadIn, slotOf } from "../../src/domain/agent-slot.js";
import { rawFormat, type DmaBuf, type FenceHandle } from "../../src/index.js";
import type { ProcessDomain } from "../../src/node/index.js";
import { pause, until } from "../agents.js";
import { checkPattern, writePattern } from "../pattern.js";
import { Holder, listen } from "./holder-process.js";
import { StoppedReaper } from "./stopped-reaper.js";

const LIMITED = { timeout: 60_000 };
/** Milliseconds; longer than everything by which an agent that is dead would be noticed. */
const LONG = 1_500;

interface Shared {
  readonly domain: ProcessDomain;
  readonly place: string;
  readonly buffer: DmaBuf;
  readonly holder: Holder;
}

async function withBuffer(t: TestContext): Promise<Shared> {
  const { domain, place } = listen(t);
  const holder = await Holder.start(t, place);
  const buffer = domain.allocate(16_384);
  {
    using access = buffer.tryAccess("write")!;
    writePattern(access.bytes, 7, agentOf(domain).identity, () => {});
  }
  await holder.ask({ order: "import", handle: buffer.handle() });
  return { domain, place, buffer, holder };
}

function versionIn(buffer: DmaBuf): number | undefined {
  using access = buffer.tryAccess("read")!;
  return checkPattern(
    access.bytes,
    () => {},
    () => false,
  );
}

test(
  "a stopped writer keeps its hold and its reference past the limit of its fences, and finishes what it wrote",
  LIMITED,
  async (t) => {
    const { domain, buffer, holder } = await withBuffer(t);
    const fence = domain.import((await holder.ask({ order: "fence", timeLimit: 300 })) as FenceHandle);
    await holder.ask({ order: "write" });
    await holder.stop();
    await assert.rejects(fence.result(), { code: "ETIMEDOUT" });
    await assert.rejects(buffer.access("read", { timeout: LONG }), { code: "ETIMEDOUT" });
    assert.equal(buffer.tryAccess("write"), undefined);
    assert.equal(domain.agents.length, 2);
    assert.equal(domain.statistics()[0]!.holders.length, 2);
    holder.goOn();
    await holder.ask({ order: "write on" });
    assert.equal(versionIn(buffer), 1);
  },
);

test("no agent writes to what a stopped reader reads", LIMITED, async (t) => {
  const { buffer, holder } = await withBuffer(t);
  await holder.ask({ order: "read" });
  await holder.stop();
  await assert.rejects(buffer.access("write", { timeout: LONG }), { code: "ETIMEDOUT" });
  assert.throws(() => buffer.accessSync("write", { timeout: 200 }), { code: "ETIMEDOUT" });
  holder.goOn();
  assert.equal(await holder.ask({ order: "read on" }), 7);
  (await buffer.access("write"))[Symbol.dispose]();
});

test("a stopped holder of a lock delays that buffer, and no other", LIMITED, async (t) => {
  const { domain, buffer, holder } = await withBuffer(t);
  await holder.ask({ order: "lock" });
  await holder.stop();
  await assert.rejects(buffer.reservation.lock(undefined, { timeout: LONG }), { code: "ETIMEDOUT" });
  const other = domain.allocate(4096);
  (await other.reservation.lock(undefined, { timeout: 30_000 }))[Symbol.dispose]();
  (await other.access("write", { timeout: 30_000 }))[Symbol.dispose]();
  holder.goOn();
  await holder.ask({ order: "unlock" });
  (await buffer.reservation.lock())[Symbol.dispose]();
});

test("a stream skips the frame that a stopped consumer holds", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const holder = await Holder.start(t, place);
  const stream = domain.createStream({ name: "frames", format: rawFormat(4096), buffers: 3 });
  const consumer = stream.frames();
  const publish = async (version: number): Promise<void> => {
    const loan = (await stream.loan({ timeout: 30_000 }))!;
    writePattern(loan.bytes, version, agentOf(domain).identity, () => {});
    loan.publish({ data: version });
    using frame = await consumer.next({ timeout: 30_000 });
    assert.equal(frame!.data, version);
  };
  const held = holder.ask({ order: "consume", name: "frames", policy: "drop-oldest" });
  await stream.waitForConsumers(2, { timeout: 30_000 });
  await publish(100);
  assert.equal(await held, 100);
  await holder.stop();
  for (let version = 101; version < 130; version++) await publish(version);
  holder.goOn();
  assert.equal(await holder.ask({ order: "check frame" }), 100);
});

test("a producer that is held by a stopped consumer says for whom it waits", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const holder = await Holder.start(t, place);
  const stream = domain.createStream({ name: "frames", format: rawFormat(4096), buffers: 2 });
  const held = holder.ask({ order: "consume", name: "frames", policy: "block" });
  await stream.waitForConsumers(1, { timeout: 30_000 });
  (await stream.loan())!.publish({ data: 0 });
  await held;
  await holder.stop();
  (await stream.loan({ timeout: 30_000 }))!.publish();
  const name = `process ${holder.child.pid}`;
  await assert.rejects(stream.loan({ timeout: 200 }), {
    code: "ETIMEDOUT",
    message: new RegExp(`waits for .*"${name}"`),
  });
  assert.deepEqual(stream.waitsFor, [name]);
});

test("a stopped process is not declared dead", LIMITED, async (t) => {
  const { domain, holder } = await withBuffer(t);
  await holder.stop();
  await pause(LONG);
  assert.equal(domain.agents.length, 2);
  await holder.kill();
  await until(() => domain.agents.length === 1);
});

test("a dead agent blocks no other, though its reaper is stopped until later", LIMITED, async (t) => {
  for (let round = 1; ; round++) {
    const { domain, place, buffer, holder } = await withBuffer(t);
    const stream = domain.createStream({ name: "frames", format: rawFormat(4096), buffers: 2 });
    await holder.ask({ order: "read" });
    const held = holder.ask({ order: "consume", name: "frames", policy: "block" });
    await stream.waitForConsumers(1, { timeout: 20_000 });
    const publish = async (version: number): Promise<void> => {
      const loan = (await stream.loan({ timeout: 20_000 }))!;
      writePattern(loan.bytes, version, agentOf(domain).identity, () => {});
      loan.publish({ data: version });
    };
    // It holds the first frame, and has not taken the second one.
    await publish(0);
    await held;
    await publish(1);
    const reaper = new StoppedReaper({ joinsAt: place, pid: holder.child.pid!, identity: holder.identity, step: 0 });
    t.after(() => reaper.kill());
    await until(() => reaper.identity !== 0);
    reaper.reap();
    await until(() => reaper.hasReaped || reaper.standsStill);
    // This thread may have been faster, also while the other one stopped.
    const isFirst = reaper.standsStill && deadIn(agentOf(domain), slotOf(holder.identity)) === holder.identity;
    if (!isFirst && round < 20) continue;
    assert.ok(isFirst, "it was never the first");
    (await buffer.access("write", { timeout: 20_000 }))[Symbol.dispose]();
    for (const version of [2, 3]) await publish(version);
    assert.deepEqual([stream.consumers, stream.waitsFor], [0, []]);
    reaper.goOn();
    await until(() => deadIn(agentOf(domain), slotOf(holder.identity)) === 0);
    return;
  }
});
