import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, isSameFence } from "../index.js";
import { backingOf } from "./fence.js";

test("fences of two domains are not the same, also where their places in shared memory have the same numbers", () => {
  using one = Domain.create();
  using other = Domain.create();
  const [a, b] = [one, other].map((domain) => domain.createTimeline().createFence());
  assert.deepEqual(backingOf(a!).key(a!), backingOf(b!).key(b!));
  assert.equal(isSameFence(a!, b!), false);
  using joined = Domain.join(one.invite());
  assert.equal(isSameFence(a!, joined.import(a!.handle())), true);
});
