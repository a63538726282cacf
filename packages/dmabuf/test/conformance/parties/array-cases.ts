/** Area B of the conformance cases, with an array's members and who waits for it in different places. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FenceArrayOptions, type FenceHandle } from "../../../src/index.js";
import { LINE_KINDS } from "../reservation-support.js";
import type { Party, Place } from "./party.js";
import { begin } from "./waiting.js";

const EIO = -5;
const PATIENT = { timeout: 30_000 };
const MEMBERS = ["first", "second", "third"];

interface Sent {
  /** Has the three members, by name. */
  readonly maker: Party;
  readonly other: Party;
  /** An array of the members, made here. */
  readonly array: (options?: FenceArrayOptions) => FenceHandle;
}

export function arrayCases(place: Place): void {
  /** Registers a fact about an array of one agent's fences that a second one has made and a third was sent. */
  function fact(name: string, body: (sent: Sent) => Promise<void>): void {
    for (const kind of LINE_KINDS) {
      test(`${name} (${kind} members of another agent)`, PATIENT, async (t) => {
        const { domain, parties } = await place.meet(t, 2);
        const [maker, other] = [parties[0]!, parties[1]!];
        const handles: FenceHandle[] = [];
        for (const member of MEMBERS) handles.push(await maker.ask("makeFence", member, kind));
        const array = (options: FenceArrayOptions = {}): FenceHandle => {
          const fences = handles.map((handle) => domain.import(handle));
          return domain.createFenceArray(fences, options).handle();
        };
        await body({ maker, other, array });
      });
    }
  }

  for (const wait of ["wait", "waitSync"] as const) {
    fact(`ARR-01 ${wait}() for an array of all ends with its last member`, async ({ maker, other, array }) => {
      const waiting = await begin(other.start(wait, array()));
      for (const member of ["third", "first"]) {
        await maker.ask("signal", member);
        assert.equal(await waiting.isSettled(), false);
      }
      await maker.ask("signal", "second");
      assert.equal(await waiting.done, "signaled");
    });

    fact(`ARR-02 ${wait}() for an array of any ends with its first member`, async ({ maker, other, array }) => {
      const waiting = await begin(other.start(wait, array({ signalOnAny: true })));
      await maker.ask("signal", "second");
      assert.equal(await waiting.done, "signaled");
      assert.equal(await other.ask("status", array()), 0);
    });
  }

  fact("ARR-03 an array that no agent waits for is found signaled by looking", async ({ maker, other, array }) => {
    const [all, any] = [array(), array({ signalOnAny: true })];
    await maker.ask("signal", "third");
    assert.deepEqual([await other.ask("status", all), await other.ask("status", any)], [0, 1]);
    for (const member of ["first", "second"]) await maker.ask("signal", member);
    assert.equal(await other.ask("status", all), 1);
  });

  fact("ARR-04 an array has the error of its member", async ({ maker, other, array }) => {
    const { begun, done } = other.start("callbacks", array(), 1);
    await begun;
    await maker.ask("signal", "first", "EIO");
    for (const member of ["second", "third"]) await maker.ask("signal", member);
    assert.deepEqual(await done, { order: [0], statuses: [EIO] });
  });

  fact("ARR-05 an array of signaled members refuses a callback", async ({ maker, other, array }) => {
    for (const member of MEMBERS) await maker.ask("signal", member);
    assert.deepEqual(await other.ask("callbacks", array(), 1), { order: [], statuses: [] });
  });

  for (const kind of LINE_KINDS) {
    test(`ARR-10 a deadline of an array reaches the makers of its members (${kind} members)`, PATIENT, async (t) => {
      const { domain, parties } = await place.meet(t, 1);
      const heard: Promise<number>[] = [];
      const members = MEMBERS.map(() => {
        let hear: (deadlineNs: number) => void = () => {};
        heard.push(new Promise((resolve) => (hear = resolve)));
        if (kind === "timeline") return domain.createTimeline({ onDeadline: hear }).createFence();
        const setDeadline = (_fence: unknown, deadlineNs: number): void => hear(deadlineNs);
        return domain.createFence({ driverName: "", timelineName: "", setDeadline });
      });
      const array = domain.createFenceArray(members).handle();
      await parties[0]!.ask("setDeadline", array, 1_000);
      assert.deepEqual(await Promise.all(heard), [1_000, 1_000, 1_000]);
    });
  }
}
