import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { createDomain, DIES, isPending, joinDomain, joinMortal } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import type { Domain } from "../threads.js";
import type { Fence } from "../fence/fence.js";
import type { Timeline } from "../fence/timeline.js";
import type { Usage } from "../reservation/usage.js";
import type { DmaBuf } from "./buffer.js";
import { PAGE_SIZE } from "./storage.js";

const PATIENT = { timeout: 10_000 };

const LATE = /agent "decoder" has not finished its work on timeline "gpu", which timed out(;|$)/;

/** Work on a buffer that its agent takes too long for. */
async function workOverdue(
  domain: Domain,
  buffer: DmaBuf,
  usage: Usage,
): Promise<{ fence: Fence; timeline: Timeline }> {
  const timeline = domain.createTimeline({ name: "gpu", timeLimit: 1 });
  const fence = timeline.createFence();
  {
    using _lock = await buffer.reservation.lock();
    buffer.reservation.reserveFences(1);
    buffer.reservation.addFence(fence, usage);
  }
  assert.equal(await buffer.reservation.wait(usage), "signaled");
  return { fence, timeline };
}

async function withOverdueWork(
  t: TestContext,
  usage: Usage,
): Promise<{ mine: DmaBuf; theirs: DmaBuf; fence: Fence; timeline: Timeline; domain: Domain }> {
  const domain = createDomain(t);
  const mine = domain.allocate(1);
  const decoder = joinDomain(t, domain, "decoder");
  const theirs = decoder.import(mine.handle());
  return { domain, mine, theirs, ...(await workOverdue(decoder, theirs, usage)) };
}

describe("work whose time limit has passed, and whose agent has not said that it has finished", () => {
  for (const [usage, mode] of [
    ["write", "read"],
    ["write", "write"],
    ["kernel", "read"],
    ["read", "write"],
  ] as const) {
    test(`as ${usage} keeps others from a ${mode} access until its agent says so`, PATIENT, async (t) => {
      const { mine, theirs, fence } = await withOverdueWork(t, usage);
      for (const buffer of [mine, theirs]) {
        await assert.rejects(buffer.access(mode, { timeout: 5 }), { code: "ETIMEDOUT", message: LATE });
        assert.equal(buffer.tryAccess(mode), undefined);
        assert.equal(buffer.isReady(mode), true);
        await buffer.beginCpuAccess(mode, { timeout: 5 });
      }
      const waiting = mine.access(mode);
      assert.equal(await isPending(waiting), true);
      fence.signal();
      (await waiting)[Symbol.dispose]();
      mine.tryAccess(mode)![Symbol.dispose]();
    });
  }

  for (const [usage, mode] of [
    ["read", "read"],
    ["bookkeep", "write"],
  ] as const) {
    test(`as ${usage} keeps no agent from a ${mode} access`, PATIENT, async (t) => {
      const { mine } = await withOverdueWork(t, usage);
      (await mine.access(mode))[Symbol.dispose]();
      mine.tryAccess(mode)![Symbol.dispose]();
    });
  }

  test("keeps a thread that blocks from its access", { ...BLOCKS, ...PATIENT }, async (t) => {
    const { mine, theirs, timeline } = await withOverdueWork(t, "write");
    assert.throws(() => mine.accessSync("read", { timeout: 5 }), { code: "ETIMEDOUT", message: LATE });
    assert.throws(() => theirs.accessSync("read"), { code: "EDEADLK" });
    timeline.close();
    mine.accessSync("read")[Symbol.dispose]();
  });

  test("is no longer waited for when its agent is dead", DIES, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const decoder = joinMortal(domain, "decoder");
    await workOverdue(decoder.domain, decoder.domain.import(buffer.handle()), "write");
    const waiting = buffer.access("write");
    assert.equal(await isPending(waiting), true);
    await decoder.die();
    (await waiting)[Symbol.dispose]();
  });

  test("is no longer waited for when its agent has left", PATIENT, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const decoder = joinDomain(t, domain, "decoder");
    await workOverdue(decoder, decoder.import(buffer.handle()), "write");
    const waiting = buffer.access("write");
    assert.equal(await isPending(waiting), true);
    decoder.close();
    (await waiting)[Symbol.dispose]();
  });

  test("keeps the storage where it is, whatever its usage", PATIENT, async (t) => {
    const { mine, fence } = await withOverdueWork(t, "bookkeep");
    const place = [{ memory: new SharedArrayBuffer(PAGE_SIZE), offset: 0, length: PAGE_SIZE }];
    await assert.rejects(mine.move(place, { timeout: 5 }), { code: "ETIMEDOUT", message: LATE });
    fence.signal();
    await mine.move(place);
    assert.equal(mine.segments[0]!.memory, place[0]!.memory);
  });

  test("of the exporter keeps importers from their mappings, whose lock it does not hold up", PATIENT, async (t) => {
    const { mine, fence } = await withOverdueWork(t, "kernel");
    using attachment = mine.attachSync({ name: "display" });
    await assert.rejects(attachment.map(), { code: "ETIMEDOUT", message: LATE });
    assert.equal(mine.reservation.isLocked, false);
    fence.signal();
    (await attachment.map())[Symbol.dispose]();
  });

  test("is counted by the statistics", PATIENT, async (t) => {
    const { domain, fence } = await withOverdueWork(t, "read");
    const counts = (): number[] =>
      domain.statistics().map(({ pendingFences, overdueFences }) => pendingFences + overdueFences);
    assert.equal(domain.statistics()[0]!.overdueFences, 1);
    assert.deepEqual(counts(), [1]);
    fence.signal();
    assert.deepEqual(counts(), [0]);
  });
});
