import assert from "node:assert/strict";
import { test } from "node:test";
import { createDomain, DIES, isPending, joinDomain, joinMortal, pause } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import type { Domain } from "../threads.js";
import { findSeqno } from "./fence-chain.js";
import type { FenceHandle } from "./fence-handle.js";
import { isSameFence, laterFence, type Fence } from "./fence.js";
import { SyncFile, type SyncFileHandle } from "./sync-file.js";
import { Syncobj } from "./syncobj.js";
import { newestOfEachContext, unwrap } from "./unwrap.js";
import type { UserFence } from "./user-fence.js";
import type { UserFenceHandleData } from "./user-fence-handle.js";
import { waitAll, waitAllSync, waitAny, waitAnySync } from "./wait-many.js";

const PATIENT = { timeout: 20_000 };
const NEVER_ENDS = { code: "EINVAL", message: /not a user fence, which may never end and so cannot be there/ };

/** A handle as it arrives in another agent. */
function sent(fence: UserFence): UserFenceHandleData {
  return structuredClone(fence.handle());
}

test("user-fence.1: it signals once, whichever agent does it, and stays so", PATIENT, async (t) => {
  const domain = createDomain(t);
  const mine = domain.createUserFence({ name: "done" });
  const theirs = joinDomain(t, domain).import(sent(mine));
  assert.deepEqual([mine.isSignaled(), theirs.isSignaled(), theirs.name], [false, false, "done"]);
  const waits = [mine.wait(), theirs.wait({ timeout: 10_000 })];
  assert.equal(theirs.signal(), true);
  assert.deepEqual(await Promise.all(waits), ["signaled", "signaled"]);
  assert.deepEqual([mine.signal(), theirs.signal(), mine.isSignaled()], [false, false, true]);
  assert.equal(await mine.wait({ timeout: 0 }), "signaled");
});

test(
  "user-fence.2: the death of the agent that made it, and of one that waits, changes nothing for the others",
  DIES,
  async (t) => {
    const domain = createDomain(t, { userFences: 1 });
    const [maker, waiter] = [joinMortal(domain, "maker"), joinMortal(domain, "waiter")];
    const made = maker.domain.createUserFence({ name: "of the dead" });
    const mine = domain.import(sent(made));
    const wait = mine.wait();
    void waiter.domain
      .import(sent(mine))
      .wait({ unref: true })
      .catch(() => {});
    await maker.die();
    await waiter.die();
    assert.ok(await isPending(wait));
    assert.deepEqual([mine.name, mine.isSignaled()], ["of the dead", false]);
    assert.equal(mine.signal(), true);
    assert.equal(await wait, "signaled");
    assert.throws(() => domain.createUserFence(), { code: "ENOSPC", message: /option "userFences"/ });
    mine.close();
    domain.createUserFence().close();
  },
);

test("a wait ends by a timeout, by its signal, and by the agent's leaving", PATIENT, async (t) => {
  const domain = createDomain(t);
  const other = joinDomain(t, domain);
  const mine = domain.createUserFence();
  const theirs = other.import(sent(mine));
  assert.equal(await mine.wait({ timeout: 0 }), "timed-out");
  assert.equal(await mine.wait({ timeout: 5 }), "timed-out");
  await assert.rejects(mine.wait({ signal: AbortSignal.abort(new Error("enough")) }), /enough/);
  const abort = new AbortController();
  const aborted = mine.wait({ signal: abort.signal });
  abort.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  const left = theirs.wait();
  other.close();
  await assert.rejects(left, { code: "ECANCELED" });
  assert.throws(() => theirs.signal(), { code: "EBADF" });
  assert.throws(() => theirs.isSignaled(), { code: "EBADF" });
  assert.throws(() => theirs.handle(), { code: "EBADF" });
  theirs.close();
  assert.equal(mine.isSignaled(), false);
});

test("user-fence.4: a wait that is under way goes on when its holder is closed", PATIENT, async (t) => {
  const domain = createDomain(t, { userFences: 1 });
  const mine = domain.createUserFence();
  const again = mine.duplicate();
  const wait = mine.wait();
  mine.close();
  assert.ok(mine.isClosed && !again.isClosed);
  for (const call of [() => mine.signal(), () => mine.isSignaled(), () => mine.handle(), () => mine.duplicate()]) {
    assert.throws(call, { code: "EBADF" });
  }
  await assert.rejects(mine.wait(), { code: "EBADF" });
  again.signal();
  again.close();
  assert.equal(await wait, "signaled");
  domain.createUserFence().close();
});

test("user-fence.4: a thread blocks for a fence that another agent can reach", BLOCKS, (t) => {
  const domain = createDomain(t);
  const mine = domain.createUserFence({ name: "alone" });
  assert.throws(() => mine.waitSync(), { code: "EDEADLK", message: /no other agent has user fence "alone"/ });
  assert.equal(mine.waitSync({ timeout: 1 }), "timed-out");
  {
    using _handle = mine.handle();
    assert.equal(mine.waitSync({ timeout: 1 }), "timed-out");
  }
  assert.throws(() => mine.waitSync(), { code: "EDEADLK" });
  mine.signal();
  assert.equal(mine.waitSync(), "signaled");
});

test(
  "signalAfter(): a fence that has signaled, one that fails, and one that another agent signals",
  PATIENT,
  async (t) => {
    const domain = createDomain(t);
    const other = joinDomain(t, domain);
    const after = (fence: Fence): UserFence => {
      const made = domain.createUserFence();
      made.signalAfter(fence);
      return made;
    };
    assert.ok(after(domain.stubFence()).isSignaled());
    const timeline = other.createTimeline();
    const theirs = timeline.createFence();
    const waiting = after(domain.import(theirs.handle()));
    const wait = waiting.wait({ timeout: 10_000 });
    waiting.close();
    assert.ok(await isPending(wait));
    theirs.setError("EIO");
    theirs.signal();
    assert.equal(await wait, "signaled");
    assert.throws(() => domain.createUserFence().signalAfter(timeline.createFence()), TypeError);
  },
);

test("signalAfter(): an agent that leaves first signals nothing", PATIENT, async (t) => {
  const domain = createDomain(t);
  const other = joinDomain(t, domain);
  const mine = domain.createUserFence();
  other.import(sent(mine)).signalAfter(other.createTimeline().createFence());
  other.close();
  await pause(20);
  assert.equal(mine.isSignaled(), false);
});

test("a handle holds the fence until it is opened, closed, or its time is over", PATIENT, async (t) => {
  const domain = createDomain(t, { handleLimit: 20, userFences: 2 });
  const other = joinDomain(t, domain);
  const fence = domain.createUserFence({ name: "travels" });
  const [opened, closed, late] = [fence.handle(), fence.handle(), sent(fence)];
  fence.close();
  assert.equal(other.import(structuredClone(opened)).name, "travels");
  closed.close();
  const theirs = other.import(late);
  assert.equal(theirs.isSignaled(), false);
  const next = domain.createUserFence();
  const limited = sent(next);
  next.close();
  await pause(60);
  assert.throws(() => other.import(limited), { code: "ESTALE" });
});

test("a handle that is damaged is refused", (t) => {
  const domain = createDomain(t);
  const handle = sent(domain.createUserFence());
  const damages = [
    { slot: -1 },
    { slot: 1e6 },
    { generation: 0.5 },
    { inflight: { index: 99, ticket: 1 } },
    { form: "memory" },
    { form: "other" },
  ];
  for (const damage of damages) {
    assert.throws(() => domain.import({ ...handle, ...damage } as UserFenceHandleData), { code: "EINVAL" });
  }
  assert.throws(() => domain.import(structuredClone({ ...domain.createUserFence() }) as never), { code: "EINVAL" });
});

test("a domain without the feature says so", (t) => {
  const domain = createDomain(t);
  assert.throws(() => domain.createUserFence({ name: "x".repeat(32) }), { code: "EINVAL" });
});

/** Every call that wants a DMA fence, given something else. */
const WANT_A_FENCE: Record<string, (domain: Domain, given: never) => unknown> = {
  "Reservation.addFence()"(domain, given) {
    const { reservation } = domain.allocate(1);
    using _lock = reservation.tryLock();
    reservation.reserveFences(1);
    reservation.addFence(given, "write");
  },
  "Reservation.replaceFences()"(domain, given) {
    const { reservation } = domain.allocate(1);
    using _lock = reservation.tryLock();
    reservation.replaceFences(1, given, "write");
  },
  "DmaBuf.importSyncFile()": (domain, given) => domain.allocate(1).importSyncFile("write", given),
  "DmaBuf.importSyncFileSync()": (domain, given) => domain.allocate(1).importSyncFileSync("write", given),
  "Domain.createFenceArray()": (domain, given) => domain.createFenceArray([domain.stubFence(), given]),
  "Domain.createFenceChain(), its own": (domain, given) => domain.createFenceChain(undefined, given, 1),
  "Domain.createFenceChain(), what is before": (domain, given) => domain.createFenceChain(given, domain.stubFence(), 1),
  "Domain.mergeFences()": (domain, given) => domain.mergeFences([given]),
  "Domain.createSyncFile()": (domain, given) => domain.createSyncFile(given),
  "SyncFile.merge()": (domain, given) => SyncFile.merge("both", domain.createSyncFile(domain.stubFence()), given),
  "Domain.fenceFrom()": (domain, given) => domain.fenceFrom(given),
  "Syncobj.replaceFence()": (domain, given) => domain.createSyncobj().replaceFence(given),
  "Syncobj.addPoint()": (domain, given) => domain.createSyncobj().addPoint(1, given),
  "Syncobj.importSyncFile()": (domain, given) => domain.createSyncobj().importSyncFile(given),
  "Syncobj.wait()": (_domain, given) => Syncobj.wait([given]),
  "Syncobj.reset()": (_domain, given) => Syncobj.reset([given]),
  "Syncobj.transfer()": (domain, given) => Syncobj.transfer(given, domain.createSyncobj()),
  "SoftwareTimeline.deadline()": (domain, given) => domain.createSoftwareTimeline().deadline(given),
  "Queue.submit()": (domain, given) => domain.createQueue({ run: () => {} }).submit({ dependencies: [given] }),
  "Queue.submitSync()": (domain, given) => domain.createQueue({ run: () => {} }).submitSync({ dependencies: [given] }),
  "Queue.trySubmit()": (domain, given) => domain.createQueue({ run: () => {} }).trySubmit({ dependencies: [given] }),
  "UserFence.signalAfter()": (domain, given) => domain.createUserFence().signalAfter(given),
  "waitAny()": (_domain, given) => waitAny([given]),
  "waitAnySync()": (_domain, given) => waitAnySync([given]),
  "waitAll()": (_domain, given) => waitAll([given]),
  "waitAllSync()": (_domain, given) => waitAllSync([given]),
  "unwrap()": (_domain, given) => [...unwrap(given)],
  "newestOfEachContext()": (_domain, given) => newestOfEachContext([given]),
  "findSeqno()": (_domain, given) => findSeqno(given, 1),
  "isSameFence()": (domain, given) => isSameFence(domain.stubFence(), given),
  "laterFence()": (domain, given) => laterFence(given, domain.stubFence()),
  "Fence.isLater()": (domain, given) => domain.stubFence().isLater(given),
};

for (const [call, run] of Object.entries(WANT_A_FENCE)) {
  test(`user-fence.3: ${call} refuses a user fence, a memory fence, and their handles`, async (t) => {
    const domain = createDomain(t);
    const buffer = domain.allocate(8);
    for (const fence of [domain.createUserFence(), buffer.memoryFence({ value: 1 })]) {
      for (const given of [fence, fence.handle(), sent(fence)]) {
        await assert.rejects(async () => void (await run(domain, given as never)), NEVER_ENDS);
      }
    }
  });
}

test("user-fence.3: a user fence's handle is refused where a fence's handle is wanted", (t) => {
  const domain = createDomain(t);
  const handle = sent(domain.createUserFence());
  const inside: FenceHandle[] = [
    { kind: "fence", domain: domain.id, form: "array", fences: [handle as never], signalOnAny: false },
    { kind: "fence", domain: domain.id, form: "chain", links: [], tail: handle as never },
    {
      kind: "fence",
      domain: domain.id,
      form: "chain",
      links: [{ seqno: 1, previousSeqno: 0, continues: false, fence: handle as never }],
      tail: undefined,
    },
  ];
  for (const each of inside) assert.throws(() => domain.import(each), NEVER_ENDS);
  const file = { ...domain.createSyncFile(domain.createTimeline().createFence()).handle(), fence: handle };
  assert.throws(() => domain.import(structuredClone(file) as unknown as SyncFileHandle), NEVER_ENDS);
  assert.throws(() => domain.import({ ...handle, kind: "fence" } as never), { code: "EINVAL" });
  assert.throws(() => domain.import({ ...handle, kind: "sync-file" } as never), { code: "EINVAL" });
  assert.throws(() => domain.import({ ...handle, kind: "syncobj", slot: 1 } as never), { code: "ESTALE" });
});

for (const later of [false, true]) {
  test(`user-fence.3: a job whose run ${later ? "promises" : "returns"} a user fence fails with EINVAL`, async (t) => {
    const domain = createDomain(t);
    const fence = domain.createUserFence();
    const queue = domain.createQueue({ run: () => (later ? Promise.resolve(fence) : fence) as never });
    const finished = await queue.submit({});
    await finished.wait({ timeout: 10_000 });
    assert.equal(finished.error?.code, "EINVAL");
  });
}

/** user-fence.3, for the compiler: it is never called. */
function isRefusedByTheCompiler(domain: Domain, user: UserFence): void {
  const { reservation } = domain.allocate(8);
  const memory = domain.allocate(8).memoryFence({ value: 1 });
  for (const fence of [user, memory]) {
    // @ts-expect-error -- a reservation holds fences that end
    reservation.addFence(fence, "write");
    // @ts-expect-error -- the same
    reservation.replaceFences(1, fence, "write");
    // @ts-expect-error -- so do arrays
    domain.createFenceArray([fence]);
    // @ts-expect-error -- and chains
    domain.createFenceChain(undefined, fence, 1);
    // @ts-expect-error -- and what is below a link
    domain.createFenceChain(fence, domain.stubFence(), 1);
    // @ts-expect-error -- and merged fences
    domain.mergeFences([fence]);
    // @ts-expect-error -- and sync files
    domain.createSyncFile(fence);
    // @ts-expect-error -- no promise
    domain.fenceFrom(fence);
    // @ts-expect-error -- a syncobj's fence
    domain.createSyncobj().replaceFence(fence);
    // @ts-expect-error -- and its points
    domain.createSyncobj().addPoint(1, fence);
    // @ts-expect-error -- what a job waits for
    void domain.createQueue({ run: () => {} }).submit({ dependencies: [fence] });
    // @ts-expect-error -- what a job gives
    domain.createQueue({ run: () => fence });
    // @ts-expect-error -- also later
    domain.createScheduler({ run: async () => Promise.resolve(fence) });
    // @ts-expect-error -- a DMA fence signals a user fence, and no other does
    user.signalAfter(fence);
    // @ts-expect-error -- no fence at all
    const _fence: Fence = fence;
    // @ts-expect-error -- nor is its handle
    const _handle: FenceHandle = fence.handle();
  }
  // What is allowed compiles.
  user.signalAfter(domain.stubFence());
  domain.createQueue({ run: () => domain.stubFence() });
  domain.createQueue({ run: async () => Promise.resolve(domain.stubFence()) });
  domain.createQueue({ run: () => ({ any: "result" }) });
}
void isRefusedByTheCompiler;
