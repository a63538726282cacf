import { agentOf } from "../domain-base.js";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDomain, DIES, isPending, joinDomain, joinMortal, until } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import type { DmaBuf } from "../buffer/buffer.js";
import { PAGE_SIZE } from "../buffer/storage.js";
import type { Domain } from "../threads.js";
import { DmaBufError } from "../errors.js";
import type { Fence } from "../fence/fence.js";
import type { Usage } from "../reservation/usage.js";

const OPTIONS = { timeout: 20_000 };

function addFence(domain: Domain, buffer: DmaBuf, usage: Usage): Fence {
  const fence = domain.createTimeline().createFence();
  using _lock = buffer.reservation.tryLock()!;
  buffer.reservation.reserveFences(1);
  buffer.reservation.addFence(fence, usage);
  return fence;
}

function usages(buffer: DmaBuf): string[] {
  return [...buffer.reservation.fences()].map(({ usage }) => usage);
}

describe("a job", () => {
  test("is on all its buffers, as a reader or a writer, when submit() returns", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const [a, b] = [domain.allocate(1), domain.allocate(1)];
    const queue = domain.createQueue({ run: () => {} });
    const submitted = queue.submit({ reads: [a], writes: [b] });
    assert.deepEqual([usages(a), usages(b)], [["read"], ["write"]]);
    const finished = await submitted;
    await finished.result();
    assert.deepEqual([usages(a), usages(b)], [[], []]);
  });

  test("that reads and writes a buffer is a writer of it", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const queue = domain.createQueue({ run: () => {} });
    const finished = queue.trySubmit({ reads: [buffer, buffer.duplicate()], writes: [buffer] });
    assert.deepEqual(usages(buffer), ["write"]);
    await finished!.result();
  });

  const waits = { reads: ["kernel", "write"], writes: ["kernel", "write", "read"] } as const;
  for (const use of ["reads", "writes"] as const) {
    for (const usage of ["kernel", "write", "read", "bookkeep"] as const) {
      const isAwaited = (waits[use] as readonly Usage[]).includes(usage);
      test(`that ${use} waits ${isAwaited ? "" : "not "}for a fence of usage ${usage}`, OPTIONS, async (t) => {
        const domain = createDomain(t);
        const buffer = domain.allocate(1);
        const fence = addFence(domain, buffer, usage);
        const queue = domain.createQueue({ run: () => {} });
        const finished = await queue.submit({ [use]: [buffer] });
        assert.equal(await isPending(finished.wait()), isAwaited);
        fence.signal();
        await finished.result();
      });
    }
  }

  test("waits for the jobs of another agent's queue that it conflicts with, and for no other", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const other = joinDomain(t, domain);
    const shared = domain.allocate(1);
    const theirs = other.import(shared.handle());
    let end = (): void => {};
    const slow = domain.createQueue({ run: () => new Promise<void>((resolve) => (end = resolve)) });
    const quick = other.createQueue({ run: () => {} });
    const first = await slow.submit({ reads: [shared] });
    const reader = await quick.submit({ reads: [theirs] });
    await reader.result();
    const writer = await quick.submit({ writes: [theirs] });
    assert.equal(await isPending(writer.wait()), true);
    end();
    await writer.result();
    assert.equal(first.status, 1);
  });

  test("has the bytes in place until it has finished", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const [from, to] = [domain.allocate(PAGE_SIZE), domain.allocate(PAGE_SIZE)];
    {
      using access = await from.access("write");
      access.bytes.fill(7);
    }
    let late = (): unknown => undefined;
    const queue = domain.createQueue({
      run(job) {
        job.access(job.writes[0]!).bytes.set(job.access(from).bytes);
        const access = job.access(to);
        late = () => access.bytes;
        assert.throws(() => job.access(domain.allocate(1)), RangeError);
      },
    });
    const finished = await queue.submit({ reads: [from], writes: [to] });
    await finished.result();
    using access = await to.access("read");
    assert.ok(access.bytes.every((byte) => byte === 7));
    assert.throws(late, { code: "EBADF" });
  });

  test("keeps its buffers alive when its owner closes them", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const gate = domain.createTimeline().createFence();
    const queue = domain.createQueue({ run: (job) => void job.access(buffer).bytes.fill(1) });
    const finished = await queue.submit({ writes: [buffer], dependencies: [gate] });
    buffer.close();
    assert.equal(domain.statistics().length, 1);
    gate.signal();
    await finished.result();
    assert.equal(domain.statistics().length, 0);
  });

  test("does not run inside the call that submits it (scheduler.7)", OPTIONS, async (t) => {
    let runs = 0;
    const queue = createDomain(t).createQueue({ run: () => void runs++ });
    const finished = queue.trySubmit({})!;
    assert.equal(runs, 0);
    await finished.result();
    assert.equal(runs, 1);
  });

  test("finishes when the promise that it returns settles, with the code that it rejects with", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const queue = domain.createQueue({ run: () => Promise.reject(new DmaBufError("ENODATA", "Nothing there")) });
    const finished = await queue.submit({});
    await assert.rejects(finished.result(), { code: "ENODATA" });
  });

  test("finishes when the fence signals that it promises, with that fence's error", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const work = domain.createTimeline().createFence();
    const queue = domain.createQueue({ run: async () => work });
    const finished = await queue.submit({});
    assert.equal(await isPending(finished.wait()), true);
    work.setError("ENOSPC");
    work.signal();
    await assert.rejects(finished.result(), { code: "ENOSPC" });
  });

  test("tells the executor's own fence of the deadline that is asked of its own", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const deadlines: number[] = [];
    const ops = { driverName: "d", timelineName: "t", setDeadline: (_: Fence, ns: number) => deadlines.push(ns) };
    const work = domain.createFence(ops);
    const queue = domain.createQueue({ run: () => work });
    const deadline = agentOf(domain).host.nowNs() + 1e9;
    const finished = await queue.submit({});
    finished.setDeadline(deadline);
    await until(() => deadlines.length > 0);
    assert.equal(deadlines[0], Math.floor(deadline));
    work.signal();
    await finished.result();
  });

  test("of another agent's queue fails with ESRCH when that agent dies", DIES, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const mortal = joinMortal(domain);
    const theirs = mortal.domain.import(buffer.handle());
    const queue = mortal.domain.createQueue({ run: () => new Promise(() => {}) });
    await queue.submit({ writes: [theirs] });
    const [pending] = buffer.reservation.getFences("read");
    await mortal.die();
    await assert.rejects(pending!.result({ timeout: 10_000 }), { code: "ESRCH" });
    using access = await buffer.access("write");
    assert.equal(access.bytes.length, PAGE_SIZE);
  });
});

describe("a submission", () => {
  test("waits for an access that is in progress before its fence exists", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const other = joinDomain(t, domain);
    const buffer = domain.allocate(1);
    const theirs = other.import(buffer.handle());
    const queue = domain.createQueue({ run: () => {} });
    const access = await theirs.access("read");
    assert.equal(queue.trySubmit({ writes: [buffer] }), undefined);
    const submitted = queue.submit({ writes: [buffer] });
    assert.equal(await isPending(submitted), true);
    assert.deepEqual(usages(buffer), []);
    const reader = queue.trySubmit({ reads: [buffer] });
    assert.equal(reader, undefined, "it is behind the one that waits");
    access[Symbol.dispose]();
    await (await submitted).result();
  });

  test("holds nothing while it waits for an access", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const other = joinDomain(t, domain);
    const [a, b] = [domain.allocate(1), domain.allocate(1)];
    const [theirA, theirB] = [other.import(a.handle()), other.import(b.handle())];
    const queue = domain.createQueue({ run: () => {} });
    const first = await theirB.access("write");
    const submitted = queue.submit({ writes: [a, b] });
    assert.equal(await isPending(submitted), true);
    using second = await theirA.access("write", { timeout: 30_000 });
    assert.equal(theirB.reservation.isLocked, false);
    first[Symbol.dispose]();
    assert.equal(await isPending(submitted), true);
    second[Symbol.dispose]();
    await (await submitted).result();
  });

  test("leaves no hold and no lock behind, so that an access goes on when the job has finished", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    let end = (): void => {};
    const queue = domain.createQueue({ run: () => new Promise<void>((resolve) => (end = resolve)) });
    await queue.submit({ writes: [buffer] });
    assert.equal(buffer.tryAccess("read"), undefined);
    const waiting = buffer.access("read");
    assert.equal(await isPending(waiting), true);
    end();
    using access = await waiting;
    assert.equal(buffer.reservation.isLocked, false);
    assert.equal(access.mode, "read");
  });

  test("that is aborted, or whose time is over, leaves nothing, and lets the next one go on", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const ran: string[] = [];
    const queue = domain.createQueue<string>({ run: ({ data }) => void ran.push(data) });
    using access = await buffer.access("read");
    const controller = new AbortController();
    const aborted = queue.submit({ data: "aborted", writes: [buffer] }, { signal: controller.signal });
    const late = queue.submit({ data: "late", writes: [buffer] }, { timeout: 30 });
    const next = queue.submit({ data: "next", reads: [buffer] });
    controller.abort(new Error("No longer wanted"));
    await assert.rejects(aborted, /No longer wanted/);
    await assert.rejects(late, { code: "ETIMEDOUT" });
    await (await next).result();
    assert.deepEqual(ran, ["next"]);
    assert.equal(domain.statistics().length, 1);
    assert.equal(access.mode, "read");
  });

  test("keeps its place before a later one that nothing blocks", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const ran: string[] = [];
    const queue = domain.createQueue<string>({ run: ({ data }) => void ran.push(data) });
    const lock = buffer.reservation.tryLock()!;
    const fences = [queue.submit({ data: "first", writes: [buffer] }), queue.submit({ data: "second" })];
    lock[Symbol.dispose]();
    for (const fence of await Promise.all(fences)) await fence.result();
    assert.deepEqual(ran, ["first", "second"]);
  });

  test("to write through a read handle is EACCES, of a closed buffer EBADF, and leaves nothing", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const [open, closed] = [domain.allocate(1), domain.allocate(1)];
    closed.close();
    const queue = domain.createQueue({ run: () => {} });
    using reader = open.duplicate("read");
    await assert.rejects(queue.submit({ writes: [reader] }), { code: "EACCES" });
    await assert.rejects(queue.submit({ writes: [open, closed] }), { code: "EBADF" });
    assert.deepEqual(usages(open), []);
    assert.equal(queue.length, 0);
  });

  test("of no credits, or of more than there are, is EINVAL", OPTIONS, async (t) => {
    const queue = createDomain(t).createQueue({ run: () => {}, credits: 2 });
    for (const credits of [0, 3, 1.5]) await assert.rejects(queue.submit({ credits }), { code: "EINVAL" });
  });

  test("with a buffer or a fence of another agent is a TypeError", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const other = joinDomain(t, domain);
    const queue = domain.createQueue({ run: () => {} });
    await assert.rejects(queue.submit({ reads: [other.allocate(1)] }), TypeError);
    await assert.rejects(queue.submit({ dependencies: [other.createTimeline().createFence()] }), TypeError);
  });

  // scheduler.2, scheduler.3
  test("for whose fence a buffer has no room is ENOMEM, and is on none of its buffers", OPTIONS, async (t) => {
    const domain = createDomain(t, { agents: 2, timelines: 32 });
    const [roomy, full] = [domain.allocate(1), domain.allocate(1)];
    const room = agentOf(domain).layout.reservationEntries;
    const fences = Array.from({ length: room }, () => addFence(domain, full, "bookkeep"));
    const queue = domain.createQueue({ run: () => {} });
    await assert.rejects(queue.submit({ writes: [roomy, full] }), { code: "ENOMEM" });
    assert.deepEqual(usages(roomy), []);
    fences[0]!.signal();
    await (await queue.submit({ writes: [roomy, full] })).result();
  });
});

describe("submitSync()", BLOCKS, () => {
  test("blocks for an access, and times out", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const other = joinDomain(t, domain);
    const buffer = domain.allocate(1);
    const queue = domain.createQueue({ run: () => {} });
    const access = await other.import(buffer.handle()).access("write");
    assert.throws(() => queue.submitSync({ reads: [buffer] }, { timeout: 10 }), { code: "ETIMEDOUT" });
    assert.deepEqual(usages(buffer), []);
    access[Symbol.dispose]();
    await queue.submitSync({ reads: [buffer] }).result();
  });

  test("does not overtake a submission that waits", OPTIONS, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(1);
    const queue = domain.createQueue({ run: () => {} });
    const access = await buffer.access("write");
    const submitted = queue.submit({ reads: [buffer] });
    assert.throws(() => queue.submitSync({}), { code: "EAGAIN" });
    access[Symbol.dispose]();
    await (await submitted).result();
  });
});
