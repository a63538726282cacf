import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualHost } from "../../test/manual-host.js";
import type { Host } from "../host/host.js";
import { LongWaits, type HeldUp } from "./long-waits.js";

/** A host that counts how often it is asked for the time, and keeps what it is warned of. */
class CountingHost implements Host {
  readonly mayBlock = true;
  readonly spinNs = 0;
  readonly manual = new ManualHost();
  readonly warnings: [message: string, isBlocked: boolean | undefined][] = [];
  clocks = 0;
  readonly after = this.manual.after;
  readonly keepAlive = this.manual.keepAlive;
  readonly nowNs = (): number => {
    this.clocks++;
    return this.manual.nowNs();
  };
  readonly warn = (message: string, isBlocked?: boolean): void => void this.warnings.push([message, isBlocked]);

  pass(ms: number): void {
    this.manual.pass(ms);
  }
}

const named =
  (name: string): HeldUp =>
  () => [`use "${name}"`, "another agent uses it"];
const warning = (name: string): string =>
  `Cannot use "${name}" after 10 ms: another agent uses it (option "warnAfter")`;

test("long-waits.1: what never warns reads no clock and has no timer; all others have one timer", () => {
  const host = new CountingHost();
  const never = new LongWaits(host, Infinity);
  assert.equal(never.begin(), undefined);
  never.block(named("nothing"));
  assert.equal(never.blockedLeft(), Infinity);
  const waits = new LongWaits(host, 10);
  waits.block(undefined);
  assert.equal(waits.blockedLeft(), Infinity);
  assert.deepEqual([host.clocks, host.manual.timers], [0, 0]);
  for (let i = 0; i < 3; i++) waits.begin();
  assert.deepEqual([host.clocks, host.manual.timers, host.manual.kept], [3, 1, 0]);
  waits.close();
  assert.equal(host.manual.timers, 0);
});

test("each call warns once, in its time; not what has ended, and not while it waits for what may take long", () => {
  const host = new CountingHost();
  const waits = new LongWaits(host, 10);
  const begin = (heldUp: HeldUp | undefined) => Object.assign(waits.begin()!, { heldUp });
  begin(named("a"));
  host.pass(4);
  waits.end(begin(named("ended")));
  const idle = begin(undefined);
  host.pass(4);
  begin(named("b"));
  host.pass(3);
  assert.deepEqual(host.warnings, [[warning("a"), false]]);
  host.pass(5);
  idle.heldUp = named("idle");
  host.pass(3);
  assert.deepEqual(host.warnings.slice(1), [[warning("b"), false]]);
  host.pass(30);
  assert.deepEqual(host.warnings.slice(2), [[warning("idle"), false]]);
  assert.equal(host.manual.timers, 0);
  begin(named("c"));
  host.pass(11);
  assert.deepEqual(host.warnings.slice(3), [[warning("c"), false]]);
});

test("long-waits.2: a blocked thread is told when to look again, and warns at once", () => {
  const host = new CountingHost();
  const waits = new LongWaits(host, 10);
  waits.block(named("a"));
  assert.equal(waits.blockedLeft(), 10);
  host.pass(4);
  waits.block(named("b"));
  assert.equal(waits.blockedLeft(), 6);
  host.pass(6);
  assert.equal(waits.blockedLeft(), Infinity);
  assert.deepEqual(host.warnings, [[warning("b"), true]]);
  host.pass(60);
  assert.equal(waits.blockedLeft(), Infinity);
  waits.unblock();
  waits.block(named("c"));
  assert.equal(waits.blockedLeft(), 10);
  assert.equal(host.warnings.length, 1);
});
