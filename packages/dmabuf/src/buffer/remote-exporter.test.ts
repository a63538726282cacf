import { agentOf } from "../domain-base.js";
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { createDomain, DIES, isPending, joinDomain, joinMortal, until } from "../../test/agents.js";
import type { Domain } from "../threads.js";
import { DmaBufError } from "../errors.js";
import type { DmaBuf } from "./buffer.js";
import type { ExporterOps } from "./exporter.js";
import type { StorageSegment } from "./storage.js";

const LIMIT = { timeout: 20_000 };

const page = (): StorageSegment => ({ memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 });

/** A promise that the test settles. */
function promised(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** All operations, which record their names; some of them replaced. */
function recorder(ops: Partial<ExporterOps> = {}): { calls: string[]; ops: ExporterOps } {
  const calls: string[] = [];
  const record =
    (name: string) =>
    ({ importer }: { importer: { name?: string } }): void =>
      void calls.push(importer.name === undefined ? name : `${name} ${importer.name}`);
  return {
    calls,
    ops: {
      attach: record("attach"),
      detach: record("detach"),
      pin: record("pin"),
      unpin: record("unpin"),
      map(attachment) {
        record("map")(attachment);
        return [page()];
      },
      unmap: record("unmap"),
      beginCpuAccess: (mode) => void calls.push(`begin ${mode}`),
      endCpuAccess: (mode) => void calls.push(`end ${mode}`),
      release: () => void calls.push("release"),
      ...ops,
    },
  };
}

/** An exporter's agent with a buffer, and another agent that has imported it. */
function exportTo(t: TestContext, ops: ExporterOps, options: { requests?: number } = {}) {
  const owner = createDomain(t, options);
  const user = joinDomain(t, owner, "user");
  const exported = owner.export([page()], { ops });
  return { owner, user, exported, buffer: user.import(exported.handle()) };
}

/** As {@link exportTo}, with an importer that can die without a word. */
function exportToMortal(t: TestContext, ops: ExporterOps) {
  const owner = createDomain(t);
  const { domain: user, die } = joinMortal(owner, "user");
  const exported = owner.export([page()], { ops });
  return { owner, exported, buffer: user.import(exported.handle()), die };
}

/** As {@link exportTo}, with an exporter that can die without a word. */
function importFromMortal(t: TestContext, ops: ExporterOps) {
  const user = createDomain(t);
  const { domain: owner, die } = joinMortal(user, "owner");
  const buffer = user.import(owner.export([page()], { ops }).handle());
  return { user, buffer, die };
}

/** Whether no request is left in the domain's table. */
function isTableFree(domain: Domain): boolean {
  const { memory, layout } = agentOf(domain);
  for (let slot = 0; slot < layout.sizes.requests; slot++) {
    if ((memory.load64(layout.request(slot)) & 7n) !== 0n) return false;
  }
  return true;
}

const attached = (domain: Domain): number => domain.statistics()[0]!.attachments;

describe("an importer in another agent", () => {
  test("is served by the exporter's operations in the kernel's order", LIMIT, async (t) => {
    const { calls, ops } = recorder();
    const { owner, buffer, exported } = exportTo(t, ops);
    const attachment = await buffer.attach({ name: "camera" });
    assert.equal(attached(owner), 1);
    const mapping = await attachment.map();
    assert.equal(mapping.segments[0]!.memory, exported.segments[0]!.memory);
    mapping[Symbol.dispose]();
    attachment[Symbol.dispose]();
    buffer.close();
    exported.close();
    await until(() => calls.includes("release"));
    const camera = ["attach", "pin", "map", "unmap", "unpin", "detach"].map((name) => `${name} camera`);
    assert.deepEqual(calls, [...camera, "release"]);
    assert.equal(isTableFree(owner), true);
  });

  test("is refused with the code that the exporter refuses it with, and nothing is left of it", LIMIT, async (t) => {
    const busy = (): never => {
      throw new DmaBufError("EBUSY", "The device cannot reach this memory");
    };
    for (const operation of ["attach", "map", "pin"] as const) {
      const { calls, ops } = recorder({ [operation]: busy });
      const { owner, buffer } = exportTo(t, ops);
      const use = async (): Promise<void> => {
        using attachment = await buffer.attach();
        using _mapping = await attachment.map();
      };
      await assert.rejects(use(), { code: "EBUSY" });
      await until(() => operation === "attach" || calls.includes("detach"));
      const left = { attach: [], map: ["attach", "pin", "unpin", "detach"], pin: ["attach", "detach"] };
      assert.deepEqual(calls, left[operation]);
      assert.equal(attached(owner), 0);
      assert.equal(buffer.reservation.isLocked, false);
      assert.equal(isTableFree(owner), true);
    }
  });

  test("is told of a peer-to-peer permission that the exporter withdraws", LIMIT, async (t) => {
    const { ops } = recorder({ attach: (attachment) => void (attachment.peerToPeer = false) });
    const { buffer } = exportTo(t, ops);
    using attachment = await buffer.attach({ allowPeerToPeer: true });
    assert.equal(attachment.peerToPeer, false);
    const willing = exportTo(t, recorder().ops);
    using other = await willing.buffer.attach({ allowPeerToPeer: true });
    assert.equal(other.peerToPeer, true);
  });

  test("pins and unpins with the lock held", LIMIT, async (t) => {
    const held: boolean[] = [];
    const look = ({ reservation }: { reservation: DmaBuf["reservation"] }): void =>
      void held.push(reservation.isHeldHere);
    const { buffer, exported } = exportTo(t, recorder({ pin: look, unpin: look }).ops);
    using attachment = await buffer.attach({ moveNotify() {} });
    await assert.rejects(attachment.pin(), { code: "EPERM" });
    {
      using _lock = await buffer.reservation.lock();
      await attachment.pin();
      assert.equal(buffer.reservation.isHeldHere, true);
      attachment.unpin();
    }
    await until(() => held.length === 2);
    assert.deepEqual(held, [true, true]);
    assert.equal(exported.reservation.isHeldHere, false);
  });

  test("finds the fences that the exporter adds while it maps", LIMIT, async (t) => {
    const owner = createDomain(t);
    const move = owner.createTimeline({ name: "mover" }).createFence();
    const { ops } = recorder({
      async map({ reservation }) {
        await Promise.resolve();
        reservation.reserveFences(1);
        reservation.addFence(move, "kernel");
        return [page()];
      },
    });
    const buffer = joinDomain(t, owner).import(owner.export([page()], { ops }).handle());
    using attachment = await buffer.attach({ moveNotify() {} });
    using _lock = await buffer.reservation.lock();
    using _mapping = await attachment.mapLocked();
    assert.deepEqual(
      [...buffer.reservation.lockedFences()].map(({ fence, usage }) => [fence.timelineName, usage]),
      [["mover", "kernel"]],
    );
  });

  test("cannot use the lock while the exporter has it (reservation.5)", LIMIT, async (t) => {
    const answer = promised();
    const { ops } = recorder({ map: () => answer.promise.then(() => [page()]) });
    const { buffer, exported } = exportTo(t, ops);
    using attachment = await buffer.attach({ moveNotify() {} });
    const lock = await buffer.reservation.lock();
    const mapping = attachment.mapLocked();
    await until(() => exported.reservation.isHeldHere);
    assert.throws(() => buffer.reservation.reserveFences(1), { code: "EPERM" });
    lock[Symbol.dispose]();
    assert.equal(exported.reservation.isHeldHere, true);
    answer.resolve();
    await mapping;
    assert.equal(buffer.reservation.isLocked, false);
  });

  // served-export.2, request-slot.6
  test("begins and ends its accesses at the exporter, an end before any later begin", LIMIT, async (t) => {
    const { calls, ops } = recorder();
    const { buffer, exported } = exportTo(t, ops);
    const access = await buffer.access("write");
    assert.throws(() => buffer.tryAccess("read"), { code: "EOPNOTSUPP" });
    access[Symbol.dispose]();
    using own = exported.tryAccess("read");
    assert.notEqual(own, undefined);
    assert.deepEqual(calls, ["begin write", "end write", "begin read"]);
  });

  test("waits for an end that takes its time before the next access begins", LIMIT, async (t) => {
    const ended = promised();
    const { calls, ops } = recorder({ endCpuAccess: () => ended.promise.then(() => calls.push("ended")) });
    const { buffer } = exportTo(t, ops);
    (await buffer.access("write"))[Symbol.dispose]();
    const next = buffer.access("read");
    assert.equal(await isPending(next), true);
    ended.resolve();
    await next;
    assert.deepEqual(calls, ["begin write", "ended", "begin read"]);
  });

  test("gives up waiting for a slow access, which the exporter then ends", LIMIT, async (t) => {
    const begun = promised();
    let isBegun = false;
    const beginCpuAccess = (): Promise<void> => {
      isBegun = true;
      return begun.promise;
    };
    const { calls, ops } = recorder({ beginCpuAccess });
    const { owner, buffer } = exportTo(t, ops);
    // A request that the exporter has not seen yet is only taken back.
    for (let timeout = 20; !isBegun; timeout *= 2) {
      await assert.rejects(buffer.access("write", { timeout }), { code: "ETIMEDOUT" });
    }
    begun.resolve();
    await until(() => calls.includes("end write"));
    assert.equal(isTableFree(owner), true);
    assert.equal(owner.statistics()[0]!.writer, undefined);
  });

  test("waits for what the exporter has begun under the lock, whatever its timeout", LIMIT, async (t) => {
    const answer = promised();
    const { ops } = recorder({ map: () => answer.promise.then(() => [page()]) });
    const { buffer, exported } = exportTo(t, ops);
    using attachment = await buffer.attach({ moveNotify() {} });
    const mapping = attachment.map("read", { timeout: 50 });
    await until(() => exported.reservation.isHeldHere);
    setTimeout(answer.resolve, 100);
    (await mapping)[Symbol.dispose]();
    assert.equal(buffer.reservation.isLocked, false);
  });

  test("is not asked for operations that the exporter does not have", LIMIT, async (t) => {
    const { buffer } = exportTo(t, { map: () => [page()], unmap() {}, release() {} });
    using access = buffer.tryAccess("write");
    assert.notEqual(access, undefined);
    using attachment = buffer.attachSync({ moveNotify() {} });
    assert.throws(() => buffer.mmap(), { code: "EINVAL" });
    using mapping = await attachment.map();
    assert.equal(mapping.segments.length, 1);
  });

  test(
    "gets ENOSPC naming the option when all requests are in use, and is heard when it gives back",
    LIMIT,
    async (t) => {
      const answer = promised();
      const { calls, ops } = recorder({ mmap: () => answer.promise, beginCpuAccess: () => answer.promise });
      const { owner, buffer } = exportTo(t, ops, { requests: 1 });
      const attachment = await buffer.attach();
      const waiting = buffer.access("read");
      await until(() => !isTableFree(owner));
      await assert.rejects(buffer.attach(), { code: "ENOSPC", message: /"requests"/ });
      attachment[Symbol.dispose]();
      answer.resolve();
      await waiting;
      await until(() => calls.includes("detach"));
    },
  );
});

describe("an importer's agent that dies", () => {
  test("leaves no mapping, pin or access with the exporter (served-export.1)", DIES, async (t) => {
    const { calls, ops } = recorder();
    const { owner, buffer, die } = exportToMortal(t, ops);
    const attachment = await buffer.attach();
    await attachment.map();
    const follower = await buffer.attach({ name: "follower", moveNotify() {} });
    {
      using _lock = await buffer.reservation.lock();
      await follower.pin();
    }
    await buffer.access("read");
    calls.length = 0;
    await die();
    await until(() => calls.length === 6);
    assert.deepEqual(calls, ["end read", "unmap", "unpin", "detach", "unpin follower", "detach follower"]);
    assert.equal(attached(owner), 0);
    assert.equal(isTableFree(owner), true);
  });

  test("while the exporter works for it loses the result, and the lock opens", DIES, async (t) => {
    const answer = promised();
    const { calls, ops } = recorder({ map: () => answer.promise.then(() => [page()]) });
    const { owner, exported, buffer, die } = exportToMortal(t, ops);
    const attachment = await buffer.attach();
    void attachment.map().catch(() => {});
    await until(() => exported.reservation.isHeldHere);
    const next = exported.reservation.lock();
    await die();
    assert.equal(await isPending(next), true);
    answer.resolve();
    (await next)[Symbol.dispose]();
    await until(() => calls.includes("detach"));
    await until(() => attached(owner) === 0);
    assert.deepEqual(calls, ["attach", "pin", "unmap", "unpin", "detach"]);
    assert.equal(isTableFree(owner), true);
  });
});

describe("an exporter's agent that dies", () => {
  test("before it answers gives ESRCH, and the lock opens", DIES, async (t) => {
    const { ops } = recorder({ map: () => new Promise(() => {}) });
    const { user, buffer, die } = importFromMortal(t, ops);
    using attachment = await buffer.attach();
    const mapping = attachment.map();
    assert.equal(await isPending(mapping), true);
    await Promise.all([die(), assert.rejects(mapping, { code: "ESRCH" })]);
    assert.equal(buffer.reservation.isLocked, false);
    await assert.rejects(attachment.map(), { code: "ESRCH" });
    await assert.rejects(buffer.access("read"), { code: "ESRCH" });
    await assert.rejects(buffer.attach(), { code: "ESRCH" });
    assert.equal(isTableFree(user), true);
  });

  test("takes the lock with it that it had been lent: the guard opens nothing", DIES, async (t) => {
    const { ops } = recorder({ map: () => new Promise(() => {}) });
    const { buffer, user, die } = importFromMortal(t, ops);
    using attachment = await buffer.attach();
    const lock = await buffer.reservation.lock();
    const mapping = attachment.mapLocked();
    const other = joinDomain(t, user).import(buffer.handle());
    const next = other.reservation.lock();
    await Promise.all([die(), assert.rejects(mapping, { code: "ESRCH" })]);
    using _theirs = await next;
    assert.equal(buffer.reservation.isHeldHere, false);
    lock[Symbol.dispose]();
    assert.equal(other.reservation.isLocked, true);
  });

  test("and one that leaves end what is asked of them alike", LIMIT, async (t) => {
    const user = createDomain(t);
    const owner = joinDomain(t, user);
    const { ops } = recorder({ beginCpuAccess: () => new Promise(() => {}) });
    const buffer = user.import(owner.export([page()], { ops }).handle());
    const access = buffer.access("read");
    assert.equal(await isPending(access), true);
    owner.close();
    await assert.rejects(access, { code: "ESRCH" });
    assert.equal(isTableFree(user), true);
  });
});

test("an importer in the exporter's own agent waits for operations that answer later", LIMIT, async (t) => {
  const owner = createDomain(t);
  const later = async (): Promise<void> => {};
  const { ops } = recorder({ pin: later, beginCpuAccess: later, map: async () => [page()] });
  using buffer = owner.export([page()], { ops });
  using attachment = buffer.attachSync();
  using mapping = await attachment.map();
  assert.equal(mapping.segments.length, 1);
  assert.throws(() => buffer.accessSync("read"), { code: "EOPNOTSUPP" });
  using access = await buffer.access("read");
  assert.equal(access.bytes.length, 4096);
});
