/** User fences and memory fences that parties in different places have in common. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { UserFence, UserFenceHandleData } from "../../../src/index.js";
import { isPending, until } from "../../agents.js";
import type { Place } from "./party.js";

const PATIENT = { timeout: 120_000 };

/** As many handles as parties open it: each is its own. */
function sent(fence: UserFence): UserFenceHandleData {
  return structuredClone(fence.handle());
}

export function userFenceCases(place: Place): void {
  for (const task of ["waitForUserFence", "waitForUserFenceSync"] as const) {
    test(
      `user-fence.1: ${task}() of an agent ends when another one signals the fence of a third`,
      PATIENT,
      async (t) => {
        const { domain, parties } = await place.meet(t, 2);
        const fence = domain.createUserFence();
        const wait = parties[0]!.start(task, sent(fence));
        await wait.begun;
        assert.equal(await parties[1]!.ask("signalUserFence", sent(fence)), true);
        assert.equal(await wait.done, "signaled");
        assert.equal(fence.isSignaled(), true);
        assert.equal(await parties[1]!.ask("signalUserFence", sent(fence)), false);
        assert.equal(await parties[0]!.ask(task, sent(domain.createUserFence()), 20), "timed-out");
      },
    );

    test(
      `memory-fence.2 memory-fence.3: ${task}() of an agent ends by a signal, and by a write of the word alone`,
      PATIENT,
      async (t) => {
        const { domain, parties } = await place.meet(t, 2);
        using buffer = domain.allocate(4096, { name: "progress" });
        using three = buffer.memoryFence({ offset: 64, value: 3 });
        using five = buffer.memoryFence({ offset: 64, value: 5 });
        const wait = parties[0]!.start(task, sent(three));
        await wait.begun;
        assert.equal(await parties[1]!.ask("signalUserFence", sent(three)), true);
        assert.deepEqual([await wait.done, three.isSignaled(), five.isSignaled()], ["signaled", true, false]);
        const rung = parties[0]!.start(task, sent(five));
        await rung.begun;
        await parties[1]!.ask("writeWord", structuredClone(buffer.handle()), 64, 7n);
        assert.deepEqual([await rung.done, five.signal()], ["signaled", false]);
      },
    );
  }

  for (const blocking of [false, true]) {
    test(
      `user-fence.1: ${blocking ? "waitSync()" : "wait()"} for a fence of another agent, which it signals`,
      PATIENT,
      async (t) => {
        const { domain, parties } = await place.meet(t, 1);
        const [one, two] = await parties[0]!.ask("makeUserFence", "theirs", 2);
        const fence = domain.import(one!);
        const signal = parties[0]!.ask("signalUserFence", two!);
        assert.equal(blocking ? fence.waitSync() : await fence.wait(), "signaled");
        assert.deepEqual([await signal, fence.name], [true, "theirs"]);
      },
    );
  }

  test(
    "user-fence.2: the fence of an agent that is killed stays pending, until another one signals it",
    PATIENT,
    async (t) => {
      const { domain, parties } = await place.meet(t, 2);
      const [handle] = await parties[0]!.ask("makeUserFence", "of the dead", 1);
      const fence = domain.import(handle!);
      const wait = fence.wait();
      await parties[0]![Symbol.asyncDispose]();
      await until(() => domain.agents.length === 2);
      assert.ok(await isPending(wait));
      assert.equal(fence.isSignaled(), false);
      assert.equal(await parties[1]!.ask("signalUserFence", sent(fence)), true);
      assert.equal(await wait, "signaled");
    },
  );

  for (const task of ["waitForUserFence", "waitForUserFenceSync"] as const) {
    test(
      `user-fence-slot.3: an agent that is killed in ${task}() leaves no reference, and no wait behind`,
      PATIENT,
      async (t) => {
        const { domain, parties } = await place.meet(t, 2, { userFences: 1 });
        const fence = domain.createUserFence();
        const waits = parties.map((party) => party.start(task, sent(fence)));
        await Promise.all(waits.map(({ begun }) => begun));
        const died = assert.rejects(waits[0]!.done);
        await parties[0]![Symbol.asyncDispose]();
        await Promise.all([died, until(() => domain.agents.length === 2)]);
        assert.equal(fence.signal(), true);
        assert.equal(await waits[1]!.done, "signaled");
        fence.close();
        // The other party's reference goes with its wait.
        await until(() => hasRoom(() => domain.createUserFence().close()));
      },
    );
  }

  test("signalAfter() of an agent signals when the fence of another one has", PATIENT, async (t) => {
    const { domain, parties } = await place.meet(t, 1);
    const timeline = domain.createTimeline();
    const dma = timeline.createFence();
    const fence = domain.createUserFence();
    await parties[0]!.ask("signalUserFenceAfter", sent(fence), dma.handle());
    const wait = fence.wait();
    assert.ok(await isPending(wait));
    dma.signal();
    assert.equal(await wait, "signaled");
  });
}

function hasRoom(create: () => void): boolean {
  try {
    create();
    return true;
  } catch {
    return false;
  }
}
