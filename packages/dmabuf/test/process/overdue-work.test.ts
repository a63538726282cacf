/**
 * Devices of other processes that take longer for their work than the limit of its fence, because their process is
 * stopped: until they go on and say that they have finished, or are dead, no agent gets the memory.
 */
import { agentOf } from "../../src/domain-base.js";
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { rawFormat, type AccessMode, type DmaBuf } from "../../src/index.js";
import type { ProcessDomain } from "../../src/node/index.js";
import { isPending } from "../agents.js";
import { checkPattern, writePattern } from "../pattern.js";
import { Holder, listen } from "./holder-process.js";

const LIMITED = { timeout: 60_000 };
/** Milliseconds: the limit of the device's fences, and a time that is longer than all limits. */
const TIME_LIMIT = 200;
const LONG = 1_000;
const SIZE = 4096;

const LATE = /agent "process \d+" has not finished its work on timeline "device", which timed out(;|$)/;

function write(bytes: Uint8Array, version: number, domain: ProcessDomain): void {
  writePattern(bytes, version, agentOf(domain).identity, () => {});
}

function versionOf(bytes: Uint8Array): number | undefined {
  return checkPattern(
    bytes,
    () => {},
    () => false,
  );
}

/** A stopped process whose device is in the middle of work on a buffer, past the limit of its fence. */
async function withOverdueDevice(
  t: TestContext,
  mode: AccessMode,
): Promise<{ domain: ProcessDomain; buffer: DmaBuf; holder: Holder }> {
  const { domain, place } = listen(t);
  const holder = await Holder.start(t, place);
  const buffer = domain.allocate(SIZE);
  {
    using access = buffer.tryAccess("write")!;
    write(access.bytes, 7, domain);
  }
  await holder.ask({ order: "import", handle: buffer.handle() });
  await holder.ask({ order: "work", on: "buffer", mode, timeLimit: TIME_LIMIT });
  await holder.stop();
  const [fence] = buffer.reservation.getFences(mode);
  await assert.rejects(fence!.result(), { code: "ETIMEDOUT" });
  return { domain, buffer, holder };
}

test("no agent gets what a stopped device writes, until it goes on, finishes and says so", LIMITED, async (t) => {
  const { domain, buffer, holder } = await withOverdueDevice(t, "write");
  for (const mode of ["read", "write"] as const) {
    await assert.rejects(buffer.access(mode, { timeout: LONG }), { code: "ETIMEDOUT", message: LATE });
    assert.throws(() => buffer.accessSync(mode, { timeout: 100 }), { code: "ETIMEDOUT", message: LATE });
    assert.equal(buffer.tryAccess(mode), undefined);
  }
  const queue = domain.createQueue({ run: () => {} });
  assert.equal(queue.trySubmit({ reads: [buffer] }), undefined);
  await assert.rejects(queue.submit({ writes: [buffer] }, { timeout: 100 }), { code: "ETIMEDOUT", message: LATE });
  assert.equal(domain.statistics()[0]!.overdueFences, 1);
  const reading = buffer.access("read");
  assert.equal(await isPending(reading), true);
  holder.goOn();
  assert.deepEqual(await holder.ask({ order: "work on" }), [1, false, "ETIMEDOUT"]);
  using access = await reading;
  assert.equal(versionOf(access.bytes), 1);
  await (await queue.submit({ reads: [buffer] })).result();
});

test(
  "others read what a stopped device reads, and no agent writes to it until it says that it has finished",
  LIMITED,
  async (t) => {
    const { domain, buffer, holder } = await withOverdueDevice(t, "read");
    {
      using access = await buffer.access("read", { timeout: 30_000 });
      assert.equal(versionOf(access.bytes), 7);
    }
    await assert.rejects(buffer.access("write", { timeout: LONG }), { code: "ETIMEDOUT", message: LATE });
    const writing = buffer.access("write").then((access) => {
      write(access.bytes, 8, domain);
      access[Symbol.dispose]();
    });
    assert.equal(await isPending(writing), true);
    holder.goOn();
    assert.deepEqual(await holder.ask({ order: "work on" }), [7, false, "ETIMEDOUT"]);
    await writing;
    using access = buffer.tryAccess("read")!;
    assert.equal(versionOf(access.bytes), 8);
  },
);

for (const mode of ["read", "write"] as const) {
  test(`a device that was to ${mode} and is killed is waited for no longer`, LIMITED, async (t) => {
    const { domain, buffer, holder } = await withOverdueDevice(t, mode);
    const writing = buffer.access("write");
    assert.equal(await isPending(writing), true);
    await holder.kill();
    using access = await writing;
    write(access.bytes, 9, domain);
    assert.equal(domain.statistics()[0]!.overdueFences, 0);
  });

  test(`a thread that blocks is told of the death of a device that was to ${mode}`, LIMITED, async (t) => {
    const { buffer, holder } = await withOverdueDevice(t, mode);
    holder.child.kill("SIGKILL");
    buffer.accessSync("write", { timeout: 30_000 })[Symbol.dispose]();
  });
}

test("a stream skips a frame that a stopped device reads past the limit of its fence", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const holder = await Holder.start(t, place);
  const stream = domain.createStream({ name: "frames", format: rawFormat(SIZE), buffers: 3 });
  const consumer = stream.frames();
  const publish = async (version: number): Promise<void> => {
    const loan = (await stream.loan({ timeout: 30_000 }))!;
    write(loan.bytes, version, domain);
    loan.publish({ data: version });
    using frame = await consumer.next({ timeout: 30_000 });
    assert.equal(versionOf(frame!.bytes), version);
  };
  const taken = holder.ask({ order: "consume", name: "frames", policy: "drop-oldest" });
  await stream.waitForConsumers(2, { timeout: 30_000 });
  await publish(100);
  assert.equal(await taken, 100);
  await holder.ask({ order: "work", on: "frame", mode: "read", timeLimit: TIME_LIMIT });
  await holder.stop();
  for (let version = 101; version < 130; version++) await publish(version);
  assert.ok(stream.waitsFor.includes(`process ${holder.child.pid}`));
  holder.goOn();
  assert.deepEqual(await holder.ask({ order: "work on" }), [100, false, "ETIMEDOUT"]);
  for (let version = 130; version < 140; version++) await publish(version);
});
