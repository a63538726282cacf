import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualHost } from "../../test/manual-host.js";
import { take, takeSync, type Steps, type Wait } from "./steps.js";
import { Ending, type WaitTerms } from "./wait.js";

/** Both ways to run a call. */
type Run = <T>(waiter: { host: ManualHost }, steps: Steps<T>, timeout?: number) => T | Promise<T>;

const FORMS: Record<string, Run> = {
  "one that returns to the event loop": (waiter, steps, timeout) =>
    take(waiter, steps, timeout === undefined ? {} : { timeout }),
  "one that blocks": takeSync,
};

/** A wait that takes so many milliseconds of the clock, and gives or throws what it is told. */
function wait(host: ManualHost, ms: number, given: boolean | Error, seen: unknown[] = []): Wait {
  const waited = (timeout: number | undefined): boolean => {
    seen.push(timeout ?? Infinity);
    host.pass(ms);
    if (given instanceof Error) throw given;
    return given;
  };
  return { wait: async ({ timeout }) => Promise.resolve(timeout).then(waited), waitSync: waited };
}

// eslint-disable-next-line require-yield -- a call that waits for nothing
function* ready(): Steps<number> {
  return 3;
}

for (const [form, run] of Object.entries(FORMS)) {
  test(`a call that waits for nothing gives its result at once, and looks at no clock: ${form} (steps.1)`, () => {
    const host = new ManualHost();
    const clock = { ...host, nowNs: () => assert.fail("the clock is not needed") };
    const result = run({ host: clock as unknown as ManualHost }, ready(), 10);
    assert.equal(result, 3);
  });

  test(`one time limit counts for all waits of a call, from the first of them on: ${form} (steps.2)`, async () => {
    const host = new ManualHost();
    const left: unknown[] = [];
    function* call(): Steps<boolean[]> {
      host.pass(100);
      const first = yield wait(host, 4, true, left);
      const second = yield wait(host, 7, false, left);
      return [first, second, yield wait(host, 1, true, left)];
    }
    assert.deepEqual(await run({ host }, call(), 10), [true, false, true]);
    assert.deepEqual(left, [10, 6, 0]);
  });

  test(`a call without a time limit waits without one: ${form}`, async () => {
    const host = new ManualHost();
    const left: unknown[] = [];
    function* call(): Steps<boolean> {
      return yield wait(host, 4, true, left);
    }
    assert.equal(await run({ host }, call()), true);
    assert.deepEqual(left, [Infinity]);
  });

  test(`a wait that fails throws in the call, which gives back and may wait again: ${form} (steps.3)`, async () => {
    const host = new ManualHost();
    const events: string[] = [];
    function* call(): Steps<string> {
      try {
        yield wait(host, 1, new Error("give way"));
      } catch (error) {
        events.push((error as Error).message);
        if (yield wait(host, 1, true)) events.push("waited again");
      } finally {
        events.push("given back");
      }
      yield wait(host, 1, new Error("left"));
      return "never";
    }
    await assert.rejects(async () => run({ host }, call()), /left/);
    assert.deepEqual(events, ["give way", "waited again", "given back"]);
  });
}

test("what ends a call's waits is looked at by each of them", async () => {
  const ending = new Ending();
  const endings: unknown[] = [];
  const look: Wait = {
    wait: async ({ ending: seen }: WaitTerms) => Promise.resolve(endings.push(seen) > 0),
    waitSync: () => assert.fail("the call does not block"),
  };
  function* call(): Steps<void> {
    yield look;
    yield look;
  }
  await take({ host: new ManualHost() }, call(), {}, ending);
  assert.deepEqual(endings, [ending, ending]);
});
