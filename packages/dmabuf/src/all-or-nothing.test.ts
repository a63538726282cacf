import assert from "node:assert/strict";
import { test } from "node:test";
import { allOrNothing } from "./all-or-nothing.js";

test("what was taken is given back in reverse, when something fails", () => {
  const given: number[] = [];
  const take = (fails: boolean): string =>
    allOrNothing((orUndo) => {
      for (const one of [1, 2, 3]) orUndo(() => void given.push(one));
      if (fails) throw new Error("planned");
      return "all";
    });
  assert.equal(take(false), "all");
  assert.deepEqual(given, []);
  assert.throws(() => take(true), /planned/);
  assert.deepEqual(given, [3, 2, 1]);
});

test("what cannot be given back neither hides the error nor keeps the rest", () => {
  const given: number[] = [];
  const take = (): never =>
    allOrNothing((orUndo) => {
      orUndo(() => void given.push(1));
      orUndo(() => {
        throw new Error("no way back");
      });
      throw new Error("the first one");
    });
  assert.throws(take, /the first one/);
  assert.deepEqual(given, [1]);
});
