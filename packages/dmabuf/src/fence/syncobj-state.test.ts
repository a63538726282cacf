import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { opsFence, testAgent } from "../../test/conformance/support.js";
import type { Fence } from "./fence.js";
import { SyncobjState } from "./syncobj-state.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

test("links that have signaled are released while points are added, though none is asked for", async () => {
  const agent = testAgent();
  const state = new SyncobjState(agent);
  const links: WeakRef<Fence>[] = [];
  const pending: Fence[] = [];
  for (let point = 1; point <= 1000; point++) {
    pending.push(opsFence(agent));
    state.addPoint(point, pending.at(-1)!);
    links.push(new WeakRef(state.fence!));
    if (pending.length > 20) pending.shift()!.signal();
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
  collectGarbage();
  const kept = links.filter((link) => link.deref() !== undefined).length;
  assert.ok(kept <= 50, `${kept} of 1,000 links are kept while 20 are pending`);
});
