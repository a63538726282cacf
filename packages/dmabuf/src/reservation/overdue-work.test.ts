import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isPending } from "../../test/agents.js";
import { BLOCKS } from "../../test/blocking.js";
import { addFence, LINE_KINDS, makeLine, places, type LineKind } from "../../test/conformance/reservation-support.js";
import {
  independentFence,
  makeFence,
  makeReservation,
  testAgent,
  type TestAgent,
} from "../../test/conformance/support.js";
import { claimBuffer } from "../buffer/buffer-slot.js";
import { endKey, FENCE_RECOVERY } from "../domain/fence-slot.js";
import { recover } from "../domain/recovery.js";
import { ERRNO } from "../errors.js";
import type { Fence } from "../fence/fence.js";
import { importFence } from "../fence/import-fence.js";
import { fenceAgent } from "../fence/fence.js";
import { promiseFence } from "../fence/promise-fence.js";
import { publish } from "../fence/published-fence.js";
import type { Reservation } from "./reservation.js";
import { createTimeline } from "../fence/timeline.js";
import { reservationAt } from "../../test/reservation-at.js";
import { userOf } from "./reservation.js";

const PATIENT = { timeout: 10_000 };
const ETIMEDOUT = -ERRNO.ETIMEDOUT;

/** What hang recovery does when a time limit has passed. */
function timeOut(fence: Fence): void {
  endKey(fenceAgent(fence), publish(fence), ERRNO.ETIMEDOUT, fenceAgent(fence).host.nowNs());
}

/** One buffer's reservation as an owner of fences sees it, and as another agent does. */
function seenByTwo(): { owner: TestAgent; other: TestAgent; mine: Reservation; theirs: Reservation } {
  const owner = testAgent();
  const other = owner.another();
  const { slot } = claimBuffer(owner, { size: 4096, name: "", exporterName: "" });
  return { owner, other, mine: reservationAt(owner, slot), theirs: reservationAt(other, slot) };
}

/** A reservation with one writer's fence, which is overdue. */
function overdue(kind: LineKind): ReturnType<typeof seenByTwo> & { fence: Fence } {
  const seen = seenByTwo();
  const [fence] = makeLine(seen.owner, kind).fences(1);
  addFence(seen.mine, fence!, "write");
  timeOut(fence!);
  return { ...seen, fence: fence! };
}

for (const kind of LINE_KINDS) {
  describe(`a fence (${kind}) that a time limit has ended`, () => {
    test("is signaled, and overdue until its owner still signals it, which changes nothing about it", () => {
      const { mine, theirs, fence } = overdue(kind);
      for (const reservation of [mine, theirs]) {
        assert.equal(reservation.testSignaled("write"), true);
        assert.equal(reservation.testFinished("write"), false);
        assert.deepEqual(
          reservation.getOverdueFences("write").map(({ context }) => context),
          [fence.context],
        );
        assert.deepEqual(reservation.getFences("bookkeep"), []);
      }
      assert.equal(fence.signal(), false);
      for (const reservation of [mine, theirs]) {
        assert.equal(reservation.testFinished("write"), true);
        assert.deepEqual(reservation.getOverdueFences("bookkeep"), []);
      }
      assert.equal(fence.status, ETIMEDOUT);
      assert.equal(fence.signal(), false);
    });

    test("is overdue also when its owner has heard of its end", () => {
      const { mine, theirs, fence } = overdue(kind);
      assert.equal(fence.status, ETIMEDOUT);
      assert.equal(fence.addCallback(() => {}).queued, false);
      assert.equal(theirs.testFinished("write"), false);
      fence.signal();
      assert.equal(mine.testFinished("write"), true);
      assert.equal(theirs.testFinished("write"), true);
    });

    test("is no longer overdue when its owner is dead", () => {
      const { owner, other, theirs } = overdue(kind);
      recover(other, owner.identity, FENCE_RECOVERY, 1);
      assert.equal(theirs.testFinished("write"), true);
    });

    test("is overdue for those of its usage and of weaker ones", () => {
      const { mine, theirs } = seenByTwo();
      const [fence] = makeLine(userOf(mine).agent, kind).fences(1);
      addFence(mine, fence!, "read");
      timeOut(fence!);
      assert.equal(theirs.testFinished("write"), true);
      assert.equal(theirs.testFinished("read"), false);
      assert.equal(theirs.testFinished("bookkeep"), false);
    });

    test("keeps its place among the fences until then, and only until then", () => {
      const { mine, fence } = overdue(kind);
      const next = makeFence(userOf(mine).agent, "timeline");
      addFence(mine, next, "read");
      assert.deepEqual(places(mine), [
        [fence.context, 1, "write"],
        [next.context, 1, "read"],
      ]);
      fence.signal();
      const last = makeFence(userOf(mine).agent, "timeline");
      addFence(mine, last, "read");
      const contexts = places(mine).map(([context]) => context);
      assert.deepEqual(contexts, [last.context, next.context]);
    });

    test("keeps its place in a copy, and in a reservation that is full", () => {
      const agent = testAgent({ sizes: { agents: 2 } });
      const [source, copy] = [makeReservation(agent), makeReservation(agent)];
      const fences = [1, 2, 3, 4].map(() => makeLine(agent, kind).fences(1)[0]!);
      for (const fence of fences) {
        addFence(source, fence, "read");
        timeOut(fence);
      }
      using _lock = copy.lockSync();
      copy.copyFences(source);
      assert.equal(copy.getOverdueFences("read").length, 4);
      assert.throws(() => copy.reserveFences(1), { code: "ENOMEM", message: /4 of 4 are pending or overdue/ });
      fences[2]!.signal();
      copy.reserveFences(1);
      assert.equal(copy.getOverdueFences("read").length, 3);
    });

    test("is not overdue if it was its owner that failed it with ETIMEDOUT", () => {
      const { mine, theirs } = seenByTwo();
      const [fence] = makeLine(userOf(mine).agent, kind).fences(1);
      addFence(mine, fence!, "write");
      fence!.setError("ETIMEDOUT");
      fence!.signal();
      assert.equal(fence!.status, ETIMEDOUT);
      assert.equal(theirs.testFinished("write"), true);
    });

    test("has others wait for its work: a wait for fences ends, a wait for work goes on", PATIENT, async () => {
      const { theirs, fence } = overdue(kind);
      assert.equal(await theirs.wait("write"), "signaled");
      assert.equal(await theirs.waitFinished("write", { timeout: 5 }), "timed-out");
      const waiting = theirs.waitFinished("write");
      assert.equal(await isPending(waiting), true);
      fence.signal();
      assert.equal(await waiting, "signaled");
    });

    test("has others wait for its work from before its end", PATIENT, async () => {
      const { mine, theirs } = seenByTwo();
      const [fence] = makeLine(userOf(mine).agent, kind).fences(1);
      addFence(mine, fence!, "write");
      const waiting = theirs.waitFinished("write");
      timeOut(fence!);
      assert.equal(await isPending(waiting), true);
      fence!.signal();
      assert.equal(await waiting, "signaled");
    });

    test("lets those go on who wait for its work when its owner is dead", PATIENT, async () => {
      const { owner, other, theirs } = overdue(kind);
      const waiting = theirs.waitFinished("write");
      assert.equal(await isPending(waiting), true);
      recover(other, owner.identity, FENCE_RECOVERY, 1);
      assert.equal(await waiting, "signaled");
    });

    test(
      "is waited for by a thread that blocks, but by its owner's only with a limit",
      { ...BLOCKS, ...PATIENT },
      () => {
        const { mine, theirs, fence } = overdue(kind);
        for (const reservation of [mine, theirs]) {
          assert.equal(reservation.waitSync("write"), "signaled");
          assert.equal(reservation.waitFinishedSync("write", { timeout: 5 }), "timed-out");
        }
        assert.throws(() => mine.waitFinishedSync("write"), { code: "EDEADLK" });
        fence.signal();
        for (const reservation of [mine, theirs]) assert.equal(reservation.waitFinishedSync("write"), "signaled");
      },
    );
  });
}

describe("the fences of a timeline that a time limit has ended", () => {
  test("are overdue until their own number or a later one is signaled", () => {
    const { owner, mine, theirs } = seenByTwo();
    const other = makeReservation(owner);
    const timeline = createTimeline(owner);
    const [first, second, third] = [timeline.createFence(), timeline.createFence(), timeline.createFence()];
    addFence(mine, first, "write");
    addFence(other, third, "write");
    timeOut(first);
    assert.equal(timeline.signal(second.seqno), false);
    assert.equal(theirs.testFinished("write"), true);
    assert.equal(other.testFinished("write"), false);
    third.signal();
    assert.equal(other.testFinished("write"), true);
    first.signal();
    assert.equal(other.testFinished("write"), true);
  });

  test("are overdue until it is closed, and not those of its slot's next owner", PATIENT, async () => {
    const owner = testAgent({ sizes: { timelines: 1 } });
    const other = owner.another();
    const reservation = makeReservation(other);
    const timeline = createTimeline(owner);
    const fence = timeline.createFence();
    addFence(reservation, importFence(other, fence.handle()), "write");
    timeOut(fence);
    const waiting = reservation.waitFinished("write");
    assert.equal(await isPending(waiting), true);
    timeline.close();
    assert.equal(await waiting, "signaled");
    const next = createTimeline(other).createFence();
    addFence(reservation, next, "write");
    assert.equal(fence.signal(), false);
    timeOut(next);
    assert.equal(reservation.testFinished("write"), false);
    fence.signal();
    assert.equal(reservation.testFinished("write"), false);
  });

  test("are not overdue if they were signaled before", () => {
    const { owner, mine } = seenByTwo();
    const timeline = createTimeline(owner);
    const [first, second] = [timeline.createFence(), timeline.createFence()];
    addFence(mine, first, "write");
    first.signal();
    timeOut(second);
    assert.equal(mine.testFinished("write"), true);
  });
});

describe("a published fence that a time limit has ended", () => {
  test("keeps its slot until it is signaled or dropped by its maker", () => {
    const agent = testAgent({ sizes: { oneShots: 1 } });
    for (const end of ["signal", Symbol.dispose] as const) {
      const fence = makeFence(agent, "published");
      timeOut(fence);
      assert.throws(() => makeFence(agent, "published"), { code: "ENOSPC" });
      fence[end]();
      const next = makeFence(agent, "published");
      // What is said of the one no longer concerns the slot.
      fence.signal();
      fence[Symbol.dispose]();
      timeOut(next);
      assert.throws(() => makeFence(agent, "published"), { code: "ENOSPC" });
      next.signal();
    }
  });

  test("is overdue after it was dropped if its maker goes on without it", () => {
    const { owner, mine } = seenByTwo();
    const fence = independentFence(owner);
    addFence(mine, fence, "write");
    timeOut(fence);
    fence[Symbol.dispose]();
    assert.equal(mine.testFinished("write"), false);
    fence.signal();
    assert.equal(mine.testFinished("write"), true);
    assert.deepEqual(owner.takeWarnings(), []);
  });

  for (const how of ["fulfils", "rejects"] as const) {
    test(`and a promise's, is overdue until the promise ${how}`, PATIENT, async () => {
      const { owner, mine } = seenByTwo();
      let settle = (): void => {};
      const promise = new Promise<void>((resolve, reject) => {
        settle = how === "fulfils" ? resolve : (): void => reject(new Error("too late"));
      });
      const fence = promiseFence(owner, promise);
      addFence(mine, fence, "write");
      timeOut(fence);
      assert.equal(fence.status, ETIMEDOUT);
      assert.equal(mine.testFinished("write"), false);
      settle();
      assert.equal(await mine.waitFinished("write"), "signaled");
      assert.deepEqual(owner.takeWarnings(), []);
    });
  }
});
