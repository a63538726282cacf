/** What waits for a buffer's lock, holds it or asks for its fences ends with its holder, and never meets the slot's next buffer. */
import { agentOf } from "../domain-base.js";
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { createDomain, isPending, joinDomain } from "../../test/agents.js";
import type { DmaBuf } from "../buffer/buffer.js";
import type { ExporterOps } from "../buffer/exporter.js";
import type { Domain } from "../threads.js";
import { lockAllSync } from "../../test/lock-all.js";
import { userOf, type Reservation } from "./reservation.js";
import { makeAcquireContext } from "./acquire-context.js";

const TIMEOUT = { timeout: 20_000 };
const EBADF = { code: "EBADF" };
const OPS: ExporterOps = { map: () => [], unmap: () => {}, release: () => {} };

/** A domain in which each buffer gets the slot of the one before. */
function slotOfOne(t: TestContext): { domain: Domain; first: DmaBuf } {
  const domain = createDomain(t, { buffers: 1 });
  return { domain, first: domain.allocate(4096) };
}

/** The next buffer in the slot is as a new one. */
function checkUntouched(domain: Domain): void {
  const second = domain.allocate(4096);
  assert.equal(second.reservation.isLocked, false);
  assert.equal(second.reservation.testSignaled("bookkeep"), true);
  second.close();
}

function pendingFile(domain: Domain): ReturnType<Domain["createSyncFile"]> {
  return domain.createSyncFile(domain.createTimeline({ timeLimit: 60_000 }).createFence());
}

/** What waits for a lock. */
const WAITS: Record<string, (domain: Domain, buffer: DmaBuf) => Promise<unknown>> = {
  "lock()": (_, buffer) => buffer.reservation.lock(),
  "lock() with a context": (domain, buffer) => buffer.reservation.lock(makeAcquireContext(agentOf(domain))),
  "lockAll()": (domain, buffer) => domain.lockAll([buffer]),
  "importSyncFile()": (domain, buffer) => buffer.importSyncFile("write", pendingFile(domain)),
  "attachment.map()": (_, buffer) => buffer.attachSync().map(),
};

for (const [name, wait] of Object.entries(WAITS)) {
  describe(name, () => {
    // reservation.7
    test("that waits is EBADF when its holder is closed, and leaves the next buffer alone", TIMEOUT, async (t) => {
      const { domain, first } = slotOfOne(t);
      const lock = await first.reservation.lock();
      const waiting = assert.rejects(wait(domain, first), EBADF);
      await isPending(waiting);
      first.close();
      const second = domain.allocate(4096);
      lock[Symbol.dispose]();
      await waiting;
      assert.equal(second.reservation.isLocked, false);
      assert.equal(second.reservation.testSignaled("bookkeep"), true);
    });

    test(
      "leaves the next buffer alone in whatever turn its holder is closed after the lock opens",
      TIMEOUT,
      async (t) => {
        for (let turns = 0; turns < 25; turns++) {
          const domain = createDomain(t, { buffers: 1 });
          const first = domain.allocate(4096);
          const lock = await first.reservation.lock();
          const waiting = wait(domain, first).catch(() => {});
          await isPending(waiting);
          lock[Symbol.dispose]();
          for (let turn = 0; turn < turns; turn++) await Promise.resolve();
          first.close();
          const second = domain.allocate(4096);
          assert.equal(second.reservation.isLocked, false, `after ${turns} turns`);
          await waiting;
          assert.equal(second.reservation.isLocked, false, `after ${turns} turns and the wait`);
          assert.equal(second.reservation.testSignaled("bookkeep"), true);
          domain.close();
        }
      },
    );
  });
}

test("lockAll() that waits for one buffer is EBADF when another one, locked already, is closed", TIMEOUT, async (t) => {
  const domain = createDomain(t);
  const [one, two] = [domain.allocate(4096), domain.allocate(4096)];
  const other = joinDomain(t, domain).import(two.handle());
  const lock = await other.reservation.lock();
  const waiting = assert.rejects(domain.lockAll([one, two]), EBADF);
  await isPending(waiting);
  one.close();
  lock[Symbol.dispose]();
  await waiting;
  assert.equal(two.reservation.isLocked, false);
});

describe("a close with the lock held", () => {
  test("opens it for the other holders of the same thread and of another one", TIMEOUT, async (t) => {
    const domain = createDomain(t);
    const one = domain.allocate(4096);
    const [same, other] = [one.duplicate(), joinDomain(t, domain).import(one.handle())];
    const lock = await one.reservation.lock();
    const waiting = [same, other].map(async ({ reservation }) => (await reservation.lock())[Symbol.dispose]());
    assert.equal(await isPending(Promise.race(waiting)), true);
    one.close();
    await Promise.all(waiting);
    lock[Symbol.dispose]();
    using _lock = same.reservation.lockSync();
  });

  test("leaves what another holder of the same thread has locked", TIMEOUT, async (t) => {
    const domain = createDomain(t);
    const one = domain.allocate(4096);
    const same = one.duplicate();
    using _lock = await same.reservation.lock();
    one.close();
    assert.equal(same.reservation.isHeldHere, true);
    same.reservation.reserveFences(1);
  });

  test("takes it out of its acquire context", TIMEOUT, async (t) => {
    const { domain, first } = slotOfOne(t);
    using context = await domain.lockAll([first]);
    assert.equal(context.acquired, 1);
    first.close();
    assert.equal(context.acquired, 0);
    const second = domain.allocate(4096);
    using _lock = second.reservation.lockSync();
    context[Symbol.dispose]();
    assert.equal(second.reservation.isHeldHere, true);
  });

  test("leaves the next buffer open, also by the close of the domain", TIMEOUT, async (t) => {
    const { domain, first } = slotOfOne(t);
    const other = joinDomain(t, domain, "other");
    const theirs = other.import(first.handle());
    first.close();
    await theirs.reservation.lock();
    other.close();
    checkUntouched(domain);
  });
});

/** What can be asked of a reservation object. */
const CALLS: Record<string, (reservation: Reservation, domain: Domain) => unknown> = {
  lock: (reservation) => reservation.lock(),
  lockSync: (reservation) => reservation.lockSync(),
  lockAllSync: (reservation, domain) => lockAllSync(agentOf(domain), [reservation]),
  tryLock: (reservation) => reservation.tryLock(),
  isLocked: (reservation) => reservation.isLocked,
  reserveFences: (reservation) => reservation.reserveFences(1),
  addFence: (reservation, domain) => reservation.addFence(domain.createTimeline().createFence(), "write"),
  replaceFences: (reservation, domain) => reservation.replaceFences(1, domain.createTimeline().createFence(), "write"),
  copyFences: (reservation) => reservation.copyFences(reservation),
  lockedFences: (reservation) => [...reservation.lockedFences()],
  fences: (reservation) => [...reservation.fences()],
  getFences: (reservation) => reservation.getFences("bookkeep"),
  getLateFences: (reservation) => reservation.getOverdueFences("bookkeep"),
  getSingleton: (reservation) => reservation.getSingleton("bookkeep"),
  testSignaled: (reservation) => reservation.testSignaled("bookkeep"),
  testFinished: (reservation) => reservation.testFinished("bookkeep"),
  wait: (reservation) => reservation.wait("bookkeep"),
  waitSync: (reservation) => reservation.waitSync("bookkeep"),
  waitFinished: (reservation) => reservation.waitFinished("bookkeep"),
  waitFinishedSync: (reservation) => reservation.waitFinishedSync("bookkeep"),
  setDeadline: (reservation) => reservation.setDeadline("bookkeep", 1),
  describe: (reservation) => reservation.describe(),
};

for (const [name, call] of Object.entries(CALLS)) {
  for (const locked of [false, true]) {
    const when = locked ? ", although the holder was closed with the lock held" : "";
    test(`${name} of a closed holder's reservation is EBADF${when}`, TIMEOUT, async (t) => {
      const { domain, first } = slotOfOne(t);
      const { reservation } = first;
      if (locked) await reservation.lock();
      first.close();
      const second = domain.allocate(4096);
      await assert.rejects(async () => call(reservation, domain), EBADF);
      assert.equal(second.reservation.isLocked, false);
      assert.equal(second.reservation.testSignaled("bookkeep"), true);
    });
  }
}

test("an iteration that goes on after the close is EBADF, and shows nothing of the next buffer", TIMEOUT, async (t) => {
  const { domain, first } = slotOfOne(t);
  const timelines = [domain.createTimeline(), domain.createTimeline()];
  for (const timeline of timelines) await first.importSyncFile("read", domain.createSyncFile(timeline.createFence()));
  const fences = first.reservation.fences();
  assert.equal(fences.next().done, false);
  first.close();
  await domain.allocate(4096).importSyncFile("write", pendingFile(domain));
  assert.throws(() => fences.next(), EBADF);
});

for (const wait of ["wait", "waitFinished"] as const) {
  test(`${wait}() that waits for a fence is EBADF when its holder is closed`, TIMEOUT, async (t) => {
    const { domain, first } = slotOfOne(t);
    await first.importSyncFile("write", pendingFile(domain));
    const waiting = first.reservation[wait]("write");
    assert.equal(await isPending(waiting), true);
    first.close();
    await assert.rejects(waiting, EBADF);
  });
}

describe("an exporter that works under a lock that was lent to it", () => {
  /** An exporter that maps when it is told to, and another thread that has asked for that. */
  async function asked(t: TestContext) {
    const domain = createDomain(t, { buffers: 1 });
    let answer!: () => void;
    const mapping = new Promise<void>((resolve) => (answer = resolve));
    let isAsked = false;
    const segment = { memory: new SharedArrayBuffer(4096), offset: 0, length: 4096 };
    const map = async () => {
      isAsked = true;
      await mapping;
      return [segment];
    };
    const exported = domain.export([segment], { ops: { ...OPS, map } });
    const other = joinDomain(t, domain, "importer");
    const imported = other.import(exported.handle());
    exported.close();
    const mapped = imported.attachSync().map();
    mapped.catch(() => {});
    while (!isAsked) await isPending(new Promise(() => {}));
    return { domain, other, imported, mapped, answer };
  }

  test("keeps the buffer until it has answered, when the one who asked has closed it", TIMEOUT, async (t) => {
    const { domain, imported, mapped, answer } = await asked(t);
    imported.close();
    assert.throws(() => domain.allocate(4096), { code: "ENOSPC" });
    answer();
    await assert.rejects(mapped);
    await isPending(new Promise(() => {}));
    checkUntouched(domain);
  });

  test("keeps the buffer until it has answered, when the one who asked has left", TIMEOUT, async (t) => {
    const { domain, other, mapped, answer } = await asked(t);
    other.close();
    await assert.rejects(mapped);
    assert.throws(() => domain.allocate(4096), { code: "ENOSPC" });
    answer();
    await isPending(new Promise(() => {}));
    checkUntouched(domain);
  });
});

test("a lent lock that was lost with the exporter's agent is no other lock that is taken before that is noticed", (t) => {
  const { domain, first } = slotOfOne(t);
  const { protocol, identity } = agentOf(domain);
  const user = userOf(first.reservation);
  const lost = user.tryLock()!;
  assert.equal(user.lend(), lost);
  // As recovery does; both locks of this agent have the same word.
  protocol.openLock(user.shared.slot, identity, 0);
  const taken = user.another().tryLock()!;
  assert.equal(taken.word, lost.word);
  assert.equal(lost.isNewest, false);
  lost.takeBack(false);
  assert.equal(lost.isOver, true);
  assert.equal(taken.isNewest, true);
  assert.equal(first.reservation.isLocked, true);
  taken[Symbol.dispose]();
  assert.equal(first.reservation.isLocked, false);
});
