import assert from "node:assert/strict";
import { test } from "node:test";
import { placeIn } from "./program-place.js";

test("a place is the first one that is not the library's, in each engine's words", () => {
  const v8 = `    at stackHere (file:///lib/dist/src/host/stack.js:10:27)
    at HeldList.add (file:///lib/dist/src/domain/held.js:1:1)
    at async main (file:///app/detector.js:88:21)`;
  assert.equal(placeIn(v8), "/app/detector.js:88:21");
  const firefox = `stackHere@http://host/lib/host/stack.js:10:27
add@http://host/lib/domain/held.js:1:1
main@http://host/app/detector.js:88:21`;
  assert.equal(placeIn(firefox), "http://host/app/detector.js:88:21");
});

test("no place is told where there is none: without a stack, in a bundle, or in code of the engine alone", () => {
  assert.equal(placeIn(undefined), "");
  assert.equal(placeIn("    at a (file:///app/bundle.js:1:10)\n    at b (file:///app/bundle.js:1:20)"), "");
  assert.equal(placeIn("    at stackHere (file:///lib/host/stack.js:1:1)\n    at node:internal/timers:2:3"), "");
});
