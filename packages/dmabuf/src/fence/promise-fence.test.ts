import assert from "node:assert/strict";
import { test } from "node:test";
import { testAgent } from "../../test/conformance/support.js";
import { ManualHost } from "../../test/manual-host.js";
import { DmaBufError } from "../errors.js";
import { importFence } from "./import-fence.js";
import type { Fence } from "./fence.js";
import { promiseFence } from "./promise-fence.js";

const PATIENT = { timeout: 10_000 };

/** The fence as another agent sees it. */
function elsewhere(fence: Fence, agent: ReturnType<typeof testAgent>): Fence {
  return importFence(agent.another(), fence.handle());
}

test("a promise that fulfils signals its fence for all agents", PATIENT, async () => {
  const agent = testAgent();
  let fulfil = (): void => {};
  const fence = promiseFence(agent, new Promise<void>((resolve) => (fulfil = resolve)));
  const view = elsewhere(fence, agent);
  assert.deepEqual([fence.status, view.status], [0, 0]);
  fulfil();
  assert.equal(await view.wait(), "signaled");
  assert.deepEqual([fence.status, view.status], [1, 1]);
});

test(
  "a promise that rejects fails its fence with the rejection's code, and with EIO if that is no errno",
  PATIENT,
  async () => {
    const reasons: [reason: unknown, code: string][] = [
      [new DmaBufError("ENODEV", "gone"), "ENODEV"],
      [Object.assign(new Error("full"), { code: "ENOSPC" }), "ENOSPC"],
      [Object.assign(new Error("odd"), { code: "ERR_ODD" }), "EIO"],
      [Object.assign(new Error("odd"), { code: "toString" }), "EIO"],
      [Object.assign(new Error("odd"), { code: 5 }), "EIO"],
      [new DOMException("stopped", "AbortError"), "ECANCELED"],
      [AbortSignal.abort().reason, "ECANCELED"],
      [new DOMException("late", "TimeoutError"), "ETIMEDOUT"],
      [new DOMException("full", "QuotaExceededError"), "ENOSPC"],
      [new DOMException("no such codec", "NotSupportedError"), "EOPNOTSUPP"],
      [new DOMException("no file", "NotFoundError"), "ENOENT"],
      [new DOMException("no camera", "NotAllowedError"), "EACCES"],
      [new DOMException("no camera", "SecurityError"), "EACCES"],
      [new DOMException("odd bytes", "DataError"), "EINVAL"],
      [new DOMException("closed", "InvalidStateError"), "EBADF"],
      [new DOMException("odd", "OperationError"), "EIO"],
      [Object.assign(new Error("odd"), { name: "toString" }), "EIO"],
      [Object.assign(new Error("both"), { name: "AbortError", code: "ENODEV" }), "ENODEV"],
      [new Error("plain"), "EIO"],
      ["text", "EIO"],
      [undefined, "EIO"],
      [null, "EIO"],
    ];
    const agent = testAgent();
    const reader = agent.another();
    for (const [reason, code] of reasons) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a promise may reject with anything
      const view = importFence(reader, promiseFence(agent, Promise.reject(reason)).handle());
      await view.wait();
      assert.equal(view.error!.code, code, String(reason));
    }
    assert.deepEqual(agent.takeWarnings(), []);
  },
);

test("the reason of a rejection is the cause of the error, in the thread of the promise", PATIENT, async () => {
  const agent = testAgent();
  const reason = new Error("planted");
  const fence = promiseFence(agent, Promise.reject(reason));
  const view = elsewhere(fence, agent);
  await assert.rejects(fence.result(), (error: DmaBufError) => error.code === "EIO" && error.cause === reason);
  assert.equal(fence.error!.cause, reason);
  assert.equal("cause" in view.error!, false);
});

test(
  "a promise that takes too long ends its fence with ETIMEDOUT, although no agent waits, and changes nothing later",
  PATIENT,
  async () => {
    const host = new ManualHost();
    const agent = testAgent({ host: { nowNs: host.nowNs, after: host.after } });
    let fulfil = (): void => {};
    const promise = new Promise<void>((resolve) => (fulfil = resolve));
    const fence = promiseFence(agent, promise, { timeLimit: 100 });
    host.pass(99);
    assert.equal(fence.status, 0);
    host.pass(1);
    assert.equal(fence.error?.code, "ETIMEDOUT");
    fulfil();
    await promise;
    assert.equal(fence.error?.code, "ETIMEDOUT");
    assert.deepEqual(agent.takeWarnings(), []);
  },
);

test("a time limit that is no number of milliseconds is refused, and takes no place", () => {
  const agent = testAgent({ sizes: { oneShots: 1 } });
  const never = new Promise<void>(() => {});
  for (const timeLimit of [0, -1, NaN, Infinity, 2 ** 31]) {
    assert.throws(
      () => promiseFence(agent, never, { timeLimit }),
      /^RangeError: .*option "timeLimit" must be from 1 to /,
    );
  }
  promiseFence(agent, never);
});

test("a promise's fence has the name that it is given", () => {
  const agent = testAgent();
  const never = new Promise<void>(() => {});
  const view = elsewhere(promiseFence(agent, never, { name: "decode" }), agent);
  assert.deepEqual([view.driverName, view.timelineName], ["promise", "decode"]);
  assert.equal(promiseFence(agent, never).timelineName, "promise");
});

test("what is no promise is a TypeError in words, and takes no place", () => {
  const agent = testAgent({ sizes: { oneShots: 1 } });
  for (const value of [undefined, null, 1, {}, () => {}]) {
    assert.throws(
      () => promiseFence(agent, value as Promise<void>),
      /^TypeError: Domain.fenceFrom\(\): promise must be a promise/,
    );
  }
  promiseFence(agent, new Promise<void>(() => {}));
});

test("a promise whose `then` throws fails its fence with EIO, and gives its place back", PATIENT, async () => {
  const agent = testAgent({ sizes: { oneShots: 1 } });
  const throwing = {
    then(): never {
      throw new Error("planned");
    },
  };
  const getter = {
    get then(): never {
      throw new Error("planned");
    },
  };
  for (const promise of [throwing, getter]) {
    const fence = promiseFence(agent, promise);
    await fence.wait();
    assert.equal(fence.error?.code, "EIO");
  }
});
