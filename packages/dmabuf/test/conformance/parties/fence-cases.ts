/** Area A of the conformance cases, with the fence and who uses it in different places. */
import { agentOf } from "../../../src/domain-base.js";
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Fence, FenceHandle, JoinedDomain } from "../../../src/index.js";
import type { Party, Place } from "./party.js";
import { LINE_KINDS, makeLine } from "../reservation-support.js";

const EIO = -5;
const PATIENT = { timeout: 30_000 };

interface Sent {
  readonly domain: JoinedDomain;
  /** This thread's. */
  readonly fence: Fence;
  readonly handle: FenceHandle;
  readonly other: Party;
}

export function fenceCases(place: Place): void {
  /** Registers a fact about a fence of this thread and a agent that it was sent to. */
  function fact(name: string, body: (sent: Sent) => Promise<void>): void {
    for (const kind of LINE_KINDS) {
      test(`${name} (${kind} fence of another agent)`, PATIENT, async (t: TestContext) => {
        const { domain, parties } = await place.meet(t, 1);
        const [fence] = makeLine(agentOf(domain), kind).fences(1);
        await body({ domain, fence: fence!, handle: fence!.handle(), other: parties[0]! });
      });
    }
  }

  fact("FEN-04 a signaled fence stays signaled", async ({ fence, handle, other }) => {
    assert.equal(await other.ask("status", handle), 0);
    fence.signal();
    for (let look = 0; look < 3; look++) assert.equal(await other.ask("status", handle), 1);
  });

  fact("FEN-05 a callback runs exactly once", async ({ fence, handle, other }) => {
    const { begun, done } = other.start("callbacks", handle, 1);
    await begun;
    fence.signal();
    assert.deepEqual(await done, { order: [0], statuses: [1] });
  });

  fact("FEN-06 a callback on a signaled fence never runs", async ({ fence, handle, other }) => {
    fence.signal();
    assert.deepEqual(await other.ask("callbacks", handle, 1), { order: [], statuses: [] });
  });

  fact("FEN-07 a callback that was removed never runs", async ({ fence, handle, other }) => {
    const { begun, done } = other.start("callbacks", handle, 2, [0]);
    await begun;
    fence.signal();
    assert.deepEqual(await done, { order: [1], statuses: [1] });
  });

  fact("FEN-11 an error shows once the fence has signaled, to callbacks and to late readers", async (sent) => {
    const { fence, handle, other } = sent;
    const { begun, done } = other.start("callbacks", handle, 1);
    await begun;
    fence.setError("EIO");
    assert.equal(await other.ask("status", handle), 0);
    assert.equal(await other.ask("errorCode", handle), undefined);
    fence.signal();
    assert.deepEqual(await done, { order: [0], statuses: [EIO] });
    assert.equal(await other.ask("status", handle), EIO);
    assert.equal(await other.ask("errorCode", handle), "EIO");
  });

  fact("FEN-12 a wait with time limit 0 tells whether the fence has signaled", async ({ fence, handle, other }) => {
    assert.equal(await other.ask("wait", handle, 0), "timed-out");
    assert.equal(await other.ask("waitSync", handle, 0), "timed-out");
    fence.signal();
    assert.equal(await other.ask("wait", handle, 0), "signaled");
    assert.equal(await other.ask("waitSync", handle, 0), "signaled");
  });

  fact("FEN-13 a wait for a fence that does not signal times out", async ({ fence, handle, other }) => {
    assert.equal(await other.ask("wait", handle, 1), "timed-out");
    assert.equal(await other.ask("waitSync", handle, 1), "timed-out");
    assert.equal(fence.status, 0);
  });

  fact("FEN-14 a signal ends the wait of a agent", async ({ fence, handle, other }) => {
    const { begun, done } = other.start("wait", handle, 20_000);
    await begun;
    fence.signal();
    assert.equal(await done, "signaled");
  });

  fact("FEN-14 a signal ends the wait of a agent that blocks", async ({ fence, handle, other }) => {
    const { begun, done } = other.start("waitSync", handle);
    await begun;
    await pause();
    fence.signal();
    assert.equal(await done, "signaled");
  });

  fact("FEN-16 callbacks run in the order in which they were added", async ({ fence, handle, other }) => {
    const { begun, done } = other.start("callbacks", handle, 5);
    await begun;
    fence.signal();
    assert.deepEqual((await done).order, [0, 1, 2, 3, 4]);
  });

  fact("FEN-19 a wait for a fence that fails succeeds", async ({ fence, handle, other }) => {
    const { begun, done } = other.start("wait", handle);
    await begun;
    fence.setError("EIO");
    fence.signal();
    assert.equal(await done, "signaled");
  });

  fact("FEN-33 a fence keeps the time that it was signaled with", async ({ fence, handle, other }) => {
    assert.equal(await other.ask("timestamp", handle), undefined);
    fence.signal(123_456_789_012);
    assert.equal(await other.ask("timestamp", handle), 123_456_789_012);
  });

  for (const kind of LINE_KINDS) {
    for (const wait of ["waitAny", "waitAnySync"] as const) {
      test(`FEN-25 ${wait}() finds the one that another agent has signaled (${kind} fences)`, PATIENT, async (t) => {
        const { domain, parties } = await place.meet(t, 1);
        const fences = [0, 1, 2].map(() => makeLine(agentOf(domain), kind).fences(1)[0]!);
        const { begun, done } = parties[0]!.start(
          wait,
          fences.map((fence) => fence.handle()),
        );
        await begun;
        await pause();
        fences[2]!.signal();
        assert.deepEqual(await done, { state: "signaled", index: 2 });
      });
    }

    test(`FEN-36 a deadline that another agent asks for reaches the maker (${kind} fence)`, PATIENT, async (t) => {
      const { domain, parties } = await place.meet(t, 1);
      let hear: (deadlineNs: number) => void = () => {};
      const heard = new Promise<number>((resolve) => (hear = resolve));
      const fence =
        kind === "timeline"
          ? domain.createTimeline({ onDeadline: hear }).createFence()
          : domain.createFence({
              driverName: "",
              timelineName: "",
              setDeadline: (_fence, deadlineNs) => hear(deadlineNs),
            });
      await parties[0]!.ask("setDeadline", fence.handle(), 1_000);
      assert.equal(await heard, 1_000);
    });

    test(`FEN-11 the error of a agent's fence shows in another agent (${kind} fence)`, PATIENT, async (t) => {
      const { parties } = await place.meet(t, 2);
      const [maker, reader] = [parties[0]!, parties[1]!];
      const handle = await maker.ask("makeFence", "f", kind);
      const { begun, done } = reader.start("waitSync", handle);
      await begun;
      assert.equal(await maker.ask("signal", "f", "EIO"), true);
      assert.equal(await done, "signaled");
      assert.equal(await reader.ask("errorCode", handle), "EIO");
    });
  }
}

/** Time enough for a agent to go to sleep. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
