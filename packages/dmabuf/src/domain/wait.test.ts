import assert from "node:assert/strict";
import { test } from "node:test";
import type { AbortSignalLike } from "../host/abort.js";
import { ManualHost } from "../../test/manual-host.js";
import { checkTimeout, countdown, waitUntil, type Subscribe } from "./wait.js";

const PATIENT = { timeout: 10_000 };

/** Something to wait for, and who listens for it. */
class Condition {
  ready = false;
  listeners = 0;
  done: () => void = () => {};
  failed: (error: unknown) => void = () => {};

  readonly look = (): boolean => this.ready;
  readonly subscribe: Subscribe = (done, failed) => {
    this.listeners++;
    this.done = done;
    this.failed = failed;
    return () => {
      this.listeners = 0;
    };
  };
}

const noListening: Subscribe = () => assert.fail("nothing is to be listened for");

test("what is ready needs no listening, whatever the timeout and the abort", PATIENT, async () => {
  const host = new ManualHost();
  const signal = AbortSignal.abort("no");
  for (const options of [{}, { timeout: 0 }, { signal }]) {
    assert.equal(await waitUntil({ host }, options, () => true, noListening), true);
  }
  assert.equal(host.kept, 0);
});

test("an abort that came before wins over a timeout of 0", PATIENT, async () => {
  const signal = AbortSignal.abort("no");
  const waiting = waitUntil({ host: new ManualHost() }, { signal, timeout: 0 }, () => false, noListening);
  await assert.rejects(waiting, (reason) => reason === "no");
});

test("a timeout of 0 only looks", PATIENT, async () => {
  assert.equal(await waitUntil({ host: new ManualHost() }, { timeout: 0 }, () => false, noListening), false);
});

test("a negative timeout, or none that is a number, is EINVAL before anything is looked at", PATIENT, async () => {
  for (const timeout of [-1, -0.001, NaN, -Infinity]) {
    assert.throws(() => checkTimeout(timeout), { code: "EINVAL", message: new RegExp(`not ${timeout}$`) });
    const look = (): boolean => assert.fail("nothing is to be looked at");
    await assert.rejects(waitUntil({ host: new ManualHost() }, { timeout }, look, noListening), { code: "EINVAL" });
  }
});

test("a wait that is told of its end stops listening, its timer, and keeping the process alive", PATIENT, async () => {
  const [host, condition] = [new ManualHost(), new Condition()];
  const waiting = waitUntil({ host }, { timeout: 5 }, condition.look, condition.subscribe);
  assert.deepEqual([condition.listeners, host.timers, host.kept], [1, 1, 1]);
  condition.done();
  assert.equal(await waiting, true);
  assert.deepEqual([condition.listeners, host.timers, host.kept], [0, 0, 0]);
});

test("a wait with unref keeps no process alive", PATIENT, async () => {
  const [host, condition] = [new ManualHost(), new Condition()];
  const waiting = waitUntil({ host }, { unref: true }, condition.look, condition.subscribe);
  assert.equal(host.kept, 0);
  condition.done();
  assert.equal(await waiting, true);
});

test("the timer looks once more before it gives up", PATIENT, async () => {
  for (const ready of [false, true]) {
    const [host, condition] = [new ManualHost(), new Condition()];
    const waiting = waitUntil({ host }, { timeout: 5 }, condition.look, condition.subscribe);
    condition.ready = ready;
    host.pass(5);
    assert.equal(condition.listeners, 0, "nothing may be taken that no caller would get any more");
    assert.equal(await waiting, ready);
    assert.deepEqual([host.timers, host.kept], [0, 0]);
  }
});

test("a wait whose last look throws rejects with that", PATIENT, async () => {
  const [host, condition] = [new ManualHost(), new Condition()];
  let looks = 0;
  const look = (): boolean => {
    if (++looks === 1) return false;
    throw new Error("give way");
  };
  const waiting = waitUntil({ host }, { timeout: 5 }, look, condition.subscribe);
  host.pass(5);
  await assert.rejects(waiting, /give way/);
  assert.deepEqual([condition.listeners, host.kept], [0, 0]);
});

test("an abort ends the wait at once, with its reason, and leaves nothing behind", PATIENT, async () => {
  const [host, condition] = [new ManualHost(), new Condition()];
  const abort = new AbortController();
  const waiting = waitUntil({ host }, { timeout: 5, signal: abort.signal }, condition.look, condition.subscribe);
  const reason = new Error("enough");
  abort.abort(reason);
  assert.equal(condition.listeners, 0, "nothing may be taken that no caller would get any more");
  await assert.rejects(waiting, reason);
  assert.deepEqual([host.timers, host.kept], [0, 0]);
});

test("an abort after the end changes nothing", PATIENT, async () => {
  const [host, condition] = [new ManualHost(), new Condition()];
  const abort = new AbortController();
  const waiting = waitUntil({ host }, { signal: abort.signal }, condition.look, condition.subscribe);
  condition.done();
  abort.abort("overdue");
  assert.equal(await waiting, true);
});

test("a wait leaves no listener on the abort signal", PATIENT, async () => {
  const condition = new Condition();
  const listeners = new Set<unknown>();
  const signal = {
    aborted: false,
    reason: undefined,
    addEventListener: (_type: "abort", listener: () => void) => void listeners.add(listener),
    removeEventListener: (_type: "abort", listener: () => void) => void listeners.delete(listener),
  } as unknown as AbortSignalLike;
  const waiting = waitUntil({ host: new ManualHost() }, { signal }, condition.look, condition.subscribe);
  assert.equal(listeners.size, 1);
  condition.done();
  await waiting;
  assert.equal(listeners.size, 0);
});

test("a wait rejects with what the listening fails with", PATIENT, async () => {
  const [host, condition] = [new ManualHost(), new Condition()];
  const waiting = waitUntil({ host }, {}, condition.look, condition.subscribe);
  condition.failed(new Error("left the domain"));
  await assert.rejects(waiting, /left the domain/);
  assert.deepEqual([condition.listeners, host.kept], [0, 0]);

  const throwing = waitUntil({ host }, { timeout: 5 }, condition.look, () => {
    throw new Error("no device");
  });
  await assert.rejects(throwing, /no device/);
  assert.deepEqual([host.timers, host.kept], [0, 0]);
});

test("a countdown gives what is left of the timeout, and never less than 0", () => {
  const host = new ManualHost();
  const left = countdown(host, 10);
  host.pass(4);
  assert.equal(left(), 6);
  host.pass(7);
  assert.equal(left(), 0);
  assert.equal(countdown(host)(), Infinity);
});

test("waits on one signal share one listener, and each hears the abort", PATIENT, async () => {
  const abort = new AbortController();
  let listeners = 0;
  const { signal } = abort;
  const add = signal.addEventListener.bind(signal) as (...all: unknown[]) => void;
  signal.addEventListener = (...all: unknown[]) => (listeners++, add(...all));
  const wait = (): Promise<boolean> =>
    waitUntil(
      { host: new ManualHost() },
      { signal },
      () => false,
      () => () => {},
    );
  const waits = [wait(), wait(), wait()];
  assert.equal(listeners, 1);
  abort.abort("enough");
  for (const waiting of waits) await assert.rejects(waiting, (reason) => reason === "enough");
});

test("a signal that throws when it is left changes nothing about the wait's outcome", PATIENT, async () => {
  const condition = new Condition();
  const signal = {
    aborted: false,
    reason: undefined,
    addEventListener() {},
    removeEventListener() {
      throw new Error("planned");
    },
  } as unknown as AbortSignalLike;
  const waiting = waitUntil({ host: new ManualHost() }, { signal }, condition.look, condition.subscribe);
  condition.done();
  assert.equal(await waiting, true);
});
