import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { createAsyncContext } from "../host/async-context.js";
import { openFlows, type Hold, type Went } from "./flows.js";

/** The flows of this thread, and what a flow that runs now went through since a hold. */
function open(t: TestContext) {
  const flows = openFlows();
  t.after(() => flows.close());
  const hold = (): Hold => {
    const held = { since: flows.next() };
    flows.hold(held);
    return held;
  };
  const go = (): Went => {
    const went = { at: flows.next() };
    flows.go(went);
    return went;
  };
  return { flows, hold, go };
}

test("a flow went through what it has got itself, and what those went through that it has awaited (flows.1)", async (t) => {
  const { flows, hold, go } = open(t);
  const held = hold();
  const helper = async (): Promise<Went> => {
    await sleep(1);
    return go();
  };
  const mine = go();
  const others = await helper();
  const ignored = helper();
  await sleep(5);
  assert.deepEqual(flows.wentSince(held), [mine, others]);
  const late = await ignored;
  assert.deepEqual(flows.wentSince(held), [mine, others, late]);
});

test("a flow keeps nothing that came before all that is held (flows.2)", (t) => {
  const { flows, hold, go } = open(t);
  go();
  assert.equal(flows.went.length, 0);
  const first = hold();
  go();
  const second = hold();
  go();
  assert.equal(flows.went.length, 2);
  flows.letGo(first);
  go();
  assert.equal(flows.went.length, 2);
  flows.letGo(second);
  go();
  assert.equal(flows.wentSince(second).length, 2);
});

test("what runs apart belongs to no flow", (t) => {
  const { flows, hold, go } = open(t);
  const held = hold();
  go();
  assert.equal(
    flows.apart(() => flows.wentSince(held).length),
    0,
  );
  assert.equal(flows.wentSince(held).length, 1);
});

test("where the surroundings do not tell of promises, a value lasts for its turn (async-context.3)", async () => {
  const usual = Object.getOwnPropertyDescriptor(process, "getBuiltinModule");
  Object.defineProperty(process, "getBuiltinModule", { value: undefined, configurable: true });
  const context = createAsyncContext<object>(
    (own, awaited) => own ?? awaited,
    () => true,
  );
  if (usual !== undefined) Object.defineProperty(process, "getBuiltinModule", usual);
  const value = {};
  context.set(value);
  assert.equal(context.get(), value);
  assert.equal(
    context.run(undefined, () => context.get()),
    undefined,
  );
  assert.equal(context.get(), value);
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(context.get(), undefined);
  context.close();
});
